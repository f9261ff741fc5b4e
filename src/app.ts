import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import type { Config } from './core/config/config.ts';
import { databaseOf } from './core/config/database.ts';
import { catalogueOf } from './core/engine/messages/render.ts';
import type { DeliverDeps } from './core/engine/deliver.ts';
import { factsFor } from './core/engine/project-facts.ts';
import type { PollerParts } from './pollers/poll-once.ts';
import type { LinkedPolicy, ProjectPolicy, Role, Store, Task } from './core/model/index.ts';
import { OrchError } from './core/model/index.ts';
import { linksOf } from './core/peers/links.ts';
import { createTelegram } from './core/peers/telegram/telegram.ts';
import { channels, chatLane } from './core/pipeline/channels.ts';
import { roleNames } from './core/pipeline/stages/index.ts';
import type { Log } from './core/platform/log.ts';
import { ownerId } from './core/platform/processes.ts';
import { openStore } from './core/store/open.ts';
import type { RepairDeps } from './core/worker/repairs/repair.ts';
import { connectParts, projectOf, type PartOptions, type Parts } from './parts.ts';

export interface AppOptions extends Omit<PartOptions, 'ledger'> {
  /** Whether waits for the database may be long. */
  mode: 'service' | 'command';
}

/** The program put together; everything that needs more than the database starts here. */
export interface App extends Parts {
  config: Config;
  store: Store;
  log: Log;
  owner: string;
  /** What decides and delivers. */
  engine: PollerParts;
  /** What runs agents and repairs; `onTask` is what follows a settled run. */
  workerDeps: (onTask: RepairDeps['onTask']) => RepairDeps;
  close: () => Promise<void>;
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
  const store = await openStore({ database: databaseOf(config), clock, mode: options.mode });
  const identity = await store.identity();
  const owner = ownerId();
  const parts = connectParts({ ...options, ledger: store.requests });
  const { git, workspaces, tracker, forge, launcher } = parts;
  const links = linksOf(config);
  const policyOf = (task: Pick<Task, 'projectId'>): LinkedPolicy | null => {
    const policy = projectOf(config, task.projectId);
    return policy === null ? null : { ...policy, links };
  };
  const known = config.projects.map(({ projectId }) => projectId);
  const engine: PollerParts = {
    store,
    git,
    forge,
    tracker,
    chat: chatOf(options, parts),
    database: identity,
    projects: known,
    policyOf,
    factsOf: async (projectId, item) =>
      factsFor((await store.project(projectId)).resolved.facts, item, [], { tracker, projectId, now: store.now() }),
    catalogue: catalogueOf(config.language),
    owner,
    backoff: config.worker.backoff,
    random: Math.random,
    failedDecisions: new Map(),
    moveCopies: async (from, to) => {
      await git.rename(from, to);
      await workspaces.rename(from, to);
    },
    log,
  };
  const workerDeps = (onTask: RepairDeps['onTask']): RepairDeps => ({
    ...workerParts(config, { database: identity, store, launcher, git, workspaces, clock, log, owner }),
    onTask,
    runsDir: config.runsDir,
    repos: [...new Set(config.projects.map((project) => project.repo))],
    workspaceRetentionMs: config.retention.workspacesMs,
    runRetentionMs: config.retention.runsMs,
    taskRetentionMs: config.retention.tasksMs,
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

function chatOf({ config, secrets, clock }: AppOptions, { network }: Pick<Parts, 'network'>): DeliverDeps['chat'] {
  if (config.telegram === null || !secrets.has('telegram')) return null;
  const { chatId, apiUrl } = config.telegram;
  return createTelegram({
    token: () => secrets.read('telegram'),
    secrets: () => secrets.all(),
    chatId,
    apiUrl,
    timeoutMs: config.timeouts.telegramMs,
    network,
    clock,
  });
}

type WorkerParts = Pick<
  RepairDeps,
  'database' | 'store' | 'launcher' | 'git' | 'workspaces' | 'clock' | 'log' | 'owner'
>;

function workerParts(
  config: Config,
  parts: WorkerParts,
): Omit<RepairDeps, 'onTask' | 'runsDir' | 'repos' | 'workspaceRetentionMs' | 'runRetentionMs' | 'taskRetentionMs'> {
  const { git, store } = parts;
  return {
    ...parts,
    monotonic: () => performance.now(),
    random: Math.random,
    host: hostname(),
    projects: config.projects.map(({ projectId }) => projectId),
    // Without a project: an ad-hoc run of version 0.1.0, which knew its repository only.
    policyOf: ({ projectId, repo }) =>
      projectId === null
        ? (config.projects.find((project) => project.repo === repo) ?? null)
        : projectOf(config, projectId),
    timeoutOf: (role, projectId) => config.agent.roleSettings(role, projectOf(config, projectId)).timeoutMs,
    promptOf: async (repo, sha, role, projectId) => {
      const project = projectOf(config, projectId);
      const inRepository = (name: string): Promise<string | null> =>
        git.readFile(repo, sha, `.openclaw/agents/${name}.md`, maxPrompt);
      // Projects that share a repository have a folder each.
      const own = project === null ? null : await inRepository(`${project.prefix}/${role}`);
      return own ?? (await inRepository(role)) ?? configuredPrompt(config, role, project);
    },
    itemUrlOf: (task) => linksOf(config).item(task.projectId, task.itemId),
    announce: (key, notice) =>
      store.announce([
        {
          key,
          lane: chatLane,
          body: { kind: 'chat.message', notice, alert: channels[notice.body.event].chat === 'alert' },
        },
      ]),
    config: {
      ...config.worker,
      breaker: { threshold: config.agent.breakerThreshold, pauseMs: config.agent.breakerPauseMs },
    },
  };
}

/** The prompt that the configuration names for a role; null: the one orch ships. @throws OrchError `not_configured` */
function configuredPrompt(config: Config, role: Role, project: ProjectPolicy | null): string | null {
  const file = config.agent.promptFile(role, project);
  if (file !== null) return readFileSync(file, 'utf8');
  if (roleNames.includes(role)) return null;
  // A task keeps the stages it began with, also one that the configuration has lost since.
  throw new OrchError(`orch has no prompt for the role ${role}`, {
    code: 'not_configured',
    hint: `Define its stage again until the tasks that began with it are done, or put the prompt into .openclaw/agents/${role}.md.`,
  });
}

/** A prompt of a project is a page or two; more than this is no prompt. */
const maxPrompt = 256 * 1024;
