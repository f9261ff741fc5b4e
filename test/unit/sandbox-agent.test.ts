import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { demoScript, writeAgentScript } from '../../src/sandbox/agent/script.ts';
import type { AgentCall, AgentScript } from '../../src/sandbox/agent/script.ts';
import { builtProgram } from '../support/build.ts';
import { until } from '../support/until.ts';

const agent = builtProgram('src/sandbox/agent/scripted-agent.ts');
const docs = 'docs/work-items/ET-012';
let folder: string;
let workspace: string;

beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'orch-agent-'));
  workspace = path.join(folder, 'workspace');
  mkdirSync(path.join(workspace, '.orch'), { recursive: true });
  writeFileSync(
    path.join(workspace, '.orch', 'task.md'),
    '# Orders\n\nWork item: ET-012\nTitle: Count things\nRole: reviewer\nStage: review\n',
  );
  git('init', '-q', '-b', 'main');
  git('-c', 'user.name=a', '-c', 'user.email=a@example.org', 'commit', '-q', '--allow-empty', '-m', 'base');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function git(...args: string[]): string {
  return execFileSync('git', args, { cwd: workspace, encoding: 'utf8' }).trim();
}

interface Ran {
  status: number | null;
  signal: NodeJS.Signals | null;
  events: Record<string, unknown>[];
  lines: string[];
}

function environment(role: string | null, script?: AgentScript): NodeJS.ProcessEnv {
  const { PATH, HOME } = process.env;
  const identity = {
    GIT_AUTHOR_NAME: 'a',
    GIT_AUTHOR_EMAIL: 'a@example.org',
    GIT_COMMITTER_NAME: 'a',
    GIT_COMMITTER_EMAIL: 'a@example.org',
  };
  return {
    PATH,
    HOME,
    ...identity,
    ...(role === null ? {} : { ORCH_ROLE: role, ORCH_TASK: 'ET-012' }),
    ...(script === undefined ? {} : { ORCH_AGENT_SCRIPT: writeAgentScript(path.join(folder, 'script'), script) }),
  };
}

function run(role: string | null, script?: AgentScript, args: string[] = []): Ran {
  const ran = spawnSync(process.execPath, [agent, ...args], {
    cwd: workspace,
    env: environment(role, script),
    encoding: 'utf8',
    timeout: 20_000,
  });
  const lines = ran.stdout.split('\n').filter((line) => line !== '');
  const events = lines
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  return { status: ran.status, signal: ran.signal, events, lines };
}

const read = (name: string): string => readFileSync(path.join(workspace, name), 'utf8');
const frontMatter = (name: string): unknown => parse(read(name).split('---')[1] ?? '');
const result = (): unknown => JSON.parse(read('.orch/result.json'));
const call = (name: string): AgentCall =>
  JSON.parse(readFileSync(path.join(folder, 'script', 'calls', name), 'utf8')) as AgentCall;

describe('without a script', () => {
  test.each([
    [
      'analyst',
      [`${docs}/01-brd.md`, `${docs}/02-trz.md`, `${docs}/03-acceptance-criteria.md`, `${docs}/04-test-plan.yaml`],
    ],
    ['architect', [`${docs}/06-adr/0001-own-module.md`]],
    ['developer', ['src/et-012.js', 'test/et-012.test.js']],
    ['reviewer', [`${docs}/12-review.md`]],
    ['tester', [`${docs}/13-test-report.md`]],
    ['deployer', []],
  ])('the %s leaves what the stage asks for and a result', (role, files) => {
    const ran = run(role);
    expect(ran.status).toBe(0);
    for (const file of files) expect(read(file).length).toBeGreaterThan(20);
    expect(
      git('status', '--porcelain', '-uall')
        .split('\n')
        .filter((line) => !line.includes('.orch/') && line !== ''),
    ).toHaveLength(files.length);
    expect(result()).toMatchObject({ status: 'success' });
    expect(ran.events.map((event) => event['type'])).toEqual(['system', 'assistant', 'result']);
    expect(ran.events.at(-1)).toMatchObject({
      subtype: 'success',
      is_error: false,
      session_id: ran.events[0]?.['session_id'],
    });
  });

  test('verdict and report name the head, the deployer says what was rolled back', () => {
    run('reviewer');
    run('tester');
    expect(frontMatter(`${docs}/12-review.md`)).toEqual({ verdict: 'APPROVED', commit: git('rev-parse', 'HEAD') });
    expect(frontMatter(`${docs}/13-test-report.md`)).toEqual({ result: 'PASS', commit: git('rev-parse', 'HEAD') });
    run('deployer');
    expect(result()).toMatchObject({ status: 'success', rolled_back: false });
  });

  test("the developer's code works, and a second run changes it", () => {
    writeFileSync(path.join(workspace, 'package.json'), '{ "type": "module" }');
    run('developer');
    const first = read('src/et-012.js');
    const tested = spawnSync(process.execPath, ['--test', 'test/'], { cwd: workspace });
    expect(tested.status).toBe(0);
    run('developer');
    expect(read('src/et-012.js')).not.toBe(first);
    run('developer', { roles: { developer: [{ act: 'break-build' }] } });
    expect(spawnSync(process.execPath, ['--test', 'test/'], { cwd: workspace }).status).toBe(1);
  });

  test('role and task come from the orders when the environment has none', () => {
    expect(run(null).status).toBe(0);
    expect(existsSync(path.join(workspace, docs, '12-review.md'))).toBe(true);
  });

  test("it answers as the real command line does, and takes that one's options", () => {
    expect(run('analyst', undefined, ['--version']).lines[0]).toContain('scripted agent');
    expect(run('analyst', undefined, ['auth', 'status']).events[0]).toMatchObject({ loggedIn: true });
    const resumed = run('analyst', undefined, [
      '--print',
      '--output-format',
      'stream-json',
      '--verbose',
      '--resume',
      'session-7',
    ]);
    expect(resumed.events[0]).toMatchObject({ subtype: 'init', session_id: 'session-7' });
  });
});

