import type { CommitSha, JobId, ProjectId, RepoSlug, RunId, TaskId } from './ids.ts';
import type { RunCause } from './run-causes.ts';
import type { Role } from './stages.ts';
import type { AgentResult } from './visit.ts';

export type JobState = 'queued' | 'delayed' | 'running' | 'done' | 'failed' | 'cancelled';
/** `agent`: one run of a role; `check`: the project's test command; `adhoc`: a run that belongs to no work item (spec 3.4). */
export type JobKind = 'agent' | 'check' | 'adhoc';

/** What `.orch/task.md` says to the agent in addition to the facts of the task: why this run, and the material in full. */
export interface Orders {
  why: string;
  /** Titled texts: findings, report, failing contexts, conflict, answers. Untrusted: fenced when written. */
  sections: { title: string; text: string }[];
  /** Ids of the threads that the agent is asked to answer; absent: none. */
  threads?: string[];
}

/** Counters of one job. `attempts` are runs that failed for their own reasons; the three never spend one another (spec 6). */
interface JobBudgets {
  attempts: number;
  maxAttempts: number;
  transient: number;
  maxTransient: number;
  interruptions: number;
  maxInterruptions: number;
}

/** What is asked for when a job is queued. */
export interface NewJob {
  kind: JobKind;
  role: Role;
  /** Null for an ad-hoc run. */
  taskId: TaskId | null;
  /** Whose settings hold: two projects may share a repository. */
  projectId: ProjectId;
  /** Unique per task, finished jobs included: the same cause twice is the same job (spec 6). */
  cause: string;
  repo: RepoSlug;
  branch: string;
  visit: number;
  orders: Orders;
  /** Check jobs: the command to run. Ad-hoc runs: null. */
  command: string[] | null;
  timeoutMs: number | null;
  maxAttempts: number;
  maxTransient: number;
  maxInterruptions: number;
  /** Caps of the task, checked again when the job is claimed. */
  runCap: number | null;
  costCapMicros: number | null;
  /** Earliest start, ms since the epoch; null: at once. */
  availableAt: number | null;
}

export interface Job extends JobBudgets {
  id: JobId;
  kind: JobKind;
  role: Role;
  taskId: TaskId | null;
  /** Null only for an ad-hoc run that version 0.1.0 queued. */
  projectId: ProjectId | null;
  cause: string;
  repo: RepoSlug;
  branch: string;
  visit: number;
  orders: Orders;
  command: string[] | null;
  timeoutMs: number | null;
  runCap: number | null;
  costCapMicros: number | null;
  state: JobState;
  availableAt: number;
  cancelRequested: boolean;
  leaseOwner: string | null;
  leaseToken: number;
  leaseExpiresAt: number | null;
  lastError: string | null;
  createdAt: number;
  finishedAt: number | null;
}

/** `preparing → running → publishing → settled`; only the first two hold a slot of the host. */
export type RunPhase = 'preparing' | 'running' | 'publishing' | 'settled';

/**
 * What became of a run. `own_fault` spends an attempt, `transient` a transient retry, `interrupted` an interruption;
 * `usage_limit` and `authentication` spend nothing and wait.
 */
export type OutcomeKind =
  | 'success'
  | 'own_fault'
  | 'timeout'
  | 'budget'
  | 'transient'
  | 'usage_limit'
  | 'authentication'
  | 'interrupted'
  | 'cancelled';

/** What a run used of the model, by class: `cacheRead` was served by the provider's cache, `cacheWrite` was stored in it. */
export interface Tokens {
  /** Read by the model without the cache. */
  input: number;
  output: number;
  cacheRead: number;
  cacheWrite: number;
}

export interface RunOutcome {
  kind: OutcomeKind;
  /** The finer cause; its attributes say what another run can expect. */
  cause: RunCause;
  /** One line for people; already redacted. */
  detail: string;
  exitCode: number | null;
  /** When a usage limit resets, or the earliest retry the server named; ms since the epoch. */
  resetAt: number | null;
  costMicros: number | null;
  tokens: Tokens | null;
  sessionId: string | null;
  turns: number | null;
  /** What the agent wrote to `.orch/result.json`; null when absent or unreadable. */
  result: AgentResult | null;
  /** Why the `.orch/result.json` that is there cannot be read, one line; absent when it can, or when there is none. */
  resultTrouble?: string;
  /** Last 4 KiB of what it printed, redacted. */
  tail: string;
}

const checkPrefix = 'check:';

/**
 * Cause of the check of a code tree. A check that came to no answer does not count for its tree, so the next one has a cause
 * of its own.
 * @param lost checks of the task that came to no answer
 */
export function checkCause(codeTree: string, lost: number): string {
  return `${checkPrefix}${codeTree}${lost === 0 ? '' : `#${lost}`}`;
}

/** The code tree in what `checkCause` made; null for the cause of any other job. */
export function codeTreeOf(cause: string): string | null {
  return cause.startsWith(checkPrefix) ? (cause.slice(checkPrefix.length).split('#')[0] ?? '') : null;
}

/** Whether a check's command was run to an end of its own or to its time limit; anything else says nothing about the code. */
export function answersCheck(outcome: Pick<RunOutcome, 'kind' | 'cause'>): boolean {
  return (
    outcome.kind === 'success' ||
    outcome.kind === 'timeout' ||
    (outcome.kind === 'own_fault' && outcome.cause === 'exit_status')
  );
}

export interface Run {
  id: RunId;
  jobId: JobId;
  taskId: TaskId | null;
  role: Role;
  kind: JobKind;
  /** Which run of its job this is, from 1. */
  attempt: number;
  leaseToken: number;
  host: string;
  phase: RunPhase;
  /** Absolute path of the run folder; empty until it exists. */
  folder: string;
  workspace: string;
  pid: number | null;
  /** Start time of that pid in clock ticks since boot, from /proc: a pid alone may have been reused. */
  pidStart: string | null;
  sessionId: string | null;
  baseSha: CommitSha | null;
  publishedSha: CommitSha | null;
  outcome: RunOutcome | null;
  startedAt: number;
  endedAt: number | null;
}

/** What publishing a run's work came to (spec 7). */
export interface Published {
  /** The branch's head afterwards. */
  sha: CommitSha;
  /** Whether the run changed anything that was published. */
  committed: boolean;
  /** Paths outside the role's scope: saved as a patch in the run folder and taken back. */
  outOfScope: string[];
  /** Changed files that are not in the commit, each with the reason: too large, of a filter, of another place. Absent: none. */
  leftOut?: string[];
}

/** How long a job whose run failed waits for its next one; all in milliseconds from now. */
export interface RunWaits {
  /** @param n transient failures so far, this one included */
  afterTrouble(n: number, notBeforeMs: number): number;
  /** @param waitedMs how long the job has waited already */
  afterOutage(waitedMs: number): number;
  /** @param resetMs until the limit resets; null: unknown */
  afterLimit(resetMs: number | null): number;
  untilLogin: number;
}
