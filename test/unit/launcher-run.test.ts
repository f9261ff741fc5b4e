import { spawn } from 'node:child_process';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { AgentSettings, LauncherPort, RunOutcome, RunSpec } from '../../src/core/model/index.ts';
import { systemClock } from '../../src/core/platform/clock.ts';
import { isAlive, listProcesses, type ProcessInfo } from '../../src/core/platform/processes.ts';
import { Redactor } from '../../src/core/platform/redact.ts';
import { bubblewrap } from '../support/claude-cli.ts';
import type { LauncherBench } from '../support/launcher-bench.ts';
import { launcherBench, patientHooks, runningWith } from '../support/launcher-bench.ts';
import { until } from '../support/until.ts';

let bench: LauncherBench;
beforeEach(() => {
  bench = launcherBench();
});
afterEach(async () => {
  for (const pid of runningWith(path.basename(bench.root))) process.kill(pid, 'SIGKILL');
  await until('no process of the test is left', () => runningWith(path.basename(bench.root)).length === 0);
  bench.remove();
});

const agent = (script: string, overrides: Partial<AgentSettings> = {}): Partial<AgentSettings> => ({
  command: ['sh', '-c', script, 'agent', '{task}', '{branch}'],
  ...overrides,
});

async function begin(launcher: LauncherPort, overrides: Partial<RunSpec> = {}): Promise<string> {
  const spec = bench.spec(overrides);
  const { folder } = await launcher.prepare(spec);
  await launcher.start(spec, folder);
  return folder;
}

async function whole(
  launcher: LauncherPort,
  overrides: Partial<RunSpec> = {},
): Promise<{ folder: string; outcome: RunOutcome }> {
  const folder = await begin(launcher, overrides);
  expect(await launcher.follow(folder, patientHooks())).toBe('ended');
  return { folder, outcome: await launcher.outcome(folder) };
}

