import { chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { hiddenPaths } from '../../src/core/config/hidden-paths.ts';
import { loadConfig, type LoadedConfig } from '../../src/core/config/load.ts';
import { trust } from '../../src/core/config/trust.ts';
import { OrchError } from '../../src/core/model/index.ts';

const project = { planeProject: '5884114d-8f5c-4c1e-9d0a-3b8f6f1f2a10', repo: 'acme/shop', prefix: 'ET' };
const other = { planeProject: '11111111-2222-4333-8444-555555555555', repo: 'acme/site', prefix: 'WEB' };

let folder: string;
let env: NodeJS.ProcessEnv;

beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'orch-config-'));
  env = { HOME: folder };
});

afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

function write(content: unknown, name = 'orchestrator.config.json'): string {
  const file = path.join(folder, name);
  mkdirSync(path.dirname(file), { recursive: true });
  writeFileSync(file, typeof content === 'string' ? content : JSON.stringify(content));
  return file;
}

function load(request: { flags?: Record<string, unknown>; cwd?: string; file?: string } = {}): Promise<LoadedConfig> {
  return loadConfig({ env, cwd: folder, ...request });
}

async function failure(request: Parameters<typeof load>[0] = {}): Promise<OrchError> {
  const error: unknown = await load(request).then(
    () => null,
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof OrchError)) throw new Error('the configuration was accepted', { cause: error });
  return error;
}

it.each(['', 'home'])('takes the home folder of the user database where HOME is %j', async (HOME) => {
  env = { HOME };
  expect((await load()).config.stateDir).toBe(path.join(userInfo().homedir, '.local/state/orch'));
});

it('hides the workspaces and run folders of all projects from agents, wherever they lie', async () => {
  const file = write({ stateDir: '/var/lib/orch', workspacesDir: '/srv/workspaces', runsDir: '/srv/runs' });
  const { config } = await load({ file });
  expect(hiddenPaths(config, env)).toEqual(expect.arrayContaining(['/srv/workspaces', '/srv/runs', '/var/lib/orch']));
  // Agents that are told of the authorities must be able to read them.
  expect(hiddenPaths(config, { ORCH_TLS_CA_FILE: '/srv/ca/company.pem' })).not.toContain('/srv/ca');
});

it('makes whole milliseconds of fractions', async () => {
  const settings = {
    plane: { workspace: 'acme' },
    projects: [{ ...project, tests: { timeoutSeconds: 8.03 }, ci: { limitMinutes: 2.05 } }],
  };
  write({
    ...settings,
    worker: { leaseSeconds: 8.03 },
    agent: { breakerPauseSeconds: 8.03, timeoutMinutes: 0.0135001 },
  });
  const { config } = await load();
  expect(config.projects[0]).toMatchObject({ tests: { timeoutMs: 8030 }, ci: { limitMs: 123_000 } });
  expect(config.worker).toMatchObject({ leaseMs: 8030, heartbeatMs: 2008 });
  expect(config.agent.breakerPauseMs).toBe(8030);
  expect(config.agent.roleSettings('analyst', null).timeoutMs).toBe(810);
});

describe('defaults', () => {
  it('work without a file', async () => {
    const { config, file, warnings } = await load();
    expect(file).toBeNull();
    expect(warnings).toEqual([]);
    expect(config.projects).toEqual([]);
    expect(config.telegram).toBeNull();
    expect(config.stateDir).toBe(path.join(folder, '.local/state/orch'));
    expect(config.dbPath).toBe(path.join(folder, '.local/state/orch/orch.db'));
    expect(config.worker).toMatchObject({
      maxConcurrency: 1,
      leaseMs: 60_000,
      heartbeatMs: 15_000,
      drainMs: 30_000,
      backoff: { baseMs: 10_000, maxMs: 600_000 },
      budgets: { attempts: 2, transientRetries: 5, interruptions: 3 },
    });
  });

  it('take the state folder of systemd', async () => {
    env['STATE_DIRECTORY'] = '/var/lib/orch:/var/lib/other';
    expect((await load()).config.runsDir).toBe('/var/lib/orch/runs');
  });
});

