import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { enqueue } from '../../src/commands/enqueue/enqueue-run.ts';
import { startCoding, type Coding } from '../support/coding.ts';
import { commandContext } from '../support/command-context.ts';
import { startLine, type Line } from '../support/line.ts';

let coding: Coding | null = null;
let line: Line | null = null;
afterEach(async () => {
  await coding?.line.close();
  await line?.close();
  coding = null;
  line = null;
});

const timeout = 240_000;

test('an audit chosen by its label: analysis and testing, no code, no pull request', { timeout }, async () => {
  coding = await startCoding({
    stages: ['development'],
    project: { pipelines: { audit: { stages: ['analysis', 'testing'], label: 'audit' } } },
    labels: ['audit'],
    roles: { tester: [{ act: 'fail-tests' }] },
  });
  const { item, held, retry, calls } = coding;
  const { plane, people, repo } = coding.line.world;
  const { task } = await held('approval');
  expect(task).toMatchObject({ pipeline: 'audit', pipelineStages: ['analysis', 'testing'] });
  plane.commentAs(people.lead, item, '<p>:approved:</p>');
  // Nobody in this line could correct it: a person decides.
  await held('gate_failed');
  await retry();
  await coding.reach('the end', (row) => row.task.stage === 'done');
  expect(plane.stateName(item)).toBe('Done');
  expect(repo.pulls).toHaveLength(0);
  expect(calls('developer')).toHaveLength(0);
});

test(
  'an ad-hoc run makes its branch from the base, publishes to it, and is queued once per key',
  { timeout },
  async () => {
    line = await startLine({ script: { roles: {} } });
    const { gitea, repo, plane } = line.world;
    const prompt = path.join(line.root, 'prompt.txt');
    writeFileSync(prompt, 'Look through the cart.\n');
    const said: string[] = [];
    const options = { repo: 'acme/shop', branch: 'audit/cart', prompt, idempotencyKey: 'pipeline-7' };
    await enqueue(commandContext(line, said), 'analyst', options);
    expect(gitea.head(repo, 'audit/cart')).toBe(gitea.head(repo, 'main'));
    await enqueue(commandContext(line, said), 'analyst', options);
    expect((await line.app.store.recentJobs(10)).map((job) => job.kind)).toEqual(['adhoc']);
    await line.work();
    const [run] = await line.app.store.runs({ limit: 10 });
    expect(run).toMatchObject({
      phase: 'settled',
      outcome: { kind: 'success' },
      publishedSha: gitea.head(repo, 'audit/cart'),
    });
    expect(await gitea.readFile(repo, 'audit/cart', 'docs/reports/analyst.md')).toContain('Report');
    expect(gitea.head(repo, 'main')).not.toBe(gitea.head(repo, 'audit/cart'));

    // A branch that is there is worked on as it is.
    const there = await gitea.pushFile(
      repo,
      'spike',
      { 'src/spike.js': 'export {};\n' },
      'spike',
      line.world.accounts.owner,
    );
    await enqueue(commandContext(line, said), 'developer', { repo: 'acme/shop', branch: 'spike', prompt });
    expect(gitea.head(repo, 'spike')).toBe(there);
    await line.work();
    expect(gitea.head(repo, 'spike')).not.toBe(there);
    expect(await gitea.readFile(repo, 'spike', 'src/change.js')).toContain('revision');
    expect(plane.state.comments).toHaveLength(0);
    expect(said.join('\n')).toContain('branch audit/cart was made from main');
    await expect(
      enqueue(commandContext(line, said), 'analyst', { ...options, branch: '--upload-pack=x', idempotencyKey: 'b' }),
    ).rejects.toMatchObject({ code: 'bad_branch' });
  },
);
