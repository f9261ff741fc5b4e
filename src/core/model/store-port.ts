import type { AgentBreaker } from './agent-breaker.ts';
import type { Decision, DecisionRow, Snapshot } from './decision.ts';
import type { Effect, RecordedDelivery } from './effect.ts';
import type { HoldCause } from './hold.ts';
import type { EffectId, ItemId, JobId, ProjectId, RepoSlug, RunId, TaskId } from './ids.ts';
import type { Job, JobKind, JobState, NewJob, OutcomeKind, Run, RunOutcome, RunPhase, Tokens } from './job.ts';
import type { NewMessage } from './message.ts';
import type { Mirror } from './mirror.ts';
import type { ProcessReport, ProcessRow } from './process.ts';
import type { RequestLedger } from './request-ledger.ts';
import type { Role, Stage } from './stages.ts';
import type { Task, TaskMeta } from './task.ts';
import type { ProjectFacts } from './tracker.ts';
import type { Visit } from './visit.ts';

/** A named lease of one process: poller leadership. `token` rises with every change of owner. */
export interface NamedLease {
  name: string;
  owner: string;
  token: number;
  expiresAt: number;
}

/** What orch keeps of a project between polls. */
export interface ProjectRow {
  projectId: ProjectId;
  /** Highest item number at first contact; null before it. Items up to it never enter by themselves (spec 4.1). */
  firstNumber: number | null;
  /** Newest `updated_at` seen on items, ms since the epoch. */
  itemWatermark: number | null;
  /** Newest `updated_at` seen on pull requests of its repository. */
  prWatermark: number | null;
  resolved: ProjectResolved;
}

/** What the pollers of a project remember from one look to the next. Times in ms since the epoch. */
export interface ProjectResolved {
  /** Null: not read yet, or not in a form that this version understands. */
  facts: ProjectFacts | null;
  /** Items near the watermark that were read, with the `updatedAt` they had then, by id. */
  recent: Record<string, number>;
  /** Pull requests near the watermark by number: their `updatedAt`, and when it was first seen. */
  pulls: Record<string, { updatedAt: number; seenAt: number }>;
  /** The repository that the tasks are in, by the server's id and the name it had then; null: not asked yet. */
  repository: { id: number; slug: string } | null;
  /** When tasks were looked at one by one last; 0: never. */
  sweptAt: number;
  /** Number of the work item at which the last sweep ended. */
  sweepFrom: number;
  /** Changes older than the watermark that are still to be read; null: none. */
  gap: UnreadChanges | null;
  /** When the watermark was first seen, by the clock of this host; null: not known. */
  watermarkSeenAt: number | null;
  /** No change up to this time of the tracker can appear any more: it was looked through late enough. */
  settled: number;
  /** Items that could not be read, or cannot enter, by id: looked at again whatever the lists say. */
  troubled: Record<string, TroubledItem>;
}

/** Changes that more pages list than a tick may read: they are read over the next ticks, newest first. Times in ms since the epoch. */
export interface UnreadChanges {
  /** Changes down to this one are wanted. */
  since: number;
  /** Those above this one were read. */
  below: number;
  /** The page that was read last, read again first: a list by offset moves while it is read. Null: the newest page. */
  cursor: string | null;
  /** When the way down began, by the clock of this host. */
  startedAt: number;
  /** All of it was read before: it is looked through for changes that the tracker has stamped late. */
  again: boolean;
}

/** A work item that the poller cannot do justice to. */
export interface TroubledItem {
  number: number;
  /** `unreadable`: the tracker does not show it; `id_taken`: its task id belongs to another item. */
  kind: 'unreadable' | 'id_taken';
  /** One sentence for people. */
  why: string;
  /** Tries so far, and when the last one was. */
  tries: number;
  at: number;
}

export const nothingResolved: ProjectResolved = {
  facts: null,
  recent: {},
  pulls: {},
  repository: null,
  sweptAt: 0,
  sweepFrom: 0,
  gap: null,
  watermarkSeenAt: null,
  settled: 0,
  troubled: {},
};