describe('finding the file', () => {
  it('looks upward, not beyond the home folder', async () => {
    const file = write({ language: 'ru' });
    const deep = path.join(folder, 'a/b');
    mkdirSync(deep, { recursive: true });
    expect((await load({ cwd: deep })).file).toBe(file);
    env['HOME'] = path.join(folder, 'a');
    expect((await load({ cwd: deep })).file).toBeNull();
  });

  it('prefers --config to ORCH_CONFIG to the folder', async () => {
    write({ git: { name: 'folder' } });
    write({ git: { name: 'variable' } }, 'v.json');
    write({ git: { name: 'flag' } }, 'f.json');
    expect((await load()).config.identity.name).toBe('folder');
    env['ORCH_CONFIG'] = '~/v.json';
    expect((await load()).config.identity.name).toBe('variable');
    expect((await load({ file: 'f.json' })).config.identity.name).toBe('flag');
  });

  it('refuses a file that was found in a git repository until it is trusted, and again when it changes', async () => {
    const file = write({ plane: { url: 'http://planted.example.org' } }, 'clone/orchestrator.config.json');
    const clone = path.dirname(file);
    mkdirSync(path.join(clone, '.git'));
    mkdirSync(path.join(clone, 'deep'));
    for (const cwd of [clone, path.join(clone, 'deep')]) {
      expect(await failure({ cwd })).toMatchObject({
        code: 'config_untrusted',
        exitCode: 6,
        message: expect.stringContaining(`part of the git repository ${clone}`) as string,
      });
    }
    // The next file up is not used in its place.
    write({ language: 'ru' });
    expect((await failure({ cwd: clone })).code).toBe('config_untrusted');
    expect(await load({ cwd: clone, file })).toMatchObject({ file, searched: false });
    trust(file, env);
    expect(await load({ cwd: clone })).toMatchObject({ file, searched: true });
    write({ plane: { url: 'http://planted.example.org/2' } }, 'clone/orchestrator.config.json');
    expect((await failure({ cwd: clone })).message).toContain('has changed since it was trusted');
  });

  it.each([
    ['the file', 'orchestrator.config.json', 0o666],
    ['its folder', '.', 0o777],
  ])('refuses a file that was found where others can write %s', async (_what, name, mode) => {
    const file = write({ language: 'ru' });
    chmodSync(path.join(folder, name), mode);
    expect(await failure()).toMatchObject({ code: 'config_untrusted', exitCode: 6 });
    expect((await load({ file })).file).toBe(file);
  });

  it.runIf(process.getuid?.() === 0)('refuses a file of another user', async () => {
    const file = write({ language: 'ru' });
    chownSync(file, 65_534, 65_534);
    expect((await failure()).message).toContain('belongs to another user (65534)');
  });

  it('says that a named file does not exist', async () => {
    const error = await failure({ file: 'none.json' });
    expect(error).toMatchObject({ code: 'config_not_found', exitCode: 6 });
    expect(error.message).toContain(path.join(folder, 'none.json'));
  });

  it('names file, line and column of a JSON mistake, and quotes nothing', async () => {
    const file = write('{\n  "language": "en",\n  "git": { "name": "hunter2" "email": 1 }\n}');
    const error = await failure();
    expect(error.message).toContain(`${file}:3:30`);
    expect(error.message).not.toContain('hunter2');
    write('{ "git": {');
    expect((await failure()).message).toContain('ends in the middle');
    write('');
    expect((await failure()).message).toContain('does not hold a JSON object');
  });

  it('runs nothing that cosmiconfig would find in the working folder', async () => {
    write({ language: 'ru' });
    const trap = path.join(folder, 'trapped');
    write(`require('node:fs').writeFileSync(${JSON.stringify(trap)}, '')`, '.config/config.js');
    write({ $import: './.config/config.js' }, 'i.json');
    const before = process.cwd();
    process.chdir(folder);
    try {
      await load();
      expect((await failure({ file: 'i.json' })).message).toContain('$import: unknown key');
    } finally {
      process.chdir(before);
    }
    await expect(import('node:fs').then((fs) => fs.existsSync(trap))).resolves.toBe(false);
  });
});