describe('a run from start to end', () => {
  it('gives the prompt on standard input and arguments untouched, and reads the result', async () => {
    const launcher = bench.launcher(
      agent(
        `cat > stdin.txt; printf '%s' "$2" > argument.txt; printf '{"status":"success","summary":"did it"}' > .orch/result.json; echo fine`,
      ),
    );
    const branch = '$(touch pwned); `touch pwned`; "{task}"';
    const { folder, outcome } = await whole(launcher, { branch });
    expect(outcome).toMatchObject({ kind: 'success', exitCode: 0, detail: 'fine', tail: 'fine' });
    expect(outcome.result).toEqual({ status: 'success', summary: 'did it', rolledBack: null });
    expect(readFileSync(path.join(bench.workspace, 'argument.txt'), 'utf8')).toBe(branch);
    expect(existsSync(path.join(bench.workspace, 'pwned'))).toBe(false);
    expect(readFileSync(path.join(bench.workspace, 'stdin.txt'), 'utf8')).toMatch(
      /You are the analyst[^]*Read \.orch\/task\.md/,
    );
    expect(await launcher.alive(folder)).toBe(false);
    expect(statSync(folder).mode & 0o777).toBe(0o700);
    expect(statSync(path.join(folder, 'stdout.ndjson')).mode & 0o777).toBe(0o600);
  });

  it.each([
    ['exit 3', 'own_fault', 'exit_status', 3],
    ['echo "HTTP 429" >&2; exit 1', 'transient', 'rate_limit', 1],
    ['echo "test timeout" >&2; exit 1', 'own_fault', 'exit_status', 1],
    ['exec /does/not/exist', 'own_fault', 'not_startable', 127],
    ['kill -9 $$', 'interrupted', 'signal', 137],
  ])('%s is %s (%s)', async (script, kind, cause, exitCode) => {
    const { outcome } = await whole(bench.launcher(agent(script)));
    expect(outcome).toMatchObject({ kind, cause, exitCode });
  });

  it.each(['--settings={"hooks":{}}', '-r', '../../session'])('never resumes a session called %s', async (session) => {
    const spec = bench.spec({ resumeSession: session });
    const { folder } = await bench.launcher({ command: ['true'], kind: 'claude' }).prepare(spec);
    const { argv } = JSON.parse(readFileSync(path.join(folder, 'run.json'), 'utf8')) as { argv: string[] };
    expect(argv).not.toContain(session);
    expect(argv.at(-2)).toBe('--session-id');
    expect(readFileSync(path.join(folder, 'prompt.md'), 'utf8')).not.toContain('interrupted');
  });

  it('counts a Retry-After from the end of the run', async () => {
    const { folder, outcome } = await whole(bench.launcher(agent('echo "HTTP 503, Retry-After: 42"; exit 1')));
    const ended = Number(readFileSync(path.join(folder, 'exit'), 'utf8').split(' ')[1]);
    expect(outcome.resetAt).toBe((ended + 42) * 1000);
  });

  it('judges a check by its exit status alone', async () => {
    const launcher = bench.launcher({});
    const command = ['sh', '-c', 'echo "rate limit 429"; exit 2'];
    expect((await whole(launcher, { kind: 'check', command })).outcome).toMatchObject({
      kind: 'own_fault',
      exitCode: 2,
      tail: 'rate limit 429',
    });
    expect((await whole(launcher, { kind: 'check', command: ['true'] })).outcome.kind).toBe('success');
  });

  it('says what cannot be started, and starts a folder once', async () => {
    const spec = bench.spec();
    const missing = bench.launcher({ command: ['/does/not/exist'] });
    const { folder } = await missing.prepare(spec);
    await expect(missing.start(spec, folder)).rejects.toThrow('"/does/not/exist" is no executable file');
    expect(await missing.alive(folder)).toBe(false);
    const good = bench.launcher(agent('true'));
    const done = await whole(good);
    await expect(good.start(bench.spec(), done.folder)).rejects.toThrow('used before');
  });

  it('redacts secrets in what is kept', async () => {
    const redactor = new Redactor();
    redactor.add('s3cr3t-token');
    const launcher = bench.launcher(
      agent(`echo s3cr3t-token; printf '{"status":"failed","summary":"s3cr3t-token"}' > .orch/result.json`),
      { redactor },
    );
    const { outcome } = await whole(launcher);
    expect(JSON.stringify(outcome)).not.toContain('s3cr3t');
    expect(outcome.tail).toBe('[redacted]');
  });

  it('gives the same outcome again when the workspace has changed', async () => {
    const launcher = bench.launcher(agent(`printf '{"status":"nothing_to_do"}' > .orch/result.json`));
    const { folder, outcome } = await whole(launcher);
    await launcher.prepare(bench.spec());
    expect(existsSync(path.join(bench.workspace, '.orch/result.json'))).toBe(false);
    expect(await bench.launcher({}).outcome(folder)).toEqual(outcome);
  });
});