/** What a poller saw: applied in one transaction, and only what differs from the last look is written. */
export interface Observation {
  /**
   * Leadership under which it was seen; a lost lease refuses the whole observation. Null: seen by somebody who had to look at
   * one item, to write to it or because an operator named it.
   */
  leader: NamedLease | null;
  project: ProjectRow | null;
  /** A task whose id or item is known already is passed over, with what was said in it. */
  newTasks: { task: Task; mirror: Mirror; messages: NewMessage[] }[];
  mirrors: { taskId: TaskId; mirror: Mirror }[];
  messages: NewMessage[];
}

/** Who works on a job: fences every later write about it. */
export interface Lease {
  jobId: JobId;
  runId: RunId;
  owner: string;
  token: number;
}

export interface Claim {
  job: Job;
  run: Run;
  lease: Lease;
  /** Null for an ad-hoc run. */
  task: Task | null;
  /** Micro-dollars this run may spend, or null for no cap. */
  budgetMicros: number | null;
  /** Session of the previous run of this job on this host, for a resume; null to start a new one. */
  resumeSession: string | null;
}

export interface ClaimRequest {
  host: string;
  /** `host|boot id|pid|start time` of the claiming process. */
  owner: string;
  leaseMs: number;
  /** Most runs in `preparing` or `running` on this host. */
  maxConcurrency: number;
  /** Only jobs of these projects, and of none; left out: of all. */
  projects?: readonly ProjectId[];
}

/** What follows for the job when a run ends; computed by the pure budget rules, written with the outcome. */
export type JobNext =
  | { kind: 'done' }
  | { kind: 'failed'; error: string }
  | { kind: 'cancelled' }
  | { kind: 'again'; availableAt: number; spend: Spend; error: string };

/** What a further try uses up; `launch`: nothing was started, the run is given back to the task's cap, too. */
export type Spend = 'attempt' | 'transient' | 'interruption' | 'launch' | 'nothing';

export interface Settlement {
  outcome: RunOutcome;
  publishedSha: string | null;
  next: JobNext;
  /** Queued for the task in the same transaction; null when the job goes on. */
  message: NewMessage | null;
}

export interface RunPatch {
  phase?: RunPhase;
  folder?: string;
  workspace?: string;
  pid?: number;
  pidStart?: string;
  sessionId?: string;
  baseSha?: string;
  outcome?: RunOutcome;
  /** What keeps the run from going on at the moment, shown by `status`; null when nothing does any more. */
  trouble?: string | null;
}

/** Runs of one task, of one job, on one branch (of ad-hoc jobs too), or all. */
export type RunFilter = { limit: number } & (
  | { taskId: TaskId; jobId?: never; repo?: never; branch?: never }
  | { jobId: JobId; taskId?: never; repo?: never; branch?: never }
  | { repo: RepoSlug; branch: string; taskId?: never; jobId?: never }
  | { taskId?: never; jobId?: never; repo?: never; branch?: never }
);

/** What is known of a run without its contents. */
export interface RunEnd {
  id: RunId;
  taskId: TaskId | null;
  /** Whether its job is queued, delayed or running. */
  jobLive: boolean;
  /** Null while it is not settled. */
  endedAt: number | null;
}

/** A running job whose lease may have to be taken over (spec 6). */
export interface RunningJob {
  job: Job;
  run: Run;
  lease: Lease;
  leaseExpiresAt: number;
}

export interface TaskRow {
  task: Task;
  meta: TaskMeta;
  liveJob: Job | null;
  run: Run | null;
  pendingEffects: number;
  queuedMessages: number;
}

export interface QueueCounts {
  byState: Record<JobState, number>;
  running: number;
  oldestQueuedAt: number | null;
}

