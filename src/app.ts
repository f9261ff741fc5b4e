import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import path from 'node:path';
import type { Config } from './core/config/config.ts';
import type { Secrets } from './core/config/secrets.ts';
import { catalogueOf } from './core/engine/messages/render.ts';
import type { DeliverDeps } from './core/engine/deliver.ts';
import type { ReconcileDeps } from './core/engine/reconcile.ts';
import { createGit } from './core/git/git.ts';
import { createWorkspaces } from './core/git/workspaces.ts';
import { createLauncher } from './core/launcher/launcher.ts';
import type {
  GitPort,
  GiteaPort,
  LauncherPort,
  PlanePort,
  PlanePhase,
  ProjectId,
  ProjectPolicy,
  Role,
  Store,
  Task,
  WorkspacePort,
} from './core/model/index.ts';
import { OrchError } from './core/model/index.ts';
import { channels } from './core/pipeline/channels.ts';
import { createGitea } from './core/peers/gitea/gitea.ts';
import { createPlane } from './core/peers/plane/plane.ts';
import { createTelegram } from './core/peers/telegram/telegram.ts';
import type { Clock } from './core/platform/clock.ts';
import type { Log } from './core/platform/log.ts';
import { ownerId } from './core/platform/processes.ts';
import type { Redactor } from './core/platform/redact.ts';
import { openStore } from './core/store/open.ts';
import { watchDatabase } from './core/store/watch.ts';
import { areFresh, factsOf, readFacts, stateFor } from './core/engine/project-facts.ts';
import type { RepairDeps } from './core/worker/repairs/repair.ts';

export interface AppOptions {
  config: Config;
  secrets: Secrets;
  redactor: Redactor;
  env: NodeJS.ProcessEnv;
  clock: Clock;
  log: Log;
  /** Whether waits for the database may be long. */
  mode: 'service' | 'command';
}

/** What `connectParts` makes. */
export interface Parts {
  git: GitPort;
  workspaces: WorkspacePort;
  plane: PlanePort;
  gitea: GiteaPort;
  launcher: LauncherPort;
}

/** The program put together; everything that needs more than the database starts here. */
export interface App extends Parts {
  config: Config;
  store: Store;
  log: Log;
  owner: string;
  /** What decides and delivers. */
  engine: ReconcileDeps & DeliverDeps;
  /** What runs agents and repairs; `onTask` is what follows a settled run. */
  workerDeps: (onTask: RepairDeps['onTask']) => RepairDeps;
  close: () => Promise<void>;
}

/**
 * The parts that work without the database: peers, git and the launcher. Tokens are read when they are first used, so
 * that a command that needs none asks for none.
 */
export function connectParts(options: Omit<AppOptions, 'mode'>): Parts {
  const { config, secrets, clock, log, redactor, env } = options;
  // Known to the redactor before the first line is written, whichever of them is needed first.
  secrets.all();
  return {
    ...gitParts(options),
    plane: createPlane({
      url: config.plane.url,
      workspace: config.plane.workspace,
      token: () => secrets.read('plane'),
      secrets: () => secrets.all(),
      requestsPerMinute: config.plane.requestsPerMinute,
      clock,
      timeouts: config.timeouts,
      log,
    }),
    gitea: createGitea({
      url: config.gitea.url,
      token: () => secrets.read('gitea'),
      secrets: () => secrets.all(),
      reviewerToken: config.gitea.reviewer ? () => secrets.read('gitea-reviewer') : null,
      timeouts: config.timeouts,
      mergeTimeoutMs: config.timeouts.mergeMs,
      clock,
      log,
    }),
    launcher: createLauncher({
      runsDir: config.runsDir,
      settingsOf: (role, projectId) => config.agent.roleSettings(role, projectOf(config, projectId)),
      identity: config.identity,
      hide: hiddenPaths(config, env),
      log,
      clock,
      redactor,
      env,
      preflightTtlMs: config.agent.preflightCacheMs,
    }),
  };
}

/** Without a project there is nothing to look at; said before anything is opened. */
function requireProject(config: Config): void {
  const lacks = [
    config.plane.workspace === '' ? 'plane.workspace' : '',
    config.projects.length === 0 ? 'projects' : '',
  ].filter((key) => key !== '');
  if (lacks.length === 0) return;
  throw new OrchError(
    `the configuration${config.file === null ? '' : ` ${config.file}`} names no ${lacks.join(' and no ')}`,
    {
      code: 'not_configured',
      hint: '`orch init` writes a configuration; `orch demo` needs none.',
    },
  );
}

/** Wires the program. @throws OrchError of `openStore` */
export async function openApp(options: AppOptions): Promise<App> {
  requireProject(options.config);
  const { config, clock, log } = options;
  const store = await openStore({ file: config.dbPath, clock, mode: options.mode });
  const owner = ownerId();
  const parts = connectParts(options);
  const { git, workspaces, plane, gitea, launcher } = parts;
  const policyOf = (task: Pick<Task, 'projectId'>): ProjectPolicy | null => projectOf(config, task.projectId);
  const engine: ReconcileDeps & DeliverDeps = {
    store,
    git,
    gitea,
    plane,
    telegram: telegramOf(options),
    policyOf,
    stateOf: (projectId, phase) => stateOf(projectId, phase, store, plane, config),
    catalogue: catalogueOf(config.language),
    owner,
    backoff: config.worker.backoff,
    random: Math.random,
    log,
  };
  const workerDeps = (onTask: RepairDeps['onTask']): RepairDeps => ({
    ...workerParts(config, { store, launcher, git, workspaces, clock, log, owner }),
    onTask,
    runsDir: config.runsDir,
    reposDir: config.reposDir,
    workspacesDir: config.workspacesDir,
    repos: [...new Set(config.projects.map((project) => project.repo))],
    workspaceRetentionMs: config.retention.workspacesMs,
  });
  return {
    ...parts,
    config,
    store,
    log,
    owner,
    engine,
    workerDeps,
    close: () => store.close(),
  };
}

