import { mkdirSync, mkdtempSync, readdirSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { orch, processesBelow, startOrch, untilPrinted, type OrchRun } from '../support/orch.ts';

/** Room for a machine that does several other things; the demonstration itself takes a quarter of a minute. */
const slow = ['--limit', '300'];
let folder: string;
let temporary: string;
let run: OrchRun | null = null;

beforeEach(() => {
  folder = realpathSync(mkdtempSync(path.join(tmpdir(), 'orch-cli-demo-')));
  temporary = path.join(folder, 'tmp');
  mkdirSync(temporary);
});
afterEach(async () => {
  if (run !== null && run.child.exitCode === null) run.child.kill('SIGKILL');
  await run?.ended;
  run = null;
  rmSync(folder, { recursive: true, force: true });
});

/** The caller's own settings must have no part in it. */
function start(args: string[]): OrchRun {
  run = startOrch(['demo', ...args], {
    cwd: folder,
    env: {
      TMPDIR: temporary,
      ORCH_CONFIG: '/nonexistent.json',
      ORCH_PLANE_API_TOKEN: 'a-real-one',
      ORCH_LANGUAGE: 'ru',
    },
  });
  return run;
}

function expectNothingLeft(): void {
  expect(readdirSync(temporary)).toEqual([]);
  expect(readdirSync(folder)).toEqual(['tmp']);
  expect(processesBelow(folder)).toEqual([]);
}

describe('orch demo', () => {
  test('takes a work item to the merge, tells how, and leaves nothing behind', { timeout: 360_000 }, async () => {
    const { status, stdout, stderr } = await start(slow).ended;
    expect(status, stderr).toBe(0);
    const steps = stderr.split('\n').map((line) => line.replace(/^ *[\d.]+s {2}/, ''));
    const at = (step: string): number => steps.findIndex((line) => line.startsWith(step));
    const story = [
      'ET-001 came in from Plane: Discount for regular customers',
      '● analyst works',
      'Lead comments in Plane: :approved:',
      '→ architecture: approved by Lead',
      '✓ developer',
      '✓ pull request #1 is open',
      '→ development: changes requested by the reviewer',
      '→ testing',
      '→ deploy',
      '→ done',
    ];
    expect(story.filter((step) => at(step) < 0)).toEqual([]);
    expect(steps.filter((line) => line.endsWith(' works'))).toEqual(
      ['analyst', 'architect', 'developer', 'reviewer', 'developer', 'reviewer', 'tester', 'deployer'].map(
        (role) => `● ${role} works`,
      ),
    );
    expect(stdout).toMatch(/✓ ET-001 went from a Plane work item to a merged pull request in \d+/);
    const rows = stdout.split('\n').map((line) => line.split('\t'));
    expect(rows.filter((row) => row.length === 5).map(([stage]) => stage)).toEqual([
      ...['analysis', 'architecture', 'development', 'review', 'development', 'review', 'testing', 'deploy'],
    ]);
    expect(rows).toContainEqual(['review', expect.any(String), '1', '$0.05', 'changes requested by the reviewer']);
    expect(stdout).toContain('8 runs, $0.40');
    expect(stdout).toContain('Lead\t:approved: looks right, go ahead\n');
    expect(stdout).toContain('orch\t🎉 Pull request #1 is merged.\n');
    expect(stdout).toMatch(/[0-9a-f]{10}\tfeat\(ET-001\): developer, run 5\n/);
    expect(stdout).toMatch(/#1 {2}http:\/\/127\.0\.0\.1:\d+\/acme\/shop\/pulls\/1\nmerged into main as [0-9a-f]{10}\n/);
    expect(stdout).toContain('orch demo --keep');
    expectNothingLeft();
  });

  test('--keep leaves the sandbox up until Ctrl-C; --json is one document', { timeout: 360_000 }, async () => {
    const kept = start([...slow, '--keep', '--json']);
    await untilPrinted(kept, /\}\n$/, 300_000);
    const document = JSON.parse(kept.stdout()) as {
      stage: string;
      visits: unknown[];
      pull_request: { number: number; merge_commit: string };
      sandbox: { config: string; gitea_url: string; env: Record<string, string> };
    };
    expect(document).toMatchObject({ schema_version: 1, task: 'ET-001', stage: 'done', runs: 8 });
    expect(document.visits).toHaveLength(8);
    const { sandbox, pull_request: pull } = document;
    const answer = await fetch(`${sandbox.gitea_url}/api/v1/repos/acme/shop/pulls/${pull.number}`);
    expect(await answer.json()).toMatchObject({ merged: true, merge_commit_sha: pull.merge_commit });
    const why = await orch(['why', 'ET-001', '--config', sandbox.config], { cwd: folder });
    expect(why.stdout).toContain('stage done');
    const doctor = await orch(['doctor', '--config', sandbox.config], { cwd: folder, env: sandbox.env });
    expect(doctor.status, doctor.stdout).toBe(0);
    kept.child.kill('SIGINT');
    expect(await kept.ended).toMatchObject({ status: 0, stderr: '' });
    expectNothingLeft();
  });

  test('Ctrl-C in the middle ends agents, servers and folder', { timeout: 180_000 }, async () => {
    const stopped = start(slow);
    await untilPrinted(stopped, 'analyst works');
    stopped.child.kill('SIGINT');
    const { status, stdout, stderr } = await stopped.ended;
    expect(status).toBe(1);
    expect(stdout).toBe('');
    expect(stderr).toContain('stopping and cleaning up');
    expect(stderr).toMatch(/stopped; nothing of the demo is left running\n$/);
    expectNothingLeft();
  });

  test('says where it stands when the time is up, and cleans up', { timeout: 60_000 }, async () => {
    const { status, stdout, stderr } = await start(['--limit', '1']).ended;
    expect(status).toBe(1);
    expect(stdout).toBe('');
    expect(stderr).toMatch(/error: ET-001 was not done within 1 s: .+\nhint: On a slow machine/);
    expectNothingLeft();
  });

  test('does not mix with what is in a folder', async () => {
    const own = mkdtempSync(path.join(tmpdir(), 'orch-cli-own-'));
    writeFileSync(path.join(own, 'mine.txt'), 'mine');
    const { status, stderr } = await start(['--dir', own]).ended;
    expect(status).toBe(2);
    expect(stderr).toContain(`the folder ${own} is not empty`);
    expect(readdirSync(own)).toEqual(['mine.txt']);
    rmSync(own, { recursive: true });
  });
});