describe('clocks and requests', () => {
  it('enforces the wall clock with nobody following', async () => {
    const launcher = bench.launcher(agent('trap "" TERM; while :; do sleep 1; done'));
    const folder = await begin(launcher, { timeoutMs: 1_000 });
    await until('the supervisor to end the run', () => existsSync(path.join(folder, 'exit')));
    await until('nothing is left', async () => !(await launcher.alive(folder)));
    expect(await launcher.outcome(folder)).toMatchObject({ kind: 'timeout', cause: 'wall_clock', exitCode: -9 });
  });

  const stream = (lines: unknown[], rest: string): string =>
    `${lines.map((line) => `printf '%s\\n' '${JSON.stringify(line)}'`).join('; ')}; ${rest}`;
  const claude = (script: string, overrides: Partial<AgentSettings>): Partial<AgentSettings> => ({
    command: ['sh', '-c', script, 'claude'],
    kind: 'claude',
    ...overrides,
  });
  const result = {
    type: 'result',
    subtype: 'success',
    is_error: false,
    result: 'ok',
    total_cost_usd: 0.25,
    session_id: 's-1',
    num_turns: 3,
  };

  it('ends a silent streaming agent', async () => {
    const launcher = bench.launcher(claude(stream([{ type: 'system' }], 'exec sleep 100'), { idleMs: 600 }));
    const { outcome } = await whole(launcher);
    expect(outcome).toMatchObject({ kind: 'timeout', cause: 'idle', exitCode: -9 });
  });

  it('sees the end of a run without its poll', async () => {
    // Pauses of the follower end only when something wakes it.
    const sleep = (ms: number, signal?: AbortSignal): Promise<void> =>
      systemClock.sleep(signal === undefined ? ms : 300_000, signal);
    const launcher = bench.launcher(agent(`while [ ! -e go ]; do sleep 0.05; done`), {
      clock: { ...systemClock, sleep },
    });
    const folder = await begin(launcher);
    let following: Promise<string> | undefined;
    const beaten = new Promise<void>((resolve) => {
      const beat = (): Promise<'go'> => (resolve(), Promise.resolve('go'));
      following = launcher.follow(folder, patientHooks({ beat }));
    });
    await beaten;
    writeFileSync(path.join(bench.workspace, 'go'), '');
    expect(await following).toBe('ended');
  });

  it('ends an agent that hangs after its result, as a success, also when adopted after the result', async () => {
    const launcher = bench.launcher(claude(stream([result], 'exec sleep 100'), { graceMs: 700 }));
    const folder = await begin(launcher);
    const stop = new AbortController();
    const first = launcher.follow(folder, patientHooks({ signal: stop.signal }));
    await until('the result to be seen', () => existsSync(path.join(folder, 'offset')));
    stop.abort();
    expect(await first).toBe('detached');
    expect(await launcher.alive(folder)).toBe(true);
    expect(readFileSync(path.join(folder, 'offset'), 'utf8')).toContain('result');
    expect(await bench.launcher({}).follow(folder, patientHooks())).toBe('ended');
    expect(await launcher.outcome(folder)).toMatchObject({
      kind: 'success',
      costMicros: 250_000,
      sessionId: 's-1',
      turns: 3,
    });
    expect(readFileSync(path.join(folder, 'stop.json'), 'utf8')).toContain('"grace"');
  });

  it('stops when asked to, and leaves the tree alone when the lease is lost', async () => {
    const launcher = bench.launcher(agent('exec sleep 100'));
    const folder = await begin(launcher);
    expect(await launcher.follow(folder, patientHooks({ beat: () => Promise.resolve('lost') }))).toBe('lost');
    expect(await launcher.alive(folder)).toBe(true);
    expect(await launcher.follow(folder, patientHooks({ beat: () => Promise.resolve('cancel') }))).toBe('ended');
    expect(await launcher.alive(folder)).toBe(false);
    expect(await launcher.outcome(folder)).toMatchObject({ kind: 'cancelled', exitCode: -9 });
  });

  it('goes on when a heartbeat fails', async () => {
    const launcher = bench.launcher(agent('sleep 0.5'));
    const folder = await begin(launcher);
    expect(await launcher.follow(folder, patientHooks({ beat: () => Promise.reject(new Error('locked')) }))).toBe(
      'ended',
    );
    expect((await launcher.outcome(folder)).kind).toBe('success');
  });
});