describe('mistakes', () => {
  it('are reported all at once, each with its path', async () => {
    write({ worker: { attempts: 'two' }, pol: {}, projects: [{ ...project, prefix: 'et' }] });
    const error = await failure();
    expect(error).toMatchObject({ code: 'config_invalid', exitCode: 6 });
    expect(error.message.split('\n')).toEqual([
      `the configuration has 4 mistakes (${path.join(folder, 'orchestrator.config.json')}):`,
      '  worker.attempts: must be of type number',
      '  projects[0].prefix: must be 1 to 12 capital letters or digits, a letter first',
      '  pol: unknown key; did you mean "poll"?',
      '  plane.workspace: is required as soon as a project is configured',
    ]);
  });

  it('name what is missing and what stands twice', async () => {
    const twice = { ...project, planeProject: project.planeProject.toUpperCase() };
    write({ plane: { workspace: 'acme' }, projects: [project, twice, { prefix: 'X' }] });
    const { message } = await failure();
    expect(message).toContain('projects[1].prefix: is the same as projects[0].prefix');
    expect(message).toContain('projects[1].planeProject: is the same as projects[0].planeProject');
    expect(message).toContain('projects[2].repo: is required (string)');
  });

  it('in variables are named by the variable', async () => {
    env['ORCH_WORKER_ATTEMPTS'] = 'many';
    env['ORCH_LANGUAGE'] = 'de';
    env['ORCH_LANGUGE'] = 'de';
    const { message } = await failure();
    expect(message).toContain('ORCH_WORKER_ATTEMPTS: expected a number (worker.attempts)');
    expect(message).toContain('ORCH_LANGUAGE: must be one of en, ru (language)');
    expect(message).toContain('ORCH_LANGUGE means nothing to orch; did you mean ORCH_LANGUAGE?');
  });

  it.each([
    [{ plane: { token: 'hunter2hunter2' } }, 'plane.token'],
    [{ projects: [{ ...project, giteaToken: 'hunter2hunter2' }] }, 'projects[0].giteaToken'],
    [{ git: { name: 'plane_api_0123456789abcdef' } }, 'git.name'],
    [{ telegram: { chatId: '123456789:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw' } }, 'telegram.chatId'],
    [{ gitea: { url: 'http://bot:hunter2hunter2@git.example.org' } }, 'gitea.url'],
    [{ git: { name: '0123456789abcdef0123456789abcdef01234567' } }, 'git.name'],
  ])('a literal secret is refused and not repeated: %j', async (content, where) => {
    write(content);
    const { message } = await failure();
    expect(message).toContain(`  ${where}: `);
    expect(message).toMatch(/secret/);
    expect(message).not.toMatch(/hunter2|plane_api_|AAHdq|0123456789abcdef/);
    expect(message.split('\n').filter((line) => line.startsWith(`  ${where}: `))).toHaveLength(1);
  });

  it.each([
    [{ poll: { schedule: '99 * * * *' } }, 'poll.schedule'],
    [{ agent: { env: ['ORCH_GITEA_TOKEN'] } }, 'agent.env[0]'],
    [{ agent: { protectedPaths: ['../x'] } }, 'agent.protectedPaths[0]'],
    [{ agent: { command: [] } }, 'agent.command'],
    [{ plane: { url: 'ftp://x' } }, 'plane.url'],
    [{ worker: { drainSeconds: -1 } }, 'worker.drainSeconds'],
    [{ projects: [{ ...project, baseBranch: '--force' }] }, 'projects[0].baseBranch'],
    [{ projects: [{ ...project, repo: 'acme/../x' }] }, 'projects[0].repo'],
    [
      { projects: [{ ...project, pipelines: { audit: { stages: ['testing', 'analysis'] } } }] },
      'projects[0].pipelines.audit.stages',
    ],
  ])('%j is refused', async (content, where) => {
    write({ plane: { workspace: 'acme' }, ...content });
    expect((await failure()).message).toContain(`  ${where}: `);
  });
});

describe('precedence and origin', () => {
  it('is flag, variable, file, default', async () => {
    const file = write({ worker: { attempts: 3, interruptions: 4, transientRetries: 6 } });
    env['ORCH_WORKER_ATTEMPTS'] = '7';
    env['ORCH_WORKER_INTERRUPTIONS'] = '8';
    const loaded = await load({ flags: { 'worker.attempts': 9, 'worker.drainSeconds': undefined } });
    expect(loaded.config.worker.budgets).toEqual({ attempts: 9, transientRetries: 6, interruptions: 8 });
    expect(loaded.config.worker.drainMs).toBe(30_000);
    expect(loaded.origin('worker.attempts')).toBe('flag');
    expect(loaded.origin('worker.interruptions')).toBe('ORCH_WORKER_INTERRUPTIONS');
    expect(loaded.origin('worker.transientRetries')).toBe(file);
    expect(loaded.origin('worker.drainSeconds')).toBe('default');
  });

  it('resolves paths from the folder of the file, or below the working folder from a variable', async () => {
    write({ stateDir: 'state', agent: { roles: { deployer: { readPaths: ['~/key'] } } } }, 'etc/c.json');
    env['ORCH_RUNS_DIR'] = 'runs';
    const { config } = await load({ file: 'etc/c.json' });
    expect(config.stateDir).toBe(path.join(folder, 'etc/state'));
    expect(config.runsDir).toBe(path.join(folder, 'runs'));
    expect(config.agent.roleSettings('deployer', null).readPaths).toEqual([path.join(folder, 'key')]);
  });

  it('parses lists, truth values and null', async () => {
    env['ORCH_AGENT_ENV'] = 'A, B';
    env['ORCH_AGENT_COMMAND'] = '["claude","--x, y"]';
    env['ORCH_GITEA_REVIEWER'] = 'yes';
    env['ORCH_CAPS_DOLLARS'] = '2.5';
    const { config, settings } = await load();
    expect(config.agent.roleSettings('analyst', null)).toMatchObject({
      env: ['A', 'B'],
      command: ['claude', '--x, y'],
    });
    expect(config.gitea.reviewer).toBe(true);
    expect(settings.caps.dollars).toBe(2.5);
    env['ORCH_CAPS_DOLLARS'] = 'null';
    expect((await load()).settings.caps.dollars).toBeNull();
  });
});

