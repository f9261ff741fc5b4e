import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const root = path.resolve(import.meta.dirname, '../..');
const bin = path.join(root, 'bin/orch.js');
let folder: string;

beforeAll(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'orch-cli-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** The built program, in an empty folder and with nothing of the caller's environment that orch reads. */
function orch(args: string[], env: NodeJS.ProcessEnv = {}) {
  return spawnSync(process.execPath, [bin, ...args], {
    cwd: folder,
    encoding: 'utf8',
    env: { PATH: process.env['PATH'], HOME: folder, LANG: 'C.UTF-8', ...env },
  });
}

describe('help', () => {
  it('is printed without arguments, with exit 0', () => {
    const bare = orch([]);
    expect(bare.status).toBe(0);
    expect(bare.stderr).toBe('');
    expect(bare.stdout).toContain('Usage: orch');
    expect(bare.stdout).toMatch(/Set up:\n(?: {2}.*\n)* {2}config .*show and check/);
    expect(orch(['--help']).stdout).toBe(bare.stdout);
    expect(orch(['help']).stdout).toBe(bare.stdout);
  });

  it('has pages about exit codes and the environment, also as JSON', () => {
    expect(orch(['help', 'exit-codes']).stdout).toContain('75\t');
    expect(orch(['help', 'environment']).stdout).toContain('ORCH_WORKER_MAX_CONCURRENCY\tworker.maxConcurrency\n');
    const { stdout } = orch(['help', 'exit-codes', '--json']);
    expect(JSON.parse(stdout)).toMatchObject({ schema_version: 1, exit_codes: expect.any(Array) as unknown });
    expect(orch(['help', 'config', 'show']).stdout).toContain('Usage: orch config show');
    expect(orch(['help', 'nothing']).status).toBe(2);
  });

  it('of a command shows examples', () => {
    expect(orch(['config', '--help']).stdout).toContain('$ orch config check');
  });
});

describe('usage errors', () => {
  it.each([
    [['--bogus'], "unknown option '--bogus'", 'orch help'],
    [['confg'], "unknown command 'confg'", 'Did you mean config?'],
    [['config', 'shw'], "unknown command 'shw'", 'Did you mean show?'],
    [['config', 'check', '--wat'], "unknown option '--wat'", 'orch help config'],
    [['completion', 'tcsh'], "command-argument value 'tcsh' is invalid", 'orch help completion'],
    [['why', 'ET-1', '-n', '1.5'], 'a whole number from 1 to 100000', 'orch help why'],
    [['why', 'ET-1', '-n', '99999999999'], 'a whole number from 1 to 100000', 'orch help why'],
    [['why', 'ET-1', '-n', ''], 'a whole number', 'orch help why'],
    [['run-worker', '--concurrency', '0'], 'a whole number from 1 to 64', 'orch help run-worker'],
    [['status', '--interval', '0'], 'a number of seconds from 0.2 to 3600', 'orch help status'],
    [['enqueue', 'developer', '--wait', '1e300'], 'a number of minutes from 0 to 100000', 'orch help enqueue'],
    [['completion'], "missing required argument 'shell'", 'orch help completion'],
  ])('%j exits with 2', (args, message, hint) => {
    const { status, stdout, stderr } = orch(args);
    expect(status).toBe(2);
    expect(stdout).toBe('');
    expect(stderr).toMatch(/^error: /);
    expect(stderr).toContain(message);
    expect(stderr.split('\n')[1]).toContain(hint);
  });

  it('are one line of JSON under --json', () => {
    const { status, stdout, stderr } = orch(['config', 'check', '--json', '--wat']);
    expect(status).toBe(2);
    expect(stdout).toBe('');
    expect(JSON.parse(stderr)).toEqual({
      error: { code: 'usage', message: "unknown option '--wat'", hint: 'Run `orch help config`.' },
    });
  });

  it.each(['constructor', '__proto__', 'toString'])('help %s is about nothing', (word) => {
    const { status, stderr } = orch(['help', word]);
    expect([status, stderr.split('\n')[0]]).toEqual([2, `error: there is no help about "${word}"`]);
  });

  it('escape what the user typed', () => {
    expect(orch(['\u001b[2J']).stderr).toContain('\\x1b[2J');
  });
});

describe('config', () => {
  it('check accepts the example of the package', () => {
    const { status, stdout, stderr } = orch([
      'config',
      'check',
      '--config',
      path.join(root, 'orchestrator.config.json'),
    ]);
    expect(stderr).toBe('');
    expect(status).toBe(0);
    expect(stdout).toBe(`✓ ${path.join(root, 'orchestrator.config.json')}: no mistakes, one project\n`);
  });

  it('check prints three mistakes at once and exits with 6', () => {
    const file = path.join(folder, 'bad.json');
    writeFileSync(file, JSON.stringify({ language: 'xx', worker: { attempts: 0 }, telegramm: {} }));
    const { status, stdout, stderr } = orch(['config', 'check', '--config', 'bad.json']);
    expect(status).toBe(6);
    expect(stdout).toBe('');
    expect(stderr.split('\n')).toEqual([
      `error: the configuration has 3 mistakes (${file}):`,
      '  language: must be one of en, ru',
      '  worker.attempts: must be at least 1',
      '  telegramm: unknown key; did you mean "telegram"?',
      'hint: Correct them, then run `orch config check`; docs/configuration.md lists every key.',
      '',
    ]);
    const json = orch(['--json', '--config', 'bad.json', 'config', 'check']);
    expect(json.status).toBe(6);
    expect(json.stdout).toBe('');
    expect(JSON.parse(json.stderr)).toMatchObject({ error: { code: 'config_invalid' } });
  });

  it('show tells where a value came from, piped and as JSON', () => {
    const env = { ORCH_MAX_CONCURRENCY: '3', ORCH_TYPO: 'x', ORCH_PLANE_API_TOKEN: 'hunter2hunter2' };
    const { stdout, stderr } = orch(['config', 'show', '--origin'], env);
    expect(stdout).toContain('worker.maxConcurrency\t3\tORCH_MAX_CONCURRENCY\n');
    expect(stdout).toContain('worker.attempts\t2\tdefault\n');
    expect(stderr).toContain('warning: the variable ORCH_TYPO means nothing to orch');
    expect(stdout + stderr).not.toContain('hunter2');
    const document = JSON.parse(orch(['config', 'show', '--json'], env).stdout) as Record<string, unknown>;
    expect(document).toMatchObject({
      schema_version: 1,
      file: null,
      settings: { worker: { maxConcurrency: 3 } },
      origins: { 'worker.maxConcurrency': 'ORCH_MAX_CONCURRENCY' },
    });
  });

  it('schema is JSON', () => {
    expect(JSON.parse(orch(['config', 'schema']).stdout)).toMatchObject({
      type: 'object',
      additionalProperties: false,
    });
  });
});

describe('streams', () => {
  it('FORCE_COLOR colours errors, NO_COLOR and --no-color win over it', () => {
    expect(orch(['--bogus'], { FORCE_COLOR: '1' }).stderr).toContain('\u001b[31merror:');
    expect(orch(['--bogus'], { FORCE_COLOR: '1', NO_COLOR: '1' }).stderr).not.toContain('\u001b');
    expect(orch(['--bogus', '--no-color'], { FORCE_COLOR: '1' }).stderr).not.toContain('\u001b');
    expect(orch(['--help', '--no-color'], { FORCE_COLOR: '1' }).stdout).not.toContain('\u001b');
  });

  it('a reader that goes away early is no error', async () => {
    const child = spawn(process.execPath, [bin, 'config', 'schema'], {
      cwd: folder,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    // The pipe has no reader before the first byte is written.
    child.stdout.destroy();
    let stderr = '';
    child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
    const status = await new Promise((resolve) => child.on('close', resolve));
    expect(stderr).toBe('');
    expect(status).toBe(0);
  });
});

describe('completion', () => {
  it('of bash offers commands, subcommands and choices', () => {
    const script = path.join(folder, 'orch.bash');
    writeFileSync(script, orch(['completion', 'bash']).stdout);
    const complete = (...words: string[]): string[] => {
      const result = spawnSync(
        'bash',
        [
          '-c',
          'source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _orch; printf "%s\\n" "${COMPREPLY[@]}"',
          '-',
          script,
          'orch',
          ...words,
        ],
        { encoding: 'utf8' },
      );
      expect(result.stderr).toBe('');
      return result.stdout.trim().split('\n');
    };
    expect(complete('comp')).toEqual(['completion']);
    expect(complete('config', 's')).toEqual(['show', 'schema']);
    expect(complete('--json', 'config', 'show', '--o')).toEqual(['--origin']);
    expect(complete('completion', '')).toEqual(expect.arrayContaining(['bash', 'zsh', 'fish', '--json']));
  });

  it('of zsh and fish name every command', () => {
    expect(orch(['completion', 'zsh']).stdout).toMatch(/^#compdef orch\n/);
    expect(orch(['completion', 'fish']).stdout).toContain("-a 'config'");
    expect(JSON.parse(orch(['completion', 'fish', '--json']).stdout)).toMatchObject({
      schema_version: 1,
      shell: 'fish',
    });
  });
});
