import path from 'node:path';
import { baseAddress } from '../platform/address.ts';
import type { Config } from './config.ts';
import { policiesOf } from './policies.ts';
import { absolutePath, promptFileOf, roleSettingsOf } from './roles.ts';
import type { Settings } from './schema.ts';
import { daysInMs, secondsInMs } from './times.ts';

export interface ResolveContext {
  file: string | null;
  env: NodeJS.ProcessEnv;
  cwd: string;
  /** Whether the token of the reviewer's account is given. */
  hasReviewerToken: boolean;
  /** Whether the value of a key came from the file: then a relative path is relative to the file, else to `cwd`. */
  fromFile: (key: string) => boolean;
}

const megabyte = 1_000_000;

/** systemd's `StateDirectory=` comes as a list of absolute paths with colons; the first is ours. */
function standardStateDir(env: NodeJS.ProcessEnv): string {
  const systemd = (env['STATE_DIRECTORY'] ?? '').split(':')[0] ?? '';
  return systemd !== '' ? systemd : '~/.local/state/orch';
}

type FolderContext = Omit<ResolveContext, 'hasReviewerToken'>;

/** A configured folder, absolute: from the file's folder where the file names it, else from the working folder. */
function absoluteFolder(key: string, folder: string, context: FolderContext): string {
  const fileFolder = context.file === null ? context.cwd : path.dirname(context.file);
  return absolutePath(folder, context.fromFile(key) ? fileFolder : context.cwd, context.env);
}

/** @param given `stateDir` of the settings */
export function stateDirOf(given: string | undefined, context: FolderContext): string {
  return absoluteFolder('stateDir', given ?? standardStateDir(context.env), context);
}

function foldersOf(
  settings: Settings,
  context: ResolveContext,
): Pick<Config, 'stateDir' | 'dbPath' | 'reposDir' | 'workspacesDir' | 'runsDir'> {
  const stateDir = stateDirOf(settings.stateDir, context);
  const below = (key: 'dbPath' | 'reposDir' | 'workspacesDir' | 'runsDir', name: string): string => {
    const own = settings[key];
    return own === undefined ? path.join(stateDir, name) : absoluteFolder(key, own, context);
  };
  return {
    stateDir,
    dbPath: below('dbPath', 'orch.db'),
    reposDir: below('reposDir', 'repos'),
    workspacesDir: below('workspacesDir', 'workspaces'),
    runsDir: below('runsDir', 'runs'),
  };
}

function workerOf({ worker }: Settings): Config['worker'] {
  return {
    maxConcurrency: worker.maxConcurrency,
    leaseMs: secondsInMs(worker.leaseSeconds),
    heartbeatMs: Math.round(secondsInMs(worker.leaseSeconds) / 4),
    drainMs: secondsInMs(worker.drainSeconds),
    pollIntervalMs: secondsInMs(worker.pollIntervalSeconds),
    onStop: worker.onStop,
    backoff: { baseMs: secondsInMs(worker.backoffBaseSeconds), maxMs: secondsInMs(worker.backoffMaxSeconds) },
    budgets: {
      attempts: worker.attempts,
      transientRetries: worker.transientRetries,
      interruptions: worker.interruptions,
    },
  };
}

function peersOf(settings: Settings, reviewer: boolean): Pick<Config, 'plane' | 'gitea' | 'telegram'> {
  const { plane, gitea, telegram } = settings;
  return {
    plane: {
      url: baseAddress(plane.url),
      publicUrl: baseAddress(plane.publicUrl ?? plane.url),
      workspace: plane.workspace,
      requestsPerMinute: settings.poll.planeRequestsPerMinute,
    },
    gitea: {
      url: baseAddress(gitea.url),
      publicUrl: baseAddress(gitea.publicUrl ?? gitea.url),
      cloneUrl: baseAddress(gitea.cloneUrl ?? gitea.url),
      reviewer,
    },
    telegram: telegram.chatId === undefined ? null : { chatId: telegram.chatId, apiUrl: baseAddress(telegram.apiUrl) },
  };
}

/** Turns checked settings into what the program uses. Pure: nothing is read and no folder is made. */
export function resolveConfig(settings: Settings, context: ResolveContext): Config {
  const reviewer = settings.gitea.reviewer ?? context.hasReviewerToken;
  const fileFolder = context.file === null ? context.cwd : path.dirname(context.file);
  const absolute = (file: string): string => absolutePath(file, fileFolder, context.env);
  const { timeouts, agent } = settings;
  return {
    file: context.file,
    language: settings.language,
    ...foldersOf(settings, context),
    ...peersOf(settings, reviewer),
    tls: { caFile: settings.tls.caFile === undefined ? null : absolute(settings.tls.caFile) },
    poll: {
      schedule: settings.poll.schedule,
      quickMs: secondsInMs(settings.poll.quickSeconds),
      // A third of the budget: the rest is for ticks and what is delivered.
      quickRequests: Math.max(1, Math.floor(settings.poll.planeRequestsPerMinute / 3)),
      idleMs: secondsInMs(settings.poll.idleSeconds),
    },
    worker: workerOf(settings),
    agent: {
      preflightCacheMs: secondsInMs(agent.preflightCacheSeconds),
      breakerThreshold: agent.breakerThreshold,
      breakerPauseMs: secondsInMs(agent.breakerPauseSeconds),
      roleSettings: (role, project) => roleSettingsOf(settings, role, project, absolute),
      promptFile: (role, project) => promptFileOf(settings, role, project, absolute),
    },
    identity: { name: settings.git.name, email: settings.git.email },
    commitLimits: {
      fileBytes: settings.git.maxFileMegabytes * megabyte,
      totalBytes: settings.git.maxCommitMegabytes * megabyte,
    },
    timeouts: {
      readMs: secondsInMs(timeouts.readSeconds),
      writeMs: secondsInMs(timeouts.writeSeconds),
      mergeMs: secondsInMs(timeouts.mergeSeconds),
      gitMs: secondsInMs(timeouts.gitSeconds),
      transferMs: secondsInMs(timeouts.transferSeconds),
      telegramMs: secondsInMs(timeouts.telegramSeconds),
    },
    retention: {
      workspacesMs: daysInMs(settings.retention.workspaceDays),
      runsMs: daysInMs(settings.retention.runDays),
      tasksMs: daysInMs(settings.retention.taskDays),
    },
    projects: policiesOf(settings, reviewer),
  };
}
