import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { taskIdOf, type TaskId } from '../../src/core/model/index.ts';
import { startCoding, type Coding } from '../support/coding.ts';
import { securityPrompt } from '../support/security-prompt.ts';

// A task under way keeps the pipeline, and the stages a team defined, that it began with (spec 3.5), whatever the
// configuration says when the program is started again.

let coding: Coding | null = null;
let prompt: ReturnType<typeof securityPrompt>;
beforeEach(() => {
  prompt = securityPrompt();
});
afterEach(async () => {
  await coding?.line.close();
  coding = null;
  prompt.remove();
});

const timeout = 240_000;
const longLine = ['development', 'review', 'security-review', 'testing'];

function security(more: Record<string, unknown> = {}): Record<string, unknown> {
  return {
    'security-review': { role: 'security-reviewer', promptFile: prompt.file, document: '14-security.md', ...more },
  };
}

/** A task that waits for CI in development, the first stage of the long line. */
async function taskUnderWay(): Promise<Coding> {
  coding = await startCoding({ stages: longLine, ci: () => null, config: { stages: security() } });
  await coding.held('ci');
  return coding;
}

/** Starts the program again with other stages and another pipeline, and lets CI pass. */
async function startAgain({ line, head }: Coding, stages: string[], own: Record<string, unknown>): Promise<void> {
  const { world } = line;
  const [project] = world.config['projects'] as Record<string, unknown>[];
  const changed = { ...world.config, stages: own, projects: [{ ...project, pipelines: { default: { stages } } }] };
  writeFileSync(path.join(line.root, 'orchestrator.config.json'), JSON.stringify(changed));
  await line.reopen();
  world.gitea.setStatus(world.repo, await head(), 'ci/test', 'success');
}

/** A second work item, whose task begins under the configuration of now, on its way to the end. */
async function finishAnother({ line }: Coding): Promise<TaskId> {
  const { world } = line;
  const item = world.plane.addItem(world.project, world.people.lead, {
    name: 'Prices are rounded',
    description_html: '<p>The prices of all lines of a cart are rounded.</p>',
  });
  const id = taskIdOf('ET', item.sequence);
  const { task } = await line.until('the pull request', id, (row) => row.task.hold?.cause === 'ci');
  world.gitea.setStatus(world.repo, world.gitea.head(world.repo, task.branch) ?? '', 'ci/test', 'success');
  await line.until('the end', id, (row) => row.task.stage === 'done');
  return id;
}

async function stagesOf({ line }: Coding, id: TaskId): Promise<string[]> {
  return (await line.app.store.visits(id)).map(({ stage }) => stage);
}

test('stages that the pipeline no longer names are gone through', { timeout }, async () => {
  const started = await taskUnderWay();
  await startAgain(started, ['development', 'testing'], security());
  await started.reach('the end', (row) => row.task.stage === 'done');
  expect(await stagesOf(started, started.id)).toEqual(longLine);
  expect(await stagesOf(started, await finishAnother(started))).toEqual(['development', 'testing']);
});

test('stages that the pipeline names since are not gone through', { timeout }, async () => {
  const started = await taskUnderWay();
  const other = { 'licence-review': { ...(security()['security-review'] as object), document: '15-licences.md' } };
  await startAgain(started, ['development', 'licence-review'], { ...security(), ...other });
  await started.reach('the end', (row) => row.task.stage === 'done');
  expect(await stagesOf(started, started.id)).toEqual(longLine);
  expect(await stagesOf(started, await finishAnother(started))).toEqual(['development', 'licence-review']);
});

test('a stage whose definition changed is judged by the old one', { timeout }, async () => {
  const started = await taskUnderWay();
  await startAgain(
    started,
    longLine,
    security({ document: '15-audit.md', key: 'audit', pass: ['CLEAN'], fail: ['DIRTY'], label: 'security audit' }),
  );
  await started.reach('the end', (row) => row.task.stage === 'done');
  const another = await finishAnother(started);
  const orders = (id: TaskId): string[] =>
    started.calls('security-reviewer').flatMap((call) => (call.task === id ? [call.orders] : []));
  expect(orders(started.id)).toEqual([
    expect.stringContaining('14-security.md` with the front matter `result: PASS` or `result: FAIL`'),
  ]);
  expect(orders(another)).toEqual([
    expect.stringContaining('15-audit.md` with the front matter `audit: CLEAN` or `audit: DIRTY`'),
  ]);
  const said = started.line.world.plane.commentsOf(started.item).map(({ html }) => html);
  expect(said.filter((html) => html.includes('security review → testing'))).toHaveLength(1);
  expect(said.filter((html) => html.includes('security audit'))).toEqual([]);
});

test(
  'a stage that the configuration no longer defines holds the task until it is defined again',
  { timeout },
  async () => {
    const started = await taskUnderWay();
    await startAgain(started, ['development', 'testing'], {});
    const { task } = await started.held('attempts_used');
    expect(task.stage).toBe('security-review');
    expect(task.hold?.text).toContain('orch has no prompt for the role security-reviewer (Define its stage again');
    await startAgain(started, ['development', 'testing'], security());
    await started.retry();
    await started.reach('the end', (row) => row.task.stage === 'done');
    expect(await stagesOf(started, started.id)).toEqual(longLine);
  },
);
