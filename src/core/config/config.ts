import type { AgentSettings, CommitLimits, GitIdentity, Language, ProjectPolicy, Role } from '../model/index.ts';
import type { Backoff } from '../platform/retry.ts';

/**
 * The configuration as the program uses it: absolute paths, milliseconds, addresses without a trailing slash. No
 * secrets: tokens come from `Secrets`, when they are needed.
 */
export interface Config {
  /** The file it came from; null when there is none. */
  file: string | null;
  language: Language;
  stateDir: string;
  dbPath: string;
  reposDir: string;
  workspacesDir: string;
  runsDir: string;
  plane: { url: string; publicUrl: string; workspace: string; requestsPerMinute: number };
  gitea: {
    url: string;
    publicUrl: string;
    /** Git clones from and pushes to `<cloneUrl>/<owner>/<name>.git`. */
    cloneUrl: string;
    /** Whether a second account posts the reviewer's verdict. */
    reviewer: boolean;
  };
  /** Certificate authorities to trust in addition, PEM, absolute; null: none. */
  tls: { caFile: string | null };
  /** Null: nothing is sent to Telegram. */
  telegram: { chatId: string; apiUrl: string } | null;
  poll: {
    schedule: string;
    /** Between two looks at what a person was asked for or CI is at work on; 0: there are none between two ticks. */
    quickMs: number;
    /** Requests to the tracker a minute that such looks may be. */
    quickRequests: number;
    /** Between two ticks while no task is open, at least. */
    idleMs: number;
  };
  worker: {
    maxConcurrency: number;
    leaseMs: number;
    /** A quarter of the lease, so that three lost heartbeats in a row do not lose it. */
    heartbeatMs: number;
    drainMs: number;
    pollIntervalMs: number;
    onStop: 'leave' | 'stop';
    backoff: Backoff;
    budgets: ProjectPolicy['budgets'];
  };
  agent: {
    preflightCacheMs: number;
    breakerThreshold: number;
    breakerPauseMs: number;
    /** Settings of a role for a project; null for a run that belongs to none. */
    roleSettings(role: Role, project: ProjectPolicy | null): AgentSettings;
    /** Configured prompt of the role, absolute; null: the one orch ships. */
    promptFile(role: Role, project: ProjectPolicy | null): string | null;
  };
  identity: GitIdentity;
  commitLimits: CommitLimits;
  timeouts: {
    readMs: number;
    writeMs: number;
    mergeMs: number;
    gitMs: number;
    transferMs: number;
    telegramMs: number;
  };
  retention: { workspacesMs: number; runsMs: number; tasksMs: number };
  projects: ProjectPolicy[];
}
