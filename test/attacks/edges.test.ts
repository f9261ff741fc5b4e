import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, it, test } from 'vitest';
import { runGit } from '../../src/core/git/run.ts';
import { sandboxPrefix, waysOut } from '../../src/core/launcher/sandbox.ts';
import { createPeerErrors } from '../../src/core/peers/http/errors.ts';
import { titleOf } from '../../src/core/pipeline/intake.ts';
import { privateFolder, removeTree } from '../../src/core/platform/files.ts';
import { jsonLog } from '../../src/core/platform/json-log.ts';
import { lineLog } from '../../src/core/platform/log.ts';
import { Redactor } from '../../src/core/platform/redact.ts';
import { bubblewrap } from '../support/claude-cli.ts';
import { formsOf } from '../support/leaks.ts';
import { launcherBench, patientHooks } from '../support/launcher-bench.ts';

const without = 'missing' in bubblewrap();
const hostile = 'x\n12:00:00 error: forged\r\u001b[2J\u009b31m\u202e';
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'orch-edge-'));
});
afterEach(() => removeTree(folder));

it('keeps a value of a log on its line, and shows what a terminal would obey', () => {
  const printed: string[] = [];
  lineLog('info', new Redactor(), (line) => void printed.push(line)).warn('trouble', { error: hostile });
  const write = process.stderr.write.bind(process.stderr);
  process.stderr.write = (chunk) => printed.push(String(chunk)) > 0;
  try {
    jsonLog('info', new Redactor()).warn('trouble', { error: hostile });
  } finally {
    process.stderr.write = write;
  }
  expect(printed).toHaveLength(2);
  for (const line of printed) expect(line).toMatch(/^[\x20-\x7e]+\n$/);
  expect((JSON.parse(printed[1] ?? '') as { error: string }).error).toBe(hostile);
});

it('redacts every form of a secret, the longer of two first, also where marks had split it', () => {
  const secrets = ['abcdef-1234567', 'abcdef-1234567/and+more=='];
  const redactor = new Redactor();
  for (const secret of secrets) redactor.add(secret);
  for (const form of secrets.flatMap(formsOf)) expect(redactor.redact(`<${form}>`)).toBe('<[redacted]>');
  const errors = createPeerErrors({
    peer: 'plane',
    label: 'Plane',
    url: 'http://x',
    secrets: () => secrets,
    now: () => 0,
  });
  expect(errors.excerpt('key abcdef-\u200f1234567 of')).toBe('key [redacted] of');
});

it('makes a title one line, whatever ends a line', () => {
  expect(titleOf(' a\r\n\r\nOrch-Merge: ET-2/1\u2028b\u0085c\u000bd\u0000e ')).toBe('a Orch-Merge: ET-2/1 b c d e');
});

it('gives up on a folder below /proc, and makes those that can be', () => {
  expect(() => privateFolder('/proc/none/of/this')).toThrow(/ENOENT/);
  writeFileSync(path.join(folder, 'file'), '');
  expect(() => privateFolder(path.join(folder, 'file', 'below'))).toThrow();
  expect(existsSync(privateFolder(path.join(folder, 'a/b/c')))).toBe(true);
});

it('removes whatever an agent left, and nothing behind a link', () => {
  const [tree, outside] = [path.join(folder, 'tree'), path.join(folder, 'outside')];
  for (const made of [path.join(tree, 'closed/within'), outside]) mkdirSync(made, { recursive: true });
  writeFileSync(path.join(outside, 'kept'), '');
  writeFileSync(path.join(tree, 'closed/within/x'), '');
  symlinkSync(outside, path.join(tree, 'link'));
  writeFileSync(Buffer.concat([Buffer.from(`${tree}/`), Buffer.from([0xff, 0xfe])]), '');
  const deep =
    'n=0; while [ $n -lt 300 ]; do mkdir dddddddddddddddddddd && cd dddddddddddddddddddd || break; n=$((n+1)); done';
  execFileSync('sh', ['-c', deep], { cwd: tree });
  chmodSync(path.join(tree, 'closed/within'), 0);
  chmodSync(path.join(tree, 'closed'), 0);
  removeTree(tree);
  expect(existsSync(tree)).toBe(false);
  expect(existsSync(path.join(outside, 'kept'))).toBe(true);
});

it('removes no file because a server named it as a lock', async () => {
  const victim = path.join(folder, 'package.lock');
  writeFileSync(victim, '');
  utimesSync(victim, 0, 0);
  const hook = path.join(folder, 'upload-pack');
  const said = `remote: x\u2028Unable to create '${victim}': File exists`;
  writeFileSync(hook, `#!/bin/sh\nprintf '%s\\n' "${said}" >&2\nexit 1\n`, { mode: 0o755 });
  await expect(
    runGit({ args: ['ls-remote', '--upload-pack', hook, '--', folder], timeoutMs: 20_000 }),
  ).rejects.toMatchObject({ code: 'git_failed' });
  expect(existsSync(victim)).toBe(true);
});

test.skipIf(without)('does not say "not logged in" when the program is not there inside the sandbox', async () => {
  const bench = launcherBench();
  try {
    const program = path.join(bench.root, 'claude');
    writeFileSync(program, '#!/bin/sh\nexit 0\n', { mode: 0o755 });
    const launcher = bench.launcher(
      { command: [program], kind: 'claude', sandbox: 'bwrap' },
      { env: { PATH: process.env['PATH'] } },
    );
    expect(await launcher.loggedIn()).toBeNull();
  } finally {
    bench.remove();
  }
});

test('hides the sockets that lead out, and every credential folder', () => {
  const prefix = sandboxPrefix({
    workspace: folder,
    hide: waysOut,
    readPaths: [],
    writePaths: [],
  });
  expect(waysOut).toEqual(expect.arrayContaining(['/run/user', '/run/credentials', '/run/docker.sock']));
  expect(prefix.includes('/run/user')).toBe(existsSync('/run/user'));
  expect(prefix).toContain('--unshare-ipc');
});

test('an agent that prints more than 256 MB is stopped, and the run says why', { timeout: 120_000 }, async () => {
  const bench = launcherBench();
  try {
    const launcher = bench.launcher({ command: ['sh', '-c', 'head -c 300000000 /dev/zero; exec sleep 600'] });
    const spec = bench.spec();
    const { folder: run } = await launcher.prepare(spec);
    await launcher.start(spec, run);
    expect(await launcher.follow(run, patientHooks())).toBe('ended');
    expect(await launcher.outcome(run)).toMatchObject({ kind: 'own_fault', cause: 'output_limit' });
    expect(await launcher.alive(run)).toBe(false);
    expect(statSync(path.join(run, 'stdout.ndjson')).size).toBeLessThanOrEqual(256 * 1024 * 1024);
  } finally {
    bench.remove();
  }
});
