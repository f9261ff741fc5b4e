import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { silentLog } from '../../src/core/platform/log.ts';
import { bubblewrap, claudeCli, cliReadPaths } from '../support/claude-cli.ts';
import type { LauncherBench } from '../support/launcher-bench.ts';
import { launcherBench } from '../support/launcher-bench.ts';

let bench: LauncherBench;
beforeEach(() => {
  bench = launcherBench();
});
afterEach(() => bench.remove());

/** An executable that notes every call and does what the script says. */
function program(name: string, script: string): string {
  const file = path.join(bench.root, name);
  writeFileSync(file, `#!/bin/sh\necho "$@" >> "${file}.calls"\n${script}\n`);
  chmodSync(file, 0o700);
  return file;
}
const calls = (file: string): string[] => readFileSync(`${file}.calls`, 'utf8').trim().split('\n');

it('asks once within its time, and again after it', async () => {
  let now = 1_000_000;
  const clock = { now: () => now, sleep: () => Promise.resolve() };
  const file = program('claude', 'echo "9.9.9 (Claude Code)"');
  const launcher = bench.launcher({ command: [file], kind: 'claude' }, { clock });
  for (let n = 0; n < 3; n += 1)
    expect(await launcher.preflight('analyst')).toEqual({ ok: true, version: '9.9.9 (Claude Code)' });
  expect(calls(file)).toEqual(['--version']);
  now += 45_000;
  await launcher.preflight('analyst');
  expect(calls(file)).toEqual(['--version', '--version']);
});

it('says what is wrong', async () => {
  const ask = (command: string[]) => bench.launcher({ command, kind: 'claude' }).preflight('analyst');
  expect(await ask(['no-such-agent'])).toEqual({ ok: false, reason: 'no-such-agent not found' });
  expect(await ask([program('broken', 'echo "no libc" >&2; exit 3')])).toEqual({ ok: false, reason: 'no libc' });
});

it.runIf('binary' in bubblewrap())('says that the sandbox hides a program that is there', async () => {
  const file = program('claude', 'echo 1.0');
  const answer = await bench.launcher({ command: [file], kind: 'claude', sandbox: 'bwrap' }).preflight('analyst');
  expect(answer).toMatchObject({ ok: false });
  expect(JSON.stringify(answer)).toContain(`${file} is here, but the sandbox hides where it lies`);
});

it('does not wait for an agent that does not answer', async () => {
  const answer = await bench
    .launcher({ command: [program('slow', 'exec sleep 60')], kind: 'claude' })
    .preflight('analyst');
  expect(answer).toEqual({ ok: false, reason: 'no answer within 5 s' });
});

it('never gives another agent its orders when it only asks', async () => {
  const file = program('other', 'echo 1.0');
  const launcher = bench.launcher({ command: [file, 'run', '{task}'], kind: 'other' });
  expect(await launcher.preflight('developer')).toEqual({ ok: true, version: '1.0' });
  expect(calls(file)).toEqual(['--version']);
  expect(await launcher.loggedIn()).toBeNull();
});

it('knows from the exit status whether the account is logged in', async () => {
  const ask = (script: string) => bench.launcher({ command: [program('claude', script)], kind: 'claude' }).loggedIn();
  expect(await ask('exit 0')).toBe(true);
  expect(await ask('exit 1')).toBe(false);
  expect(await ask('exit 70')).toBeNull();
});

it('answers, and does not throw, when the sandbox that is asked for is missing', async () => {
  const launcher = bench.launcher(
    { sandbox: 'bwrap' },
    { env: { PATH: path.join(bench.root, 'empty') }, log: silentLog },
  );
  expect(await launcher.preflight('tester')).toMatchObject({
    ok: false,
    reason: expect.stringContaining('bwrap is not installed') as unknown,
  });
});

const cli = claudeCli();
const sandbox = 'missing' in bubblewrap() ? 'none' : 'bwrap';
if ('missing' in cli) process.stderr.write(`skipped: preflight of the real CLI (${cli.missing})\n`);
it.skipIf('missing' in cli)('asks the real CLI, in the sandbox where there is one', async () => {
  if ('missing' in cli) return;
  const env = { PATH: process.env['PATH'], HOME: bench.root, CLAUDE_CONFIG_DIR: path.join(bench.root, 'claude') };
  const launcher = bench.launcher({ command: [cli.binary], kind: 'claude', sandbox, readPaths: cliReadPaths }, { env });
  expect(await launcher.preflight('analyst')).toEqual({ ok: true, version: cli.version });
});