describe('nothing is left behind', () => {
  const escapes = (mark: string): string => `
    setsid sleep ${mark}1 &
    nohup sleep ${mark}2 >/dev/null 2>&1 &
    setsid env -i ${'$(command -v sleep)'} ${mark}3 &
    ( trap '' TERM; setsid sh -c 'while :; do sleep ${mark}4; done' & )
  `;

  it('kills setsid, nohup and env -i grandchildren, and nobody else', async () => {
    const mark = `${process.pid}7`;
    const bystander = spawn('sleep', [`${mark}9`], { cwd: bench.workspace, stdio: 'ignore' });
    try {
      const launcher = bench.launcher(agent(`${escapes(mark)} sleep ${mark}5`));
      const folder = await begin(launcher);
      await until('all five to run', () => [1, 2, 3, 4, 5].every((n) => runningWith(`sleep\0${mark}${n}`).length > 0));
      expect(await launcher.kill(folder, 'cancel')).toEqual({ left: 0 });
      expect([1, 2, 3, 4, 5].flatMap((n) => runningWith(`sleep\0${mark}${n}`))).toEqual([]);
      expect(runningWith(`sleep\0${mark}9`)).toEqual([bystander.pid]);
      expect(await launcher.alive(folder)).toBe(false);
    } finally {
      bystander.kill('SIGKILL');
    }
  });

  it('sweeps what an agent left running when it ended', async () => {
    const mark = `${process.pid}8`;
    const launcher = bench.launcher(agent(`${escapes(mark)} exit 0`));
    const { outcome } = await whole(launcher);
    expect(outcome.kind).toBe('success');
    expect(runningWith(`sleep\0${mark}`)).toEqual([]);
  });

  it('ends the agent when the supervisor is killed', async () => {
    const launcher = bench.launcher(agent('exec sleep 100'));
    const spec = bench.spec();
    const { folder } = await launcher.prepare(spec);
    const supervisor = await launcher.start(spec, folder);
    process.kill(supervisor.pid, 'SIGKILL');
    await until('the supervisor to be gone', () => !isAlive(supervisor));
    expect(await launcher.follow(folder, patientHooks())).toBe('ended');
    expect(await launcher.alive(folder)).toBe(false);
    expect((await launcher.outcome(folder)).kind).toBe('interrupted');
  });

  it('ends the agent with nobody following when only the supervisor dies', async () => {
    const launcher = bench.launcher(agent('exec sleep 100'));
    const spec = bench.spec();
    const { folder } = await launcher.prepare(spec);
    process.kill((await launcher.start(spec, folder)).pid, 'SIGKILL');
    await until('the agent to end', async () => !(await launcher.alive(folder)));
  });

  it('leaves nothing behind, whenever in its start the supervisor dies', async () => {
    const launcher = bench.launcher(agent('exec sleep 100'));
    const folders = await Promise.all(
      Array.from({ length: 40 }, async (_, ms) => {
        const spec = bench.spec();
        const { folder } = await launcher.prepare(spec);
        const starting = launcher.start(spec, folder).catch(() => {});
        await until('its pid', () => existsSync(path.join(folder, 'pid')), 30_000, 1);
        await sleep(ms % 20);
        process.kill(Number(readFileSync(path.join(folder, 'pid'), 'utf8').split(' ')[0]), 'SIGKILL');
        await starting;
        return folder;
      }),
    );
    for (const folder of folders) await until('the run to end', async () => !(await launcher.alive(folder)));
  }, 60_000);

  /** The two timers of a run: shells of the supervisor's session that wait in a sleep. */
  const timersOf = (supervisor: number): ProcessInfo[] => {
    const table = listProcesses().filter((info) => info.session === supervisor);
    const sleeping = new Set(table.filter((info) => info.name === 'sleep').map((info) => info.ppid));
    return table.filter((info) => info.ppid === supervisor && sleeping.has(info.pid));
  };

  it.each([
    ['one of its timers is', 1, false],
    ['all of its timers are', 2, true],
  ])('ends at its time limit when %s killed', async (_name, killed, followed) => {
    const launcher = bench.launcher(agent('trap "" TERM; while :; do sleep 1; done'));
    const spec = bench.spec({ timeoutMs: 2_000 });
    const { folder } = await launcher.prepare(spec);
    const { pid } = await launcher.start(spec, folder);
    await until('the timers', () => timersOf(pid).length === 2);
    for (const timer of timersOf(pid).slice(0, killed)) process.kill(timer.pid, 'SIGKILL');
    if (followed) expect(await launcher.follow(folder, patientHooks())).toBe('ended');
    await until('nothing is left', async () => !(await launcher.alive(folder)));
    expect(await launcher.outcome(folder)).toMatchObject({ kind: 'timeout', cause: 'wall_clock' });
  });

  it('ends an agent that prints too much at once, with nobody following, and the limit is exact', async () => {
    const launcher = bench.launcher(agent('trap "" TERM PIPE; while :; do echo yes yes yes yes; done'), {
      maxOutputBytes: 100_000,
    });
    const folder = await begin(launcher);
    await until('the run to end', () => existsSync(path.join(folder, 'exit')));
    expect(statSync(path.join(folder, 'stdout.ndjson')).size).toBe(100_000);
    expect(await launcher.outcome(folder)).toMatchObject({ kind: 'own_fault', cause: 'output_limit' });
  });

  it('keeps what an agent printed, also when it opens its output again to empty it', async () => {
    const script = 'echo first; : > /proc/self/fd/1; truncate -s 0 /proc/self/fd/1 2>/dev/null; echo last';
    const { folder, outcome } = await whole(bench.launcher(agent(script)));
    expect(readFileSync(path.join(folder, 'stdout.ndjson'), 'utf8')).toBe('first\nlast\n');
    expect(outcome.detail).toBe('last');
    expect(readdirSync(folder)).not.toEqual(expect.arrayContaining(['out', 'err', 'out.over', 'err.over']));
  });

  it('is not impressed by TERM, INT and HUP sent to the supervisor', async () => {
    const launcher = bench.launcher(agent('while [ ! -e go ]; do sleep 0.1; done; exit 4'));
    const spec = bench.spec();
    const { folder } = await launcher.prepare(spec);
    const supervisor = await launcher.start(spec, folder);
    await until('the agent to run', () => existsSync(path.join(folder, 'agent')));
    for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.kill(supervisor.pid, signal);
    writeFileSync(path.join(bench.workspace, 'go'), '');
    await launcher.follow(folder, patientHooks());
    expect((await launcher.outcome(folder)).exitCode).toBe(4);
  });
});