describe('with a script', () => {
  test('the script may be named on the command line, before what the real agent would get', () => {
    const file = writeAgentScript(path.join(folder, 'script'), { roles: { reviewer: [{ act: 'request-changes' }] } });
    expect(run('reviewer', undefined, ['--agent-script', file, 'auth', 'status']).events[0]).toMatchObject({
      loggedIn: true,
    });
    run('reviewer', undefined, ['--agent-script', file, '--print']);
    expect(frontMatter(`${docs}/12-review.md`)).toMatchObject({ verdict: 'REQUEST_CHANGES' });
    expect(call('ET-012.reviewer.1.json').argv).toEqual(['--print']);
  });

  test('steps are taken in order, counted next to the script, and plain work follows', () => {
    expect(run('reviewer', demoScript).status).toBe(0);
    expect(frontMatter(`${docs}/12-review.md`)).toMatchObject({ verdict: 'REQUEST_CHANGES' });
    run('reviewer', demoScript, ['--model', 'opus']);
    expect(frontMatter(`${docs}/12-review.md`)).toMatchObject({ verdict: 'APPROVED' });
    expect(call('ET-012.reviewer.2.json')).toMatchObject({ n: 2, cwd: workspace, argv: ['--model', 'opus'] });
    expect(call('ET-012.reviewer.2.json').environment).toContain('ORCH_ROLE');
    expect(existsSync(path.join(workspace, 'calls'))).toBe(false);
  });

  test('an analyst may ask, an architect find a conflict, each time with new words', () => {
    const script: AgentScript = {
      roles: { analyst: [{ act: 'ask' }], architect: [{ act: 'conflict' }] },
      repeatLast: true,
    };
    run('analyst', script);
    const first = read(`${docs}/01-questions.md`);
    run('analyst', script);
    expect(read(`${docs}/01-questions.md`)).not.toBe(first);
    expect(existsSync(path.join(workspace, docs, '01-brd.md'))).toBe(false);
    run('architect', script);
    expect(read(`${docs}/10-conflict.md`)).toContain('contradict');
  });

  test('a garbled verdict has no front matter that can be read', () => {
    run('reviewer', { roles: { reviewer: [{ act: 'garbled' }] } });
    expect(read(`${docs}/12-review.md`).split('\n---')).toHaveLength(1);
  });

  test('files, an own result, an own commit, nothing to do', () => {
    const step = {
      files: { '{{docs}}/extra.md': 'call {{n}} of {{role}}\n' },
      result: { status: 'failed', summary: 'no' },
      commit: 'by {{role}}',
    };
    run('tester', { roles: { tester: [step] } });
    expect(git('log', '-1', '--format=%s', '--name-only')).toBe(`by tester\n\n${docs}/extra.md`);
    expect(read(`${docs}/extra.md`)).toBe('call 1 of tester\n');
    expect(result()).toEqual({ status: 'failed', summary: 'no' });
    run('developer', { roles: { developer: [{ act: 'nothing-to-do' }] } });
    expect(result()).toMatchObject({ status: 'nothing_to_do' });
    run('deployer', { roles: { deployer: [{ act: 'fail-deploy' }] } });
    expect(result()).toMatchObject({ status: 'failed', rolled_back: true });
  });

  test.each([
    ['rate-limit', 1, { is_error: true, api_error_status: 429 }],
    ['overloaded', 1, { is_error: true, api_error_status: 529 }],
    ['auth', 1, { is_error: true, api_error_status: 401 }],
    ['max-turns', 1, { is_error: true, subtype: 'error_max_turns' }],
  ] as const)('%s ends as the real one does', (act, status, event) => {
    const ran = run('developer', { roles: { developer: [{ act }] } });
    expect(ran.status).toBe(status);
    expect(ran.events.at(-1)).toMatchObject({ type: 'result', ...event });
    expect(git('status', '--porcelain', '-uall')).toBe('?? .orch/task.md');
  });

  test('a usage limit says when it resets; a run may end without a result, or with any', () => {
    const limited = run('developer', { roles: { developer: [{ act: 'usage-limit', resetsAt: 4_000_000_000 }] } });
    expect(limited.events).toContainEqual(
      expect.objectContaining({
        type: 'rate_limit_event',
        rate_limit_info: expect.objectContaining({ resetsAt: 4_000_000_000 }) as unknown,
      }),
    );
    const silent = run('tester', {
      roles: { tester: [{ act: 'no-result', exit: 3, print: ['not json', '{{role}}'] }] },
    });
    expect([silent.status, silent.lines.slice(-2)]).toEqual([3, ['not json', 'tester']]);
    const expensive = run('analyst', { roles: { analyst: [{ cost: 1.5, event: { num_turns: 99 } }] } });
    expect(expensive.events.at(-1)).toMatchObject({ total_cost_usd: 1.5, num_turns: 99 });
  });

  test('a base branch is merged in with its conflicts resolved for the branch', () => {
    writeFileSync(path.join(workspace, 'f.txt'), 'base\n');
    git('add', 'f.txt');
    const as = ['-c', 'user.name=a', '-c', 'user.email=a@example.org', 'commit', '-q'];
    git(...as, '-m', 'f');
    git('checkout', '-q', '-b', 'feature/x', 'HEAD~1');
    writeFileSync(path.join(workspace, 'f.txt'), 'ours\n');
    git('add', 'f.txt');
    git(...as, '-m', 'ours');
    run('developer', { roles: { developer: [{ merge: 'main' }] } });
    expect([read('f.txt'), git('rev-list', '--merges', '--count', 'HEAD')]).toEqual(['ours\n', '1']);
  });

  test('it can die, wait for a file, hang, and leave a process behind', async () => {
    const script: AgentScript = {
      roles: { developer: [{ crash: 'SIGKILL' }, { waitFor: path.join(folder, 'go'), grandchild: true, hang: true }] },
    };
    expect(run('developer', script).signal).toBe('SIGKILL');
    expect(existsSync(path.join(workspace, 'src/et-012.js'))).toBe(true);
    rmSync(path.join(workspace, 'src'), { recursive: true });
    const child = spawn(process.execPath, [agent], {
      cwd: workspace,
      env: environment('developer', script),
      stdio: 'ignore',
    });
    const record = path.join(folder, 'script', 'calls', 'ET-012.developer.2.json');
    await until('the record of the call', () => existsSync(record) && readFileSync(record, 'utf8').endsWith('}'));
    const { grandchild } = call('ET-012.developer.2.json');
    try {
      expect(existsSync(path.join(workspace, 'src'))).toBe(false);
      writeFileSync(path.join(folder, 'go'), '');
      await until('the result', () => existsSync(path.join(workspace, '.orch', 'result.json')));
      const ended = new Promise((resolve) => child.once('exit', (_code, signal) => resolve(signal)));
      expect(child.exitCode).toBeNull();
      child.kill('SIGKILL');
      expect(await ended).toBe('SIGKILL');
      expect(() => process.kill(grandchild ?? 0, 0)).not.toThrow();
    } finally {
      if (grandchild !== null) process.kill(grandchild, 'SIGKILL');
    }
  });

  test('two agents started at once get two numbers', async () => {
    const script: AgentScript = { roles: {} };
    const env = environment('tester', script);
    const start = (): Promise<unknown> =>
      new Promise((resolve) =>
        spawn(process.execPath, [agent], { cwd: workspace, env, stdio: 'ignore' }).once('exit', resolve),
      );
    expect(await Promise.all([start(), start()])).toEqual([0, 0]);
    expect(call('ET-012.tester.1.json').pid).not.toBe(call('ET-012.tester.2.json').pid);
  });
});
