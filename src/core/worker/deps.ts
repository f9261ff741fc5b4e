import type {
  CommitSha,
  GitPort,
  Job,
  LauncherPort,
  Notice,
  ProjectId,
  ProjectPolicy,
  RepoSlug,
  Role,
  Store,
  Task,
  TaskId,
  WorkspacePort,
} from '../model/index.ts';
import type { BreakerPolicy } from '../queue/breaker.ts';
import type { Backoff } from '../platform/retry.ts';
import type { Clock } from '../platform/clock.ts';
import type { Log } from '../platform/log.ts';

/** Settings of one worker process; times in milliseconds. */
export interface WorkerConfig {
  /** Upper bound of runs in `preparing` or `running` on this host; enforced in the claim. */
  maxConcurrency: number;
  /** How long a claim holds without a heartbeat; `heartbeatMs` is a quarter of it. */
  leaseMs: number;
  heartbeatMs: number;
  /** Behind the wake-up by database change; `ORCH_QUEUE_POLL_INTERVAL`. */
  pollIntervalMs: number;
  /** How long a stopping worker lets publishing, or the stop of its agents, finish. */
  drainMs: number;
  /** What a stopping worker does with its agents: they go on under their supervisor, or are stopped to be resumed. */
  onStop: 'leave' | 'stop';
  /** For transient failures of a run and for failed publishing. */
  backoff: Backoff;
  breaker: BreakerPolicy;
}

/** Everything a worker needs; nothing is kept at module level. */
export interface WorkerDeps {
  store: Store;
  launcher: LauncherPort;
  git: GitPort;
  workspaces: WorkspacePort;
  clock: Clock;
  /** Milliseconds that no clock change touches; shows a jump of the wall clock or a suspend. */
  monotonic: () => number;
  /** 0 ≤ random < 1 */
  random: () => number;
  log: Log;
  /** Identity of the database, for the trailers of commits. */
  database: string;
  host: string;
  /** `host|boot id|pid|start time` of this process. */
  owner: string;
  /** The projects that this process knows; left out: it claims jobs of all. */
  projects?: readonly ProjectId[];
  /** The project whose settings hold for a job; null when it is no longer configured. */
  policyOf: (job: Pick<Job, 'projectId' | 'repo'>) => ProjectPolicy | null;
  /** Time limit of a role in a project, for jobs that name none. */
  timeoutOf: (role: Role, projectId: ProjectId | null) => number;
  /** The project's own prompt of a role, read at this commit of the base branch; null: the one orch ships. */
  promptOf: (repo: RepoSlug, baseSha: CommitSha, role: Role, projectId: ProjectId | null) => Promise<string | null>;
  /** Link to the work item for the orders, made from configured addresses. */
  itemUrlOf: (task: Task) => string | null;
  /** A task got a message; called after the settlement is committed, so that the engine can reconcile at once. */
  onTask: (taskId: TaskId) => Promise<void>;
  /** Alerts that belong to no task. The key makes a repeated one the same. */
  announce: (key: string, notice: Notice) => Promise<void>;
  config: WorkerConfig;
}
