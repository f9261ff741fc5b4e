import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { startCoding, type Coding } from '../support/coding.ts';
import { until } from '../support/until.ts';

let coding: Coding | null = null;
let folder: string | null = null;
afterEach(async () => {
  await coding?.line.close();
  coding = null;
  if (folder !== null) rmSync(folder, { recursive: true, force: true });
  folder = null;
});

// Some ten agents run one after the other; a busy machine takes its time.
const timeout = 240_000;

test(
  'the report: failed tests go to the developer, an unreadable one is asked for once more, then held',
  { timeout },
  async () => {
    coding = await startCoding({
      stages: ['development', 'testing'],
      ci: () => 'success',
      roles: { tester: [{ act: 'fail-tests' }, { act: 'garbled' }, { act: 'nothing' }] },
    });
    const { line, id, held, idle, calls, retry } = coding;
    await held('no_report');
    expect(calls('developer')[1]?.orders).toContain('the sum is off by one');
    expect(calls('tester')[2]?.orders).toContain('result: PASS');
    await idle();
    await line.work();
    expect(calls('tester')).toHaveLength(3);
    await retry();
    const { task } = await coding.reach('the end', (row) => row.task.stage === 'done');
    expect(task.counters.developerReruns).toBe(1);
    expect(await line.journal(id)).toContain('testing.failed');
  },
);

test('local tests: red, green once per code tree, statuses of the server decide nothing', { timeout }, async () => {
  coding = await startCoding({
    stages: ['development', 'review', 'testing'],
    project: { gates: { development: 'tests-local', review: ['reviewer-verdict'] } },
    ci: () => 'failure',
    roles: { developer: [{ act: 'break-build' }] },
  });
  const { calls, jobs } = coding;
  await coding.reach('the end', (row) => row.task.stage === 'done');
  expect(calls('developer')).toHaveLength(2);
  expect(calls('developer')[1]?.orders).toContain('quantities add up');
  const checks = (await jobs()).filter((job) => job.kind === 'check');
  expect(checks.map((job) => job.state)).toEqual(['done', 'failed']);
});

test('local tests judge what is committed: a file that git ignores makes nothing pass', { timeout }, async () => {
  coding = await startCoding({
    stages: ['development'],
    project: {
      gates: { development: 'tests-local', review: ['reviewer-verdict'] },
      // Passes only where the stub is that the agent built and did not commit.
      tests: { command: ['test', '-e', '.orch-stub/passes'] },
      caps: { developerReruns: 1 },
    },
    roles: {
      developer: [{ files: { '.gitignore': '.orch-stub/\n', '.orch-stub/passes': 'yes\n', 'src/a.txt': 'a\n' } }],
    },
  });
  const used = await coding.held('developer_budget');
  expect(used.task.hold?.text).toContain('the local tests failed');
});

test('local tests: a time-out is red; one that was stopped is run again for the same code', { timeout }, async () => {
  folder = mkdtempSync(path.join(tmpdir(), 'orch-check-'));
  const slow = path.join(folder, 'slow');
  const begun = path.join(folder, 'begun');
  writeFileSync(slow, '');
  const program = `const fs = require('fs'); fs.writeFileSync(${JSON.stringify(begun)}, ''); if (fs.existsSync(${JSON.stringify(slow)})) setTimeout(() => {}, 60000);`;
  coding = await startCoding({
    stages: ['development', 'review'],
    project: {
      gates: { development: 'tests-local', review: ['reviewer-verdict'] },
      tests: { command: [process.execPath, '-e', program], timeoutSeconds: 6 },
      caps: { developerReruns: 1 },
    },
  });
  const { line, held, retry, jobs } = coding;
  const used = await held('developer_budget');
  expect(used.task.hold?.text).toContain('the local tests failed: stopped after its time limit');
  expect((await jobs()).filter((job) => job.kind === 'check')).toHaveLength(2);
  await retry();
  rmSync(begun);
  const ended = line.work();
  await until('the check to run', () => existsSync(begun), 30_000, 20);
  await coding.force('review');
  rmSync(slow);
  await ended;
  await coding.reach('the end', (row) => row.task.stage === 'done');
  const states = (await jobs()).filter((job) => job.kind === 'check').map((job) => job.state);
  expect(states).toContain('cancelled');
  expect(states[0]).toBe('done');
});
