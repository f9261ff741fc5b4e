import { afterEach, beforeEach, expect, test } from 'vitest';
import type { AgentStep } from '../../src/sandbox/agent/script.ts';
import { startCoding, type Coding } from '../support/coding.ts';
import { securityPrompt } from '../support/security-prompt.ts';

// A team's own stage by configuration (spec 3.5), through the whole line: the example of docs/operations.md.

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

function verdict(value: string, text: string): AgentStep {
  return { files: { '{{docs}}/14-security.md': `---\nresult: ${value}\ncommit: {{head}}\n---\n${text} {{n}}\n` } };
}

async function start(steps: AgentStep[], own: Record<string, unknown> = {}): Promise<Coding> {
  coding = await startCoding({
    stages: ['development', 'review', 'security-review', 'testing'],
    ci: () => 'success',
    roles: { 'security-reviewer': steps },
    config: {
      stages: {
        'security-review': {
          role: 'security-reviewer',
          promptFile: prompt.file,
          document: '14-security.md',
          needs: ['ci'],
          ...own,
        },
      },
    },
  });
  return coding;
}

test('it passes: its agent has its own prompt and orders, and people read its name', { timeout }, async () => {
  const { line, id, item, calls, reach } = await start([]);
  await reach('the end', (row) => row.task.stage === 'done');
  const [call] = calls('security-reviewer');
  expect(call?.orders).toContain('14-security.md` with the front matter `result: PASS` or `result: FAIL`');
  expect((await line.app.store.visits(id)).map((visit) => visit.stage)).toEqual([
    'development',
    'review',
    'security-review',
    'testing',
  ]);
  const said = line.world.plane.commentsOf(item).map((comment) => comment.html);
  expect(said.some((html) => html.includes('review → security review'))).toBe(true);
  const runs = await line.app.store.runs({ taskId: id, limit: 20 });
  expect(runs.map((run) => run.role)).toContain('security-reviewer');
});

test('a fail goes to the developer with the findings, then review and the stage again', { timeout }, async () => {
  const { line, id, calls, reach } = await start([
    verdict('FAIL', 'An open redirect in /login.'),
    verdict('PASS', 'Good.'),
  ]);
  const { task } = await reach('the end', (row) => row.task.stage === 'done');
  expect(calls('developer')).toHaveLength(2);
  expect(calls('developer')[1]?.orders).toContain('An open redirect in /login.');
  expect(calls('reviewer')).toHaveLength(2);
  expect(calls('security-reviewer')).toHaveLength(2);
  expect(task.progress.fails).toEqual({ 'security-review': 1 });
  expect(await line.journal(id)).toContain('security-review.failed');
});

test('too many fails hold the task; a retry begins to count again', { timeout }, async () => {
  const fails = [verdict('FAIL', 'one'), verdict('FAIL', 'two'), verdict('PASS', 'three')];
  const { held, retry, reach, calls } = await start(fails, { maxFails: 1 });
  const { task } = await held('stage_fails');
  expect(task.stage).toBe('security-review');
  expect(task.hold).toMatchObject({ blocking: true, command: `orch retry ${task.id}` });
  await retry();
  await reach('the end', (row) => row.task.stage === 'done');
  expect(calls('developer')).toHaveLength(3);
});

test('an unreadable document is asked for once more, then held', { timeout }, async () => {
  const prose = { files: { '{{docs}}/14-security.md': 'Everything passes, I think. {{n}}\n' } };
  const { held, calls, retry, reach } = await start([prose, prose, verdict('PASS', 'Good.')]);
  const { task } = await held('no_result');
  expect(task.stage).toBe('security-review');
  expect(calls('security-reviewer')).toHaveLength(2);
  expect(calls('security-reviewer')[1]?.orders).toContain('14-security.md has no `result: PASS` or `result: FAIL`');
  await retry();
  await reach('the end', (row) => row.task.stage === 'done');
});

test('code that changes after it goes back through review and the stage', { timeout }, async () => {
  const { line, held, retry, reach, calls, branch, script } = await start([]);
  script({ tester: [{ act: 'nothing' }, { act: 'nothing' }] });
  await held('no_report');
  const changed = { 'src/by-hand.js': 'export const changed = 1;\n' };
  await line.world.gitea.pushFile(line.world.repo, await branch(), changed, 'by hand', line.world.accounts.owner);
  await retry();
  await reach('the end', (row) => row.task.stage === 'done');
  expect(calls('reviewer')).toHaveLength(2);
  expect(calls('security-reviewer')).toHaveLength(2);
});