describe('variables of the replaced system', () => {
  it('keep their names', async () => {
    Object.assign(env, {
      ORCH_MAX_CONCURRENCY: '4',
      ORCH_QUEUE_POLL_INTERVAL: '0.5',
      ORCH_PREFLIGHT_CACHE_TTL: '7',
      ORCH_BACKOFF_BASE_SECONDS: '1',
      ORCH_BACKOFF_MAX_SECONDS: '9',
      ORCH_TRANSIENT_MAX_ATTEMPTS: '11',
      ORCH_BREAKER_THRESHOLD: '5',
      ORCH_BREAKER_PAUSE_SECONDS: '6',
      ORCH_DB_PATH: '/data/orch.db',
      ORCH_REPOS_DIR: '/data/repos',
      ORCH_WORKTREES_DIR: '/data/trees',
      ORCH_CLAUDE_BIN: '/opt/tools, new/agent',
      ORCH_PLANE_API_URL: 'http://plane:8000/',
      ORCH_PLANE_WORKSPACE_SLUG: 'acme',
    });
    const { config, warnings } = await load();
    expect(warnings).toEqual([]);
    expect(config.worker).toMatchObject({
      maxConcurrency: 4,
      pollIntervalMs: 500,
      backoff: { baseMs: 1000, maxMs: 9000 },
      budgets: { transientRetries: 11 },
    });
    expect(config.agent).toMatchObject({ preflightCacheMs: 7000, breakerThreshold: 5, breakerPauseMs: 6000 });
    expect(config).toMatchObject({ dbPath: '/data/orch.db', reposDir: '/data/repos', workspacesDir: '/data/trees' });
    expect(config.agent.roleSettings('tester', null)).toMatchObject({
      command: ['/opt/tools, new/agent'],
      kind: 'claude',
    });
    expect(config.plane).toMatchObject({ url: 'http://plane:8000', workspace: 'acme' });
  });

  it('lose against the names of today, with a warning', async () => {
    Object.assign(env, { ORCH_MAX_CONCURRENCY: '4', ORCH_WORKER_MAX_CONCURRENCY: '2' });
    const { config, warnings } = await load();
    expect(config.worker.maxConcurrency).toBe(2);
    expect(warnings).toEqual(['ORCH_MAX_CONCURRENCY is not used, because ORCH_WORKER_MAX_CONCURRENCY says otherwise']);
  });

  it('ORCH_PROJECTS_JSON replaces the list and understands the old keys', async () => {
    write({ plane: { workspace: 'acme' }, projects: [project] });
    env['ORCH_GITEA_OWNER'] = 'acme';
    env['ORCH_PROJECTS_JSON'] = JSON.stringify([
      { plane_project_id: other.planeProject, repo: 'site', work_item_prefix: 'WEB' },
    ]);
    const { config, warnings } = await load();
    expect(config.projects).toHaveLength(1);
    expect(config.projects[0]).toMatchObject({
      projectId: other.planeProject,
      repo: other.repo,
      prefix: other.prefix,
      name: 'acme/site',
    });
    expect(warnings).toEqual([]);
    env['ORCH_PROJECTS_JSON'] = '[{"repo": "site"}, 3]';
    const { message } = await failure();
    expect(message).toContain('ORCH_PROJECTS_JSON: is required (string) (projects[0].planeProject)');
    expect(message).toContain('(projects[1])');
    env['ORCH_PROJECTS_JSON'] = '{';
    expect((await failure()).message).toContain('ORCH_PROJECTS_JSON: is not valid JSON (projects)');
  });

  it('without a counterpart give one hint; unknown names a suggestion; internal names nothing', async () => {
    Object.assign(env, {
      ORCH_PLANE_WEBHOOK_SECRET: 'a',
      ORCH_DEFAULT_REPO: 'b',
      ORCH_GITEA_OWNER: 'c',
      ORCH_MAX_CONCURENCY: '3',
      ORCH_CRASH_AT: 'x',
      ORCH_TASK: 'ET-001',
      ORCH_GITEA_TOKEN_FILE: '/x',
      ORCH_LANGUAGE: ' ',
    });
    const { warnings, config } = await load();
    expect(config.language).toBe('en');
    expect(warnings).toHaveLength(2);
    expect(warnings[0]).toContain('did you mean ORCH_MAX_CONCURRENCY?');
    expect(warnings[1]).toContain('ORCH_PLANE_WEBHOOK_SECRET, ORCH_DEFAULT_REPO, ORCH_GITEA_OWNER');
  });
});

