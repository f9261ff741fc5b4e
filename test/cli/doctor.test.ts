import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import Database from 'better-sqlite3';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { runCommand } from '../../src/core/platform/command.ts';
import { systemClock } from '../../src/core/platform/clock.ts';
import { openStore } from '../../src/core/store/open.ts';
import { startWorld, type World } from '../../src/sandbox/world.ts';
import { orch } from '../support/orch.ts';

interface Check {
  group: string;
  name: string;
  level: 'good' | 'warning' | 'bad';
  text: string;
  advice: string | null;
}
type Values = Record<string, unknown>;

let folder: string;
let world: World;

beforeAll(async () => {
  folder = mkdtempSync(path.join(tmpdir(), 'orch-cli-doctor-'));
  world = await startWorld({ root: path.join(folder, 'world'), lagMs: 1, workerDelayMs: 1 });
  const head = world.repo.heads.get('main') ?? '';
  world.gitea.setStatus(world.repo, head, 'ci/test', 'success');
});
afterEach(() => {
  world.repo.protections.length = 0;
  world.plane.faults.length = 0;
});
afterAll(async () => {
  await world.close();
  rmSync(folder, { recursive: true, force: true });
});

interface Case {
  /** Changes the configuration. */
  configure?: (config: Values, project: Values) => void;
  env?: Record<string, string>;
  args?: string[];
}

async function doctor({ configure, env = {}, args = [] }: Case = {}) {
  const config = structuredClone(world.config);
  configure?.(config, (config['projects'] as Values[])[0] as Values);
  const file = path.join(folder, 'orchestrator.config.json');
  writeFileSync(file, JSON.stringify(config));
  return orch(['doctor', '--config', file, ...args], { cwd: folder, env: { ...world.env, ...env } });
}

/** What is not in order, and the exit code. */
async function found(options: Case = {}): Promise<{ status: number | null; checks: Check[]; wrong: Check[] }> {
  const { status, stdout, stderr } = await doctor({ ...options, args: ['--json', ...(options.args ?? [])] });
  expect(stderr).toBe('');
  const { checks } = JSON.parse(stdout) as { checks: Check[] };
  // The sandbox of the agents is off in this world, and not the matter here.
  return { status, checks, wrong: checks.filter(({ name, level }) => level !== 'good' && name !== 'sandbox') };
}

describe('everything in order', () => {
  test('exit 0, a line for every check', async () => {
    const { status, stdout } = await doctor();
    expect(status, stdout).toBe(0);
    expect(stdout).not.toContain('✗');
    for (const line of [
      `✓ node          ${process.version}`,
      '✓ agent         ' + process.execPath + ': 0.0.0 (scripted agent)',
      '✓ login         the agent is logged in',
      '✓ account       orch-bot',
      '✓ states        all are there',
      '✓ approvers     Lead',
      '✓ repository    acme/shop, orch may push',
      '✓ merge         main is not protected',
      '✓ CI            ci/test',
      '✓ bot           @orch_sandbox_bot, chat -1001',
      '! 1 warning',
    ])
      expect(stdout).toContain(line);
    for (const secret of Object.values(world.env)) expect(stdout).not.toContain(secret);
  });

  test('it only looks: no database is made, nothing is written to the servers', async () => {
    const stateDir = path.join(folder, 'untouched', 'state');
    const { status } = await found({ configure: (config) => (config['stateDir'] = stateDir) });
    expect(status).toBe(0);
    expect(existsSync(path.join(stateDir, 'orch.db'))).toBe(false);
    const requests = [...world.plane.requests, ...world.gitea.requests, ...world.telegram.requests];
    // git asks for refs with a POST, too.
    const writes = requests.filter((request) => !/^GET |git-upload-pack/.test(request));
    expect(requests.length).toBeGreaterThan(10);
    expect(writes).toEqual([]);
  });

  test('--strict fails on a warning, --quiet prints only what is wrong', async () => {
    const { status, stdout } = await doctor({ args: ['--strict', '--quiet'] });
    expect(status).toBe(1);
    expect(stdout).toMatch(/^Agents\n {2}! sandbox .*\n.*→ Set agent\.sandbox to "auto"\.\n! 1 warning\n$/);
  });
});

