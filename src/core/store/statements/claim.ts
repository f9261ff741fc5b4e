import type { Claim, ClaimRequest, Job, JobId, Lease, RunId, Task, TaskId } from '../model/index.ts';
import { budgetOf, refusalMessage, refusalOf, sessionToResume, type Refusal } from '../queue/claim.ts';
import { decodeJob } from './jobs.ts';
import type { JobColumns } from './jobs.ts';
import { postMessage } from './families.ts';
import type { Families } from './families.ts';
import { decodeRun } from './runs.ts';
import type { RunColumns } from './runs.ts';
import type { StoredTask } from './tasks.ts';

const promote = `UPDATE jobs SET state = 'queued' WHERE state = 'delayed' AND available_at <= ?`;

// No `available_at <= now` here: what was once due stays due when the clock is set back.
const pick = `SELECT j.* FROM jobs AS j LEFT JOIN tasks AS t ON t.id = j.task_id
  WHERE j.state = 'queued' AND coalesce(t.paused, 0) = 0 AND NOT EXISTS (
    SELECT 1 FROM jobs AS r WHERE r.state = 'running' AND r.repo = j.repo AND r.branch = j.branch)
  ORDER BY j.available_at, j.id LIMIT 1`;

const take = `UPDATE jobs SET state = 'running', lease_token = lease_token + 1, lease_owner = @owner,
    lease_expires_at = @expires WHERE id = @id AND state = 'queued' RETURNING *`;

const refuse = `UPDATE jobs SET state = 'failed', last_error = @error, finished_at = @now WHERE id = @id AND state = 'queued'`;

/** Whether any job is due, were there room for it; two looks into partial indexes, however many jobs have finished. */
export function anyDue(f: Families, now: number): boolean {
  return (
    f.sql(`SELECT 1 FROM jobs WHERE state = 'queued' LIMIT 1`).get() !== undefined ||
    f.sql(`SELECT 1 FROM jobs WHERE state = 'delayed' AND available_at <= ? LIMIT 1`).get(now) !== undefined
  );
}

/** Whether a claim could find anything: asked before the write lock is taken, so that an idle worker disturbs nobody. */
export function mayClaim(f: Families, request: ClaimRequest, now: number): boolean {
  return f.runs.slotsTaken(request.host) < request.maxConcurrency && anyDue(f, now);
}

/**
 * Takes the oldest job that may run here, with its run and its reservation. The caller's IMMEDIATE transaction makes
 * look and take one step: no other process counts slots or picks jobs in between. A job whose task is over a cap fails
 * and tells its task; the next one is looked at.
 */
export function claimJob(f: Families, request: ClaimRequest, now: number): Claim | null {
  f.sql(promote).run(now);
  if (f.runs.slotsTaken(request.host) >= request.maxConcurrency) return null;
  for (;;) {
    const row = f.sql<JobColumns>(pick).get();
    if (row === undefined) return null;
    const job = decodeJob(row);
    const stored = job.taskId === null ? null : f.tasks.find(job.taskId);
    const reason = stored === null ? null : refusalOf(job, stored.meta);
    if (stored !== null && reason !== null) refuseJob(f, job, stored.task.id, reason, now);
    else return start(f, job, stored, request, now);
  }
}

function refuseJob(f: Families, job: Job, taskId: TaskId, reason: Refusal, now: number): void {
  f.sql(refuse).run({ id: Number(job.id), error: reason, now });
  postMessage(f, refusalMessage(job, taskId, reason), now);
}

function start(f: Families, job: Job, stored: StoredTask | null, request: ClaimRequest, now: number): Claim {
  const taken = f
    .sql<JobColumns>(take)
    .get({ id: Number(job.id), owner: request.owner, expires: now + request.leaseMs }) as JobColumns;
  const budget = budgetOf(job, stored?.meta ?? null);
  const run = f.runs.insert(
    {
      job_id: taken.id,
      task_id: taken.task_id,
      role: taken.role,
      kind: taken.kind,
      repo: taken.repo,
      lease_token: taken.lease_token,
      host: request.host,
      budget_micros: budget,
    },
    now,
  );
  if (stored !== null) f.tasks.reserve(stored.task.id, budget ?? 0);
  return claimOf(f, taken, run, stored?.task ?? null);
}

/** The claim that a running job of this task and its open run stand for. */
export function claimOf(f: Families, job: JobColumns, run: RunColumns, task: Task | null): Claim {
  const decoded = decodeRun(run);
  return {
    job: decodeJob(job),
    run: decoded,
    lease: leaseOf(job, run),
    task,
    budgetMicros: run.budget_micros,
    resumeSession: sessionToResume(decoded, f.runs.before(run)),
  };
}

export function leaseOf(job: JobColumns, run: RunColumns): Lease {
  return {
    jobId: String(job.id) as JobId,
    runId: String(run.id) as RunId,
    owner: job.lease_owner ?? '',
    token: job.lease_token,
  };
}