/** Counts and sums over everything ever recorded, for `status` and `metrics`; what has none has no row. */
export interface Totals {
  tasks: { stage: Stage; holdCause: HoldCause | null; blocking: boolean; paused: boolean; n: number }[];
  /** Settled runs. `ms`: how long they took together. */
  runs: ({ role: Role; kind: JobKind; result: OutcomeKind; n: number; ms: number; costMicros: number } & Tokens)[];
  effects: { state: string; n: number }[];
}

/**
 * Everything durable. Every method is one atomic command with plain data; the driver holds the clock. Methods that write
 * under a lease take it and answer `lost` when another owner has it. Throws OrchError `database_*` when the database
 * cannot be used (`retry: 'later'` when it is only busy).
 */
export interface Store {
  now(): number;
  /** Name of this database, eight hexadecimal digits that no other one has: stands in what orch writes outside. */
  identity(): Promise<string>;
  /**
   * Calls the listener soon after any process has written, several times for one write; answers the function that ends it.
   * Only a hint: calls may be missing, or come from this process's own writes, so a slow poll stands behind it.
   */
  onChange(listener: () => void): () => void;
  close(): Promise<void>;

  // projects and polling
  project(projectId: ProjectId): Promise<ProjectRow>;
  /** Returns the tasks that were woken, or `lost` when the lease is not ours any more. Writes nothing when nothing differs. */
  observe(observation: Observation): Promise<{ woken: TaskId[] } | 'lost'>;
  acquireLease(name: string, owner: string, ttlMs: number): Promise<NamedLease | null>;
  releaseLease(lease: NamedLease): Promise<void>;
  /** Queues a message and wakes its task; `false` when that source key was seen before or there is no such task. */
  post(message: NewMessage): Promise<boolean>;
  /** Makes a task by command (`enqueue --work-item`); `false` when it exists. */
  addTask(task: Task, mirror: Mirror): Promise<boolean>;

  /**
   * A repository has another name: its project's tasks, their jobs that wait and their effects that are not delivered get it, and
   * the tasks hear of it. Nothing is changed while a job of it runs.
   */
  moveRepository(projectId: ProjectId, from: RepoSlug, to: RepoSlug): Promise<'ok' | 'busy'>;

  // reconcile
  /**
   * Tasks whose wake-up time has come, oldest first.
   * @param projects only tasks of these: who does not know a task's project leaves it exactly as it is; left out: of all
   */
  dueTasks(limit: number, projects?: readonly ProjectId[]): Promise<TaskId[]>;
  /** Active tasks that nothing would ever look at again, although something is to be done for them. */
  asleep(): Promise<TaskId[]>;
  /** Makes a task due. */
  wake(taskId: TaskId): Promise<void>;
  /**
   * Drops the tasks of a project that is no longer served: those that are active end as cancelled, nothing of any is done,
   * sent or read any more, and the next contact with the project is its first. Answers the tasks that were ended.
   */
  dropProject(projectId: ProjectId, by: string): Promise<TaskId[]>;
  load(taskId: TaskId): Promise<Snapshot | null>;
  /** `stale`: the version moved, load again. */
  commit(taskId: TaskId, expectedVersion: number, decision: Decision): Promise<'ok' | 'stale'>;
  /** Nothing followed: sleeps until `wakeAt`, unless something woke the task after `seenWake`. */
  rest(taskId: TaskId, seenWake: number, wakeAt: number | null): Promise<void>;

  // queue
  /** Queues a job outside a decision (ad-hoc runs); an existing cause returns that job. */
  enqueue(job: NewJob): Promise<{ job: Job; created: boolean }>;
  claim(request: ClaimRequest): Promise<Claim | null>;
  /** Whether a job is due, room or not: what an idle worker asks before anything that costs more. */
  hasDueJob(projects?: readonly ProjectId[]): Promise<boolean>;
  renew(lease: Lease, leaseMs: number): Promise<{ cancelRequested: boolean } | 'lost'>;
  patchRun(lease: Lease, patch: RunPatch): Promise<'ok' | 'lost'>;
  settle(lease: Lease, settlement: Settlement): Promise<'ok' | 'lost'>;
  runningJobs(host: string | null): Promise<RunningJob[]>;
  /** Takes a running job's lease from a dead owner: succeeds only while its token is still the one that was read. */
  takeOver(lease: Lease, newOwner: string, leaseMs: number): Promise<Claim | null>;