describe('Plane', () => {
  test('a refused token is reported once; what depends on it is not asked', async () => {
    const { status, wrong } = await found({ env: { ORCH_PLANE_API_TOKEN: 'plane_api_wrong' } });
    expect(status).toBe(1);
    expect(wrong.map(({ name, level }) => [name, level])).toEqual([
      ['account', 'bad'],
      ['Plane', 'warning'],
    ]);
    expect(wrong[0]?.text).toContain('Given API token is not valid');
    expect(wrong[0]?.advice).toContain('ORCH_PLANE_API_TOKEN');
  });

  test('a missing token', async () => {
    const { status, wrong } = await found({ env: { ORCH_PLANE_API_TOKEN: '' } });
    expect(status).toBe(1);
    expect(wrong.map(({ name }) => name)).toEqual(['tokens', 'account', 'Plane']);
  });

  test('a missing state names the one used instead', async () => {
    const { states } = world.plane.state;
    const at = states.findIndex((state) => state.name === 'Needs Input');
    const [gone] = states.splice(at, 1);
    const { status, wrong } = await found();
    if (gone !== undefined) states.push(gone);
    expect(status).toBe(0);
    expect(wrong).toMatchObject([
      {
        name: 'states',
        level: 'warning',
        text: expect.stringMatching(/"Needs Input"; "In Progress" is used/) as unknown,
      },
    ]);
    expect(wrong[0]?.advice).toContain('orch init --create-states');
  });

  test('a project that does not exist, or is archived', async () => {
    const unknown = await found({
      configure: (_, project) => (project['planeProject'] = '5884114d-8f5c-4c1e-9d0a-3b8f6f1f2a10'),
    });
    expect(unknown.status).toBe(1);
    expect(unknown.wrong.map(({ name }) => name)).toContain('Plane project');
    world.project.archivedAt = Date.now() * 1000;
    const archived = await found();
    world.project.archivedAt = null;
    expect(archived.wrong.map(({ text }) => text)).toContain('Shop (ET) is archived');
  });

  test('nobody can approve without a list where the server tells no roles', async () => {
    const configure: Case['configure'] = (_, project) => (project['approvers'] = []);
    // Members may, as the workspace tells who they are.
    expect((await found({ configure })).status).toBe(0);
    const refused = { match: /GET \/api\/v1\/workspaces\/[^/]+\/members\//, times: Infinity };
    world.plane.faults.push({ ...refused, action: { kind: 'answer', status: 403 } });
    const { status, wrong } = await found({ configure });
    world.plane.faults.splice(0);
    expect(status).toBe(1);
    expect(wrong).toMatchObject([
      { name: 'approvers', level: 'bad', text: expect.stringContaining('nobody') as unknown },
    ]);
  });

  test('an approver who is no member', async () => {
    const configure: Case['configure'] = (_, project) =>
      (project['approvers'] = ['lead@example.org', 'gone@example.org']);
    const { status, wrong } = await found({ configure });
    expect(status).toBe(0);
    expect(wrong.map(({ text }) => text)).toEqual([expect.stringContaining('gone@example.org is no member')]);
  });
});

describe('Gitea', () => {
  test('a server that cannot be reached', async () => {
    const { status, wrong } = await found({ configure: (config) => (config['gitea'] = { url: 'http://127.0.0.1:9' }) });
    expect(status).toBe(1);
    expect(wrong[0]).toMatchObject({ group: 'Gitea http://127.0.0.1:9', name: 'account', level: 'bad' });
    expect(wrong[0]?.text).toContain('cannot be reached');
    expect(wrong.at(-1)).toMatchObject({ name: 'Gitea', text: 'not looked at, see above' });
  });

  test('a repository that does not exist', async () => {
    const { status, wrong } = await found({ configure: (_, project) => (project['repo'] = 'acme/none') });
    expect(status).toBe(1);
    expect(wrong).toMatchObject([{ name: 'repository', level: 'bad' }]);
  });

  test('no right to push', async () => {
    world.gitea.grant(world.repo, world.accounts.bot, 'read');
    const { status, wrong } = await found();
    world.gitea.grant(world.repo, world.accounts.bot, 'write');
    expect(status).toBe(1);
    expect(wrong.map(({ text }) => text)).toContain("acme/shop may not be pushed to by orch's account");
  });

  test('a repository whose objects are SHA-256', async () => {
    world.repo.objectFormat = 'sha256';
    const { status, wrong } = await found();
    world.repo.objectFormat = 'sha1';
    expect(status).toBe(1);
    expect(wrong).toMatchObject([{ name: 'repository', text: 'acme/shop keeps its objects as SHA-256' }]);
    expect(wrong[0]?.advice).toContain('SHA-1');
  });

  test('a base branch that does not exist', async () => {
    const { status, wrong } = await found({ configure: (_, project) => (project['baseBranch'] = 'trunk') });
    expect(status).toBe(1);
    expect(wrong).toMatchObject(
      [{ name: 'git', text: 'there is no branch trunk' }, { name: 'CI' }].slice(0, wrong.length),
    );
  });

  test('a protection that wants approvals nobody gives; a second account gives one', async () => {
    world.gitea.protect(world.repo, { rule: 'main', requiredApprovals: 1, enablePush: true });
    const alone = await found();
    expect(alone.status).toBe(1);
    expect(alone.wrong.map(({ text }) => text)).toEqual(['the protection of main wants 1 approval, orch gives none']);
    const token = world.accounts.reviewer.tokens[0]?.value ?? '';
    const second = await found({ env: { ORCH_GITEA_REVIEWER_TOKEN: token } });
    expect(second.wrong).toEqual([]);
    expect(second.checks).toContainEqual(expect.objectContaining({ name: 'reviewer', text: 'orch-reviewer' }));
    expect(second.checks).toContainEqual(expect.objectContaining({ text: 'orch-reviewer may approve' }));
    world.gitea.grant(world.repo, world.accounts.reviewer, 'read');
    const reads = await found({ env: { ORCH_GITEA_REVIEWER_TOKEN: token } });
    world.repo.access.delete('orch-reviewer');
    const blind = await found({ env: { ORCH_GITEA_REVIEWER_TOKEN: token } });
    world.gitea.grant(world.repo, world.accounts.reviewer, 'write');
    expect([...reads.wrong, ...blind.wrong].map(({ name, level, text }) => [name, level, text])).toEqual([
      ['reviewer', 'bad', 'orch-reviewer may only read acme/shop: its approval does not count'],
      ['reviewer', 'bad', 'orch-reviewer does not see acme/shop'],
    ]);
    expect(blind.wrong[0]?.advice).toBe('Give orch-reviewer write access to the repository.');
    const same = await found({ env: { ORCH_GITEA_REVIEWER_TOKEN: world.env['ORCH_GITEA_TOKEN'] ?? '' } });
    expect(same.wrong.map(({ name }) => name)).toEqual(['reviewer']);
  });

  test('a protection that keeps orch from merging, or wants a CI that never reports', async () => {
    world.gitea.protect(world.repo, {
      rule: 'main',
      mergeWhitelist: ['acme'],
      enableStatusCheck: true,
      contexts: ['ci/*', 'security/scan'],
    });
    const { status, wrong } = await found();
    const followed = await found({
      configure: (_, project) => (project['ci'] = { requiredContexts: ['ci/*', 'security/scan'] }),
    });
    expect(followed.wrong.map(({ name, text }) => [name, text])).toContainEqual([
      'CI',
      'security/scan never reported; ci/test did',
    ]);
    expect(status).toBe(1);
    expect(wrong.map(({ level, text }) => [level, text])).toEqual([
      ['bad', "the protection of main does not let orch's account merge"],
      ['warning', 'the protection of main wants security/scan, which never reported'],
    ]);
  });

  test('a merge style the repository does not allow', async () => {
    const { styles } = world.repo;
    world.repo.styles = ['squash'];
    const { status, wrong } = await found();
    world.repo.styles = styles;
    expect(status).toBe(1);
    expect(wrong.map(({ advice }) => advice)).toEqual(['Set deploy.mergeStyle to one of: squash.']);
  });

  test('a CI that never reported', async () => {
    const { statuses } = world.repo;
    world.repo.statuses = [];
    const { status, wrong } = await found();
    const local = await found({ configure: (_, project) => (project['gates'] = { development: 'tests-local' }) });
    expect(status).toBe(0);
    expect(wrong).toMatchObject([{ name: 'CI', level: 'warning' }]);
    expect(local.wrong).toEqual([]);
    // It reports on pull requests only, and passes over the documents that orch pushes last.
    const { gitea, repo, accounts } = world;
    const code = await gitea.pushFile(repo, 'feature/ET-900', { 'src/a.js': '1\n' }, 'code', accounts.bot);
    await gitea.openPr(accounts.bot, repo, { head: 'feature/ET-900', title: 'ET-900' });
    await gitea.pushFile(repo, 'feature/ET-900', { 'docs/a.md': '1\n' }, 'documents', accounts.bot);
    gitea.setStatus(repo, code, 'ci/pr', 'success');
    const behind = await found();
    world.repo.statuses = statuses;
    expect(behind.wrong).toEqual([]);
    expect(behind.checks).toContainEqual(expect.objectContaining({ name: 'CI', text: 'ci/pr' }));
  });
});

describe('this machine', () => {
  test('every mistake of the configuration, and nothing behind it', async () => {
    const { status, stdout } = await doctor({
      configure: (config) => Object.assign(config, { language: 'xx', wat: 1 }),
    });
    expect(status).toBe(1);
    expect(stdout).toContain('language: must be one of en, ru');
    expect(stdout).toContain('wat: unknown key');
    expect(stdout).not.toContain('Plane  http');
  });

  test('an agent that is not there, a variable that is not set', async () => {
    const configure: Case['configure'] = (config) =>
      (config['agent'] = { command: ['/nonexistent/claude'], sandbox: 'none', env: ['SOME_KEY'] });
    const { status, wrong } = await found({ configure });
    expect(status).toBe(1);
    expect(wrong.map(({ name }) => name)).toEqual(['agent', 'variables']);
    expect(wrong[0]?.text).toContain('/nonexistent/claude not found');
  });

  test('a token file that others may read', async () => {
    const file = path.join(folder, 'token');
    writeFileSync(file, world.env['ORCH_GITEA_TOKEN'] ?? '');
    chmodSync(file, 0o644);
    const { status, wrong } = await found({ env: { ORCH_GITEA_TOKEN: '', ORCH_GITEA_TOKEN_FILE: file } });
    expect(status).toBe(0);
    expect(wrong).toMatchObject([{ name: 'tokens', level: 'warning', advice: `Run: chmod 600 ${file}` }]);
  });

  test('a database of a newer orch, a damaged one, one of another program', async () => {
    const stateDir = path.join(folder, 'databases');
    mkdirSync(stateDir, { mode: 0o700 });
    const file = path.join(stateDir, 'orch.db');
    const configure: Case['configure'] = (config) => (config['stateDir'] = stateDir);
    await (await openStore({ database: { file }, clock: systemClock, mode: 'command' })).close();
    expect((await found({ configure })).wrong).toEqual([]);
    const db = new Database(file);
    db.exec(`UPDATE meta SET value = '999' WHERE key = 'schema'`);
    db.close();
    expect((await found({ configure })).wrong).toMatchObject([
      { name: 'database', text: expect.stringContaining('999') as unknown },
    ]);
    writeFileSync(file, 'this is no database, but it is long enough to look like one to somebody');
    expect((await found({ configure })).wrong).toMatchObject([{ name: 'database', level: 'bad' }]);
    rmSync(file);
    const foreign = new Database(file);
    foreign.exec('CREATE TABLE theirs (id)');
    foreign.close();
    const { wrong } = await found({ configure });
    expect(wrong).toMatchObject([{ name: 'database', text: expect.stringContaining('another program') as unknown }]);
  });
});

test('runs in a folder that was removed under it', async () => {
  const gone = path.join(folder, 'gone');
  mkdirSync(gone);
  const bin = path.resolve(import.meta.dirname, '../../bin/orch.js');
  const script = 'cd "$1" && rmdir "$1" && exec "$2" "$3" doctor --json';
  const { stdout } = await runCommand({
    file: '/bin/sh',
    args: ['-c', script, 'sh', gone, process.execPath, bin],
    env: { PATH: process.env['PATH'] ?? '', HOME: folder },
    timeoutMs: 60_000,
    maxBytes: 1_000_000,
    encoding: 'utf8',
  });
  const { checks } = JSON.parse(stdout) as { checks: Check[] };
  expect(checks.find(({ name }) => name === 'git')).toMatchObject({ level: 'good' });
  expect(stdout).not.toMatch(/uv_cwd|defect|cannot be part of an address/);
});