describe('hostile workspaces', () => {
  it('never follows a planted .orch, before the run or after it', async () => {
    const outside = path.join(bench.root, 'outside');
    mkdirSync(outside);
    writeFileSync(path.join(outside, 'result.json'), '{"status":"success","summary":"planted"}');
    symlinkSync(outside, path.join(bench.workspace, '.orch'));
    const launcher = bench.launcher(agent(`rm -rf .orch && ln -s "${outside}" .orch`));
    const { outcome } = await whole(launcher);
    expect(existsSync(path.join(outside, 'task.md'))).toBe(false);
    expect(outcome.result).toBeNull();
    await launcher.prepare(bench.spec());
    expect(lstatSync(path.join(bench.workspace, '.orch')).isDirectory()).toBe(true);
    expect(existsSync(path.join(outside, 'result.json'))).toBe(true);
  });

  it.each([
    ['a link', 'echo "{\\"status\\":\\"success\\"}" > other; ln -s ../other .orch/result.json'],
    ['a pipe', 'mkfifo .orch/result.json'],
    [
      'too long',
      `{ printf '{"status":"success","summary":"'; head -c 70000 /dev/zero | tr '\\0' x; printf '"}'; } > .orch/result.json`,
    ],
    ['another status', 'echo "{\\"status\\":\\"merged\\"}" > .orch/result.json'],
  ])('takes no result.json that is %s', async (_what, script) => {
    const { outcome } = await whole(bench.launcher(agent(script)));
    expect(outcome.result).toBeNull();
    expect(outcome.resultTrouble).toMatch(/^it(s status)? is /);
  });
});

