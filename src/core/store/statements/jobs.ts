import type { Job, JobId, JobState, NewJob, QueueCounts, TaskId } from '../model/index.ts';
import { liveStates, slotPhases, waitingState } from '../queue/claim.ts';
import { decode, decodeOrNull, encodeOrNull, inList, rowId } from './codec.ts';
import type { Sql } from './connection.ts';
import { asJobKind, asRole } from './words.ts';

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
    id: String(row.id) as JobId,
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
    cancelRequested: row.cancel_requested === 1,
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

function encodeJob(job: NewJob, now: number): Record<string, string | number | null> {
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

/** Jobs outside a claim. Each function is one statement; the callers hold the transaction. */
export function jobStatements(sql: Sql) {
  return {
    find(id: JobId): Job | null {
      const row = sql<JobColumns>('SELECT * FROM jobs WHERE id = ?').get(rowId(id));
      return row === undefined ? null : decodeJob(row);
    },
    byCause(taskId: TaskId | null, cause: string): Job | null {
      // Two texts: a partial index serves only a query that repeats its condition.
      const row =
        taskId === null
          ? sql<JobColumns>('SELECT * FROM jobs WHERE task_id IS NULL AND cause = ?').get(cause)
          : sql<JobColumns>('SELECT * FROM jobs WHERE task_id = ? AND cause = ?').get(taskId, cause);
      return row === undefined ? null : decodeJob(row);
    },
    live(taskId: TaskId): Job | null {
      const row = sql<JobColumns>(`SELECT * FROM jobs WHERE task_id = ? AND state IN (${inList(liveStates)})`).get(
        taskId,
      );
      return row === undefined ? null : decodeJob(row);
    },
    /** Throws SQLite's constraint error when the task has another live job, or the cause is known: check first. */
    insert(job: NewJob, now: number): Job {
      return decodeJob(sql<JobColumns>(insertJob).get(encodeJob(job, now)) as JobColumns);
    },
    /** A waiting job ends at once; a running one is asked to stop. Finished jobs stay as they are. */
    cancel(id: JobId, now: number): void {
      sql(`UPDATE jobs SET state = 'cancelled', finished_at = ? WHERE id = ? AND state IN ('queued', 'delayed')`).run(
        now,
        rowId(id),
      );
      sql(`UPDATE jobs SET cancel_requested = 1 WHERE id = ? AND state = 'running'`).run(rowId(id));
    },
    recent(limit: number): Job[] {
      return sql<JobColumns>('SELECT * FROM jobs ORDER BY id DESC LIMIT ?').all(limit).map(decodeJob);
    },
    counts(): QueueCounts {
      const byState: QueueCounts['byState'] = { queued: 0, delayed: 0, running: 0, done: 0, failed: 0, cancelled: 0 };
      const rows = sql<{ state: JobState; n: number }>('SELECT state, count(*) AS n FROM jobs GROUP BY state').all();
      for (const row of rows) byState[row.state] = row.n;
      const slots = sql<{ n: number }>(
        `SELECT count(*) AS n FROM runs WHERE phase <> 'settled' AND phase IN (${inList(slotPhases)})`,
      ).get();
      const oldest = sql<{ at: number | null }>(
        `SELECT min(available_at) AS at FROM jobs WHERE state = 'queued'`,
      ).get();
      return { byState, running: slots?.n ?? 0, oldestQueuedAt: oldest?.at ?? null };
    },
  };
}

export type JobStatements = ReturnType<typeof jobStatements>;
