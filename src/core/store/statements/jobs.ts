import type { Job, JobId, JobState, NewJob, QueueCounts, TaskId } from '../../model/index.ts';
import { liveStates, slotPhases, waitingState } from '../../queue/claim.ts';
import { decode, decodeOrNull, encodeOrNull, idOf, inList, isSet, rowId } from '../codec.ts';
import { all, one, run, type Query, type Value } from '../query.ts';
import { asJobKind, asRole } from '../words.ts';
import { finished } from './finished.ts';

export interface JobColumns {
  id: number;
  kind: string;
  role: string;
  task_id: string | null;
  project_id: string | null;
  cause: string;
  repo: string;
  branch: string;
  visit: number;
  orders: string;
  command: string | null;
  timeout_ms: number | null;
  run_cap: number | null;
  cost_cap_micros: number | null;
  state: string;
  available_at: number;
  attempts: number;
  max_attempts: number;
  transient: number;
  max_transient: number;
  interruptions: number;
  max_interruptions: number;
  cancel_requested: number;
  lease_owner: string | null;
  lease_token: number;
  lease_expires_at: number | null;
  last_error: string | null;
  created_at: number;
  finished_at: number | null;
}

export function decodeJob(row: JobColumns): Job {
  return {
    id: idOf<JobId>(row.id),
    kind: row.kind as Job['kind'],
    role: row.role as Job['role'],
    taskId: row.task_id as TaskId | null,
    projectId: row.project_id as Job['projectId'],
    cause: row.cause,
    repo: row.repo as Job['repo'],
    branch: row.branch,
    visit: row.visit,
    orders: decode(row.orders),
    command: decodeOrNull(row.command),
    timeoutMs: row.timeout_ms,
    runCap: row.run_cap,
    costCapMicros: row.cost_cap_micros,
    state: row.state as JobState,
    availableAt: row.available_at,
    attempts: row.attempts,
    maxAttempts: row.max_attempts,
    transient: row.transient,
    maxTransient: row.max_transient,
    interruptions: row.interruptions,
    maxInterruptions: row.max_interruptions,
    cancelRequested: isSet(row.cancel_requested),
    leaseOwner: row.lease_owner,
    leaseToken: row.lease_token,
    leaseExpiresAt: row.lease_expires_at,
    lastError: row.last_error,
    createdAt: row.created_at,
    finishedAt: row.finished_at,
  };
}

const insertJob = `INSERT INTO jobs (kind, role, task_id, project_id, cause, repo, branch, visit, orders, command, timeout_ms, run_cap,
    cost_cap_micros, state, available_at, max_attempts, max_transient, max_interruptions, created_at)
  VALUES (@kind, @role, @task_id, @project_id, @cause, @repo, @branch, @visit, @orders, @command, @timeout_ms, @run_cap,
    @cost_cap_micros, @state, @available_at, @max_attempts, @max_transient, @max_interruptions, @now)
  RETURNING *`;

function encodeJob(job: NewJob, now: number): Record<string, Value> {
  const availableAt = job.availableAt ?? now;
  return {
    kind: asJobKind(job.kind),
    role: asRole(job.role),
    task_id: job.taskId,
    project_id: job.projectId,
    cause: job.cause,
    repo: job.repo,
    branch: job.branch,
    visit: job.visit,
    orders: JSON.stringify(job.orders),
    command: encodeOrNull(job.command),
    timeout_ms: job.timeoutMs,
    run_cap: job.runCap,
    cost_cap_micros: job.costCapMicros,
    state: waitingState(availableAt, now),
    available_at: availableAt,
    max_attempts: job.maxAttempts,
    max_transient: job.maxTransient,
    max_interruptions: job.maxInterruptions,
    now,
  };
}

// Two texts: a partial index serves only a query that repeats its condition.
const byCause = 'SELECT * FROM jobs WHERE task_id = @taskId AND cause = @cause';
const adhocByCause = 'SELECT * FROM jobs WHERE task_id IS NULL AND cause = @cause';

const liveOfTask = `SELECT * FROM jobs WHERE task_id = @taskId AND state IN (${inList(liveStates)})`;
const liveOfTasks = `SELECT * FROM jobs WHERE task_id IS NOT NULL AND state IN (${inList(liveStates)})`;

const cancelWaiting = `UPDATE jobs SET state = 'cancelled', finished_at = @now
  WHERE id = @id AND state IN ('queued', 'delayed')`;

const slotsTaken = `SELECT count(*) AS n FROM runs WHERE phase <> 'settled' AND phase IN (${inList(slotPhases)})`;

// Each part reads an index that holds the jobs of that state only.
const liveCounts = liveStates
  .map((state) => `SELECT '${state}' AS state, count(*) AS n FROM jobs WHERE state = '${state}'`)
  .join(' UNION ALL ');

/** Jobs outside a claim. */
export const jobs = {
  *find(id: JobId): Query<Job | null> {
    return orNull(yield* one<JobColumns>('SELECT * FROM jobs WHERE id = @id', { id: rowId(id) }));
  },
  *byCause(taskId: TaskId | null, cause: string): Query<Job | null> {
    return orNull(
      taskId === null
        ? yield* one<JobColumns>(adhocByCause, { cause })
        : yield* one<JobColumns>(byCause, { taskId, cause }),
    );
  },
  *live(taskId: TaskId): Query<Job | null> {
    return orNull(yield* one<JobColumns>(liveOfTask, { taskId }));
  },
  /** The live jobs of all tasks, each of which has one at most. */
  *liveOfTasks(): Query<Job[]> {
    return (yield* all<JobColumns>(liveOfTasks)).map(decodeJob);
  },
  /** Throws the database's constraint error when the task has another live job, or the cause is known: check first. */
  *insert(job: NewJob, now: number): Query<Job> {
    return decodeJob((yield* one<JobColumns>(insertJob, encodeJob(job, now))) as JobColumns);
  },
  /** A waiting job ends at once; a running one is asked to stop. Finished jobs stay as they are. */
  *cancel(jobId: JobId, now: number): Query<void> {
    const id = rowId(jobId);
    yield* run(cancelWaiting, { id, now });
    yield* run(`UPDATE jobs SET cancel_requested = 1 WHERE id = @id AND state = 'running'`, { id });
  },
  *recent(limit: number): Query<Job[]> {
    return (yield* all<JobColumns>('SELECT * FROM jobs ORDER BY id DESC LIMIT @limit', { limit })).map(decodeJob);
  },
  *counts(): Query<QueueCounts> {
    const byState: QueueCounts['byState'] = { queued: 0, delayed: 0, running: 0, done: 0, failed: 0, cancelled: 0 };
    const live = yield* all<{ state: JobState; n: number }>(liveCounts);
    for (const { state, n } of [...live, ...(yield* finished.states<JobState>('jobs'))]) byState[state] = n;
    const slots = yield* one<{ n: number }>(slotsTaken);
    const oldest = yield* one<{ at: number | null }>(`SELECT min(available_at) AS at FROM jobs WHERE state = 'queued'`);
    return { byState, running: slots?.n ?? 0, oldestQueuedAt: oldest?.at ?? null };
  },
};

function orNull(row: JobColumns | null): Job | null {
  return row === null ? null : decodeJob(row);
}