describe('isolation', () => {
  const secrets = {
    ORCH_GITEA_TOKEN: 'x',
    ANTHROPIC_API_KEY: 'k',
    AWS_SECRET: 'y',
    CLAUDECODE: '1',
    HTTPS_PROXY: 'http://p',
    DEPLOY_HOST: 'h',
  };

  it('gives the agent an allow-list of variables', async () => {
    const launcher = bench.launcher(agent('env > env.txt', { env: ['DEPLOY_HOST', 'ORCH_GITEA_TOKEN'] }), {
      env: { ...secrets, PATH: process.env['PATH'], HOME: '/home/x', LC_ALL: 'C' },
    });
    const { folder } = await whole(launcher);
    const lines = readFileSync(path.join(bench.workspace, 'env.txt'), 'utf8').trim().split('\n');
    const names = lines.map((line) => line.split('=')[0]);
    for (const name of Object.keys(secrets)) expect(names.includes(name)).toBe(name === 'DEPLOY_HOST');
    expect(lines).toEqual(
      expect.arrayContaining([
        'HOME=/home/x',
        'LC_ALL=C',
        'TERM=dumb',
        'GIT_AUTHOR_EMAIL=orch@example.org',
        'GIT_COMMITTER_NAME=orch',
        'GIT_TERMINAL_PROMPT=0',
        'ORCH_ROLE=analyst',
        'ORCH_TASK=ET-012',
        `TMPDIR=${path.join(folder, 'tmp')}`,
      ]),
    );
  });

  it("gives the agent's git a configuration of orch's making, not the service user's, and what is added", async () => {
    const home = path.join(bench.root, 'home');
    mkdirSync(path.join(home, 'hooks'), { recursive: true });
    mkdirSync(path.join(home, '.config', 'git'), { recursive: true });
    const hook = path.join(home, 'hooks', 'pre-commit');
    writeFileSync(hook, `#!/bin/sh\ntouch ${path.join(bench.root, 'sprung')}\n`, { mode: 0o755 });
    const own = [
      '[user] name = Person',
      '[core] autocrlf = true',
      `hooksPath = ${path.dirname(hook)}`,
      '[commit] gpgSign = true',
    ];
    writeFileSync(path.join(home, '.gitconfig'), own.join('\n'));
    writeFileSync(path.join(home, '.config', 'git', 'ignore'), '.env\n');
    const script = `
      git init -q . && printf 'a\\r\\n' > crlf.txt && echo secret > .env && git add -A && git commit -q -m one || exit 1
      git log -1 --format=%an > name.txt; git ls-files > files.txt; git cat-file -s HEAD:crlf.txt > size.txt
      git config --get-all url.https://a.b/.insteadOf > added.txt`;
    const launcher = bench.launcher(agent(script, { gitConfig: { 'url.https://a.b/.insteadOf': 'x "y" \\z' } }), {
      env: { PATH: process.env['PATH'], HOME: home },
    });
    const { outcome } = await whole(launcher);
    expect(outcome).toMatchObject({ kind: 'success' });
    const read = (name: string): string => readFileSync(path.join(bench.workspace, name), 'utf8').trim();
    expect([read('name.txt'), read('size.txt'), read('added.txt')]).toEqual(['orch', '3', 'x "y" \\z']);
    expect(read('files.txt').split('\n')).toEqual(expect.arrayContaining(['.env', 'crlf.txt']));
    expect(existsSync(path.join(bench.root, 'sprung'))).toBe(false);
  });

  const sandbox = bubblewrap();
  if ('missing' in sandbox) process.stderr.write(`skipped: sandbox tests (${sandbox.missing})\n`);
  describe.skipIf('missing' in sandbox)('in bubblewrap', () => {
    it('shows the workspace and a private /tmp, and neither state nor secrets', async () => {
      const secret = path.join(bench.root, 'state', 'secret');
      const token = path.join(bench.root, 'token');
      const key = path.join(bench.root, 'state', 'deploy-key');
      for (const file of [secret, token, key]) writeFileSync(file, 'hidden');
      const script = `
        for f in "${secret}" "${token}" "${bench.runsDir}"/*/run.json; do [ -s "$f" ] && echo "sees $f"; done
        [ -s "${key}" ] || echo "no key"
        touch /usr/x 2>/dev/null && echo "writes the system"
        echo t > "$TMPDIR/t" && echo u > /tmp/u || echo "no temporary folder"
        [ "$(ls -d /proc/[0-9]* | wc -l)" -lt 10 ] || echo "sees processes"
        kill -0 ${process.pid} 2>/dev/null && echo "reaches processes"
        echo mine > made.txt
        echo end`;
      const launcher = bench.launcher(agent(script, { sandbox: 'bwrap', readPaths: [key] }), {
        hide: [path.join(bench.root, 'state'), token],
      });
      const { outcome } = await whole(launcher);
      expect(outcome).toMatchObject({ kind: 'success', tail: 'end' });
      expect(readFileSync(path.join(bench.workspace, 'made.txt'), 'utf8')).toBe('mine\n');
      expect(existsSync('/tmp/u')).toBe(false);
    });

    it.each(['home', 'CLAUDE_CONFIG_DIR'])(
      'keeps Claude its sessions, and carries no orders to the next run (%s)',
      async (place) => {
        const home = path.join(bench.root, 'home');
        const config = place === 'home' ? path.join(home, '.claude') : path.join(bench.root, 'config');
        const state = place === 'home' ? path.join(home, '.claude.json') : path.join(config, '.claude.json');
        for (const folder of [path.join(config, 'skills'), home]) mkdirSync(folder, { recursive: true });
        writeFileSync(path.join(config, 'CLAUDE.md'), 'by the user');
        writeFileSync(path.join(config, '.credentials.json'), 'login');
        writeFileSync(state, '{"userID":"u","mcpServers":{"mine":{}}}');
        const plant = `cat "${state}" > seen; cat "${config}/.credentials.json" "${config}/CLAUDE.md" >> seen
        cd "${config}"; mkdir -p projects/-w; echo s > projects/-w/s.jsonl
        for f in remote-settings.json settings.json CLAUDE.md skills/x hooks/x plugins/x; do mkdir -p "$(dirname $f)"; echo x > $f; done 2>/dev/null
        echo '{"mcpServers":{"evil":{}}}' > "${state}"; :`;
        const look = `cat "${state}" > seen; cd "${config}"; find . -type f | sort >> "$OLDPWD/seen"`;
        const env = {
          PATH: process.env['PATH'],
          HOME: home,
          ...(place === 'home' ? {} : { CLAUDE_CONFIG_DIR: config }),
        };
        const run = async (script: string): Promise<string> => {
          const command = ['sh', '-c', script, 'claude'];
          await whole(bench.launcher({ command, kind: 'claude', sandbox: 'bwrap' }, { env }));
          return readFileSync(path.join(bench.workspace, 'seen'), 'utf8');
        };
        expect(await run(plant)).toBe('{"userID":"u"}\nloginby the user');
        const later = await run(look);
        expect(later).toContain('./projects/-w/s.jsonl');
        expect(later).not.toMatch(/evil|remote-settings|settings\.json|skills|hooks|plugins/);
        const left = readdirSync(config).filter((name) => name !== '.claude.json');
        expect(left.toSorted()).toEqual(['.credentials.json', 'CLAUDE.md', 'skills']);
        expect(readFileSync(state, 'utf8')).toBe('{"userID":"u","mcpServers":{"mine":{}}}');
        expect(readFileSync(path.join(config, 'CLAUDE.md'), 'utf8')).toBe('by the user');
      },
    );

    it('kills a daemon that left session, environment and folder', async () => {
      const mark = `${process.pid}6`;
      const launcher = bench.launcher(
        agent(`(cd / && setsid env -i /bin/sleep ${mark} &) ; sleep ${mark}0`, { sandbox: 'bwrap' }),
      );
      const folder = await begin(launcher);
      await until('both to run', () => runningWith(`sleep\0${mark}`).length >= 2);
      expect(await launcher.kill(folder, 'cancel')).toEqual({ left: 0 });
      expect(runningWith(`sleep\0${mark}`)).toEqual([]);
    });

    it('enforces the wall clock and passes exit statuses', async () => {
      const slow = bench.launcher(agent('exec sleep 100', { sandbox: 'bwrap' }));
      const folder = await begin(slow, { timeoutMs: 1_000 });
      await until('the run to end', async () => existsSync(path.join(folder, 'exit')) && !(await slow.alive(folder)));
      expect((await slow.outcome(folder)).kind).toBe('timeout');
      expect((await whole(bench.launcher(agent('exit 7', { sandbox: 'bwrap' })))).outcome.exitCode).toBe(7);
    });
  });

  it('says so when the sandbox is asked for and missing, and falls back with one warning when it is not', async () => {
    const warnings: string[] = [];
    const log = { debug: () => {}, info: () => {}, error: () => {}, warn: (message: string) => warnings.push(message) };
    const env = { PATH: path.join(bench.root, 'empty') };
    await expect(bench.launcher({ sandbox: 'bwrap' }, { env }).prepare(bench.spec())).rejects.toThrow(
      'bwrap is not installed',
    );
    const launcher = bench.launcher({ sandbox: 'auto' }, { env, log });
    await launcher.prepare(bench.spec());
    await launcher.prepare(bench.spec());
    expect(warnings).toHaveLength(1);
  });
});