describe('projects', () => {
  it('become policies in milliseconds and millionths', async () => {
    write({
      plane: { workspace: 'acme', publicUrl: 'https://plane.example.org/' },
      caps: { dollars: 5, runs: 10 },
      projects: [
        {
          ...project,
          planeProject: project.planeProject.toUpperCase(),
          ci: { graceMinutes: 1 },
          caps: { dollars: 1.25 },
          states: { inReview: 'Wartet' },
          pipelines: { audit: { stages: ['analysis', 'testing'], label: 'audit' } },
        },
        { ...other, caps: { dollars: null } },
      ],
    });
    const { config } = await load();
    const [first, second] = config.projects;
    expect(first).toMatchObject({
      projectId: project.planeProject,
      ci: { graceMs: 60_000, limitMs: 3_600_000, requiredContexts: [] },
      caps: { costMicros: 1_250_000, runs: 10, developerReruns: 3 },
      states: { in_review: 'Wartet', in_progress: 'In Progress' },
      tests: { command: ['make', 'test'], timeoutMs: 600_000 },
      postsVerdict: false,
    });
    expect(config.plane).toMatchObject({ publicUrl: 'https://plane.example.org', workspace: 'acme' });
    expect(config.gitea.publicUrl).toBe('http://127.0.0.1:3000');
    expect(Object.keys(first?.pipelines ?? {})).toEqual(['default', 'audit']);
    expect(first?.pipelines['default']?.stages).toHaveLength(6);
    expect(second?.caps.costMicros).toBeNull();
  });

  it('post the verdict where the second token is given, unless something else is given', async () => {
    write({ plane: { workspace: 'acme' }, projects: [project] });
    env['ORCH_GITEA_REVIEWER_TOKEN_FILE'] = '/run/reviewer';
    expect((await load()).config.projects[0]?.postsVerdict).toBe(true);
    env['ORCH_GITEA_REVIEWER'] = 'false';
    expect((await load()).config.projects[0]?.postsVerdict).toBe(false);
  });

  it('say more about a role than the role, and that more than the agent', async () => {
    write({
      plane: { workspace: 'acme' },
      agent: { env: ['A'], timeoutMinutes: 20, roles: { tester: { env: ['B'], model: 'haiku' } } },
      projects: [
        {
          ...project,
          agent: { env: ['C'], roles: { tester: { model: 'opus', timeoutMinutes: 5, command: ['./t'] } } },
        },
      ],
    });
    const { config } = await load();
    const policy = config.projects[0] ?? null;
    expect(config.agent.roleSettings('tester', policy)).toMatchObject({
      model: 'opus',
      timeoutMs: 300_000,
      env: ['A', 'B', 'C'],
      command: ['./t'],
      kind: 'other',
    });
    expect(config.agent.roleSettings('tester', null)).toMatchObject({
      model: 'haiku',
      timeoutMs: 2_700_000,
      env: ['A', 'B'],
      kind: 'claude',
    });
    expect(config.agent.roleSettings('analyst', policy)).toMatchObject({ model: null, timeoutMs: 1_200_000 });
    expect(config.agent.roleSettings('reviewer', policy).model).toBe('opus');
    expect(config.agent.promptFile('tester', policy)).toBeNull();
  });
});

it('an unreadable file is an error, not "no configuration"', async () => {
  const file = write({});
  chmodSync(file, 0);
  if (process.getuid?.() === 0) {
    rmSync(file);
    mkdirSync(file);
  }
  expect((await failure()).code).toBe('config_unreadable');
});