  // outbox
  /**
   * Hands out the next due effect. One that changes the repository only while its task is at rest, has no unhandled message
   * and still wants it: what is not wanted any more is withdrawn, and the task gets an `effect_settled` message of that.
   * @param projects only what tasks of these asked for, besides chat messages and what belongs to no task; left out: all
   * @returns `isFirst`: nothing of its kind was sent for its task before of which nobody knows what came of it
   */
  claimEffect(
    owner: string,
    leaseMs: number,
    projects?: readonly ProjectId[],
  ): Promise<{ effect: Effect; token: number; isFirst: boolean } | null>;
  settleEffect(effectId: EffectId, token: number, delivery: RecordedDelivery): Promise<'ok' | 'lost'>;
  /** Effects that some process is sending now, and who: a dead sender's are given back by a repair. */
  effectsInFlight(): Promise<{ effect: Effect; token: number; owner: string; expiresAt: number }[]>;
  /** Makes dead effects of a task deliverable again, and due at once what waits for its next try (`orch retry`). Returns how many. */
  reviveEffects(taskId: TaskId): Promise<number>;

  // the tracker's budget
  /** Requests of all processes. */
  readonly requests: RequestLedger;

  // circuit breaker of the agents
  agentBreaker(): Promise<AgentBreaker>;
  /** Writes it under the version that was read; `stale` when another worker was faster. */
  setAgentBreaker(breaker: AgentBreaker): Promise<'ok' | 'stale'>;
  /** Adds a notice that belongs to no task to the outbox (circuit breaker, recovery). */
  announce(effects: { key: string; lane: string; body: Effect['body'] }[]): Promise<void>;

  // retention
  /** Tasks that ended before this moment (ms since the epoch) and are not packed, the one that ended first first. */
  endedTasks(before: number, limit: number): Promise<Task[]>;
  /**
   * Keeps the rows of a task that ended before this moment as one compressed value. Whatever happens to the task later brings them
   * back first, and the read models below find them where they are. False: something has still to happen for it, or its
   * rows are the newest there are.
   */
  packTask(taskId: TaskId, before: number): Promise<boolean>;
  /** Drops effects of no task that were delivered, or became pointless, before this moment; answers how many. */
  forgetEffects(before: number, limit: number): Promise<number>;

  // read models
  task(taskId: TaskId): Promise<TaskRow | null>;
  taskOfItem(itemId: ItemId): Promise<TaskId | null>;
  tasks(filter: { active?: true; stage?: Stage; projectId?: ProjectId }): Promise<TaskRow[]>;
  visits(taskId: TaskId): Promise<Visit[]>;
  decisions(filter: { taskId?: TaskId; limit: number }): Promise<DecisionRow[]>;
  job(jobId: JobId): Promise<Job | null>;
  run(runId: RunId): Promise<Run | null>;
  /** Those of the runs that there are, in one query however many are asked for. */
  runEnds(runIds: RunId[]): Promise<RunEnd[]>;
  /** Newest first. */
  runs(filter: RunFilter): Promise<Run[]>;
  queueCounts(): Promise<QueueCounts>;
  recentJobs(limit: number): Promise<Job[]>;
  effects(filter: {
    taskId?: TaskId;
    state?: 'pending' | 'dead';
    limit: number;
  }): Promise<(Effect & { state: string; error: string | null })[]>;
  totals(): Promise<Totals>;
  leases(): Promise<NamedLease[]>;
  /** Records that a service process lives; one row per owner, stale ones are dropped. */
  heartbeat(report: ProcessReport): Promise<void>;
  processes(): Promise<ProcessRow[]>;
}