function projectOf(config: Config, projectId: ProjectId | null): ProjectPolicy | null {
  return config.projects.find((project) => project.planeProject === projectId) ?? null;
}

function gitParts({ config, secrets, clock, log }: Pick<AppOptions, 'config' | 'secrets' | 'clock' | 'log'>): {
  git: GitPort;
  workspaces: WorkspacePort;
} {
  const git = createGit({
    reposDir: config.reposDir,
    remoteUrl: (repo) => `${config.gitea.cloneUrl}/${repo}.git`,
    token: () => secrets.read('gitea'),
    secrets: () => secrets.all(),
    identity: config.identity,
    timeouts: config.timeouts,
    clock,
    log,
  });
  return {
    git,
    workspaces: createWorkspaces({ workspacesDir: config.workspacesDir, git, identity: config.identity, log }),
  };
}

function telegramOf({ config, secrets, clock }: AppOptions): DeliverDeps['telegram'] {
  if (config.telegram === null || !secrets.has('telegram')) return null;
  const { chatId, apiUrl } = config.telegram;
  return createTelegram({
    token: () => secrets.read('telegram'),
    secrets: () => secrets.all(),
    chatId,
    apiUrl,
    timeoutMs: config.timeouts.telegramMs,
    clock,
  });
}

/**
 * Whether a folder holds nothing but what is orch's: neither the home folder nor a folder of the system. A file alone can
 * be covered as well, but a new one put in its place, such as a renewed token, shows again.
 */
function isOwn(folder: string, home: string | undefined): boolean {
  const system = ['/usr', '/bin', '/sbin', '/lib', '/dev', '/proc', '/sys'];
  const deep = folder.split('/').length > 2 && !system.some((top) => folder.startsWith(`${top}/`));
  return deep && (home === undefined || !`${home}/`.startsWith(`${folder}/`));
}

/** What no agent may see: state, configuration, and the files that hold tokens (spec 12), with their folders. */
function hiddenPaths(config: Config, env: NodeJS.ProcessEnv): string[] {
  const files = Object.entries(env)
    .filter(([name, value]) => name.startsWith('ORCH_') && name.endsWith('_FILE') && (value ?? '').trim() !== '')
    .map(([, value]) => path.resolve((value ?? '').trim()));
  const credentials = env['CREDENTIALS_DIRECTORY'];
  return [
    config.stateDir,
    path.dirname(config.dbPath),
    config.reposDir,
    ...(config.file === null ? [] : [config.file]),
    ...files,
    ...files.map((file) => path.dirname(file)).filter((folder) => isOwn(folder, env['HOME'])),
    ...(credentials === undefined ? [] : [credentials]),
  ];
}

/** Plane's state for a phase, from what the last poll kept, or from Plane when that is too old. */
async function stateOf(
  projectId: ProjectId,
  phase: PlanePhase,
  store: Store,
  plane: PlanePort,
  config: Config,
): Promise<string> {
  const policy = projectOf(config, projectId);
  if (policy === null)
    throw new OrchError(`Plane project ${projectId} is no longer configured`, { code: 'project_not_registered' });
  const known = factsOf(await store.project(projectId));
  const facts = areFresh(known, store.now()) ? known : await readFacts(plane, projectId, store.now());
  return stateFor(facts, phase, policy).id;
}

type WorkerParts = Pick<RepairDeps, 'store' | 'launcher' | 'git' | 'workspaces' | 'clock' | 'log' | 'owner'>;

function workerParts(
  config: Config,
  parts: WorkerParts,
): Omit<RepairDeps, 'onTask' | 'runsDir' | 'reposDir' | 'workspacesDir' | 'repos' | 'workspaceRetentionMs'> {
  const { git, store } = parts;
  return {
    ...parts,
    monotonic: () => performance.now(),
    random: Math.random,
    host: hostname(),
    // Without a project: an ad-hoc run of version 0.1.0, which knew its repository only.
    policyOf: ({ projectId, repo }) =>
      projectId === null
        ? (config.projects.find((project) => project.repo === repo) ?? null)
        : projectOf(config, projectId),
    timeoutOf: (role, projectId) => config.agent.roleSettings(role, projectOf(config, projectId)).timeoutMs,
    promptOf: async (repo, sha, role, projectId) =>
      (await git.readFile(repo, sha, `.openclaw/agents/${role}.md`, longestPrompt)) ??
      configuredPrompt(config, role, projectOf(config, projectId)),
    itemUrlOf: (task) =>
      `${config.plane.publicUrl}/${config.plane.workspace}/projects/${task.projectId}/issues/${task.itemId}`,
    onChange: (callback) => {
      const watching = watchDatabase(config.dbPath, callback);
      return () => watching.close();
    },
    announce: (key, notice) =>
      store.announce([
        {
          key,
          lane: 'telegram',
          body: { kind: 'telegram.message', notice, alert: channels[notice.body.event].telegram === 'alert' },
        },
      ]),
    config: {
      ...config.worker,
      breaker: { threshold: config.agent.breakerThreshold, pauseMs: config.agent.breakerPauseMs },
    },
  };
}

/** The prompt that the configuration names for a role; null: the one orch ships. */
function configuredPrompt(config: Config, role: Role, project: ProjectPolicy | null): string | null {
  const file = config.agent.promptFile(role, project);
  return file === null ? null : readFileSync(file, 'utf8');
}

/** A prompt of a project is a page or two; more than this is no prompt. */
const longestPrompt = 256 * 1024;
