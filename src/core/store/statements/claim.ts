import type { Claim, ClaimRequest, Job, JobId, Lease, ProjectId, RunId, Task, TaskId } from '../../model/index.ts';
import { budgetOf, refusalMessage, refusalOf, sessionToResume, type Refusal } from '../../queue/claim.ts';
import { among, idOf } from '../codec.ts';
import { one, run as change, type Query } from '../query.ts';
import { decodeJob } from './jobs.ts';
import type { JobColumns } from './jobs.ts';
import { messages } from './messages.ts';
import { decodeRun, runs } from './runs.ts';
import type { RunColumns } from './runs.ts';
import { tasks } from './tasks.ts';
import type { StoredTask } from './tasks.ts';

const promote = `UPDATE jobs SET state = 'queued' WHERE state = 'delayed' AND available_at <= @now`;

// No `available_at <= now` here: what was once due stays due when the clock is set back.
const pick = (known: string): string => `SELECT j.* FROM jobs AS j LEFT JOIN tasks AS t ON t.id = j.task_id
  WHERE j.state = 'queued' AND (j.project_id IS NULL OR ${known}) AND coalesce(t.paused, 0) = 0 AND NOT EXISTS (
    SELECT 1 FROM jobs AS r WHERE r.state = 'running' AND r.repo = j.repo AND r.branch = j.branch)
  ORDER BY j.available_at, j.id LIMIT 1`;

const take = `UPDATE jobs SET state = 'running', lease_token = lease_token + 1, lease_owner = @owner,
    lease_expires_at = @expires WHERE id = @id AND state = 'queued' RETURNING *`;

const refuse = `UPDATE jobs SET state = 'failed', last_error = @error, finished_at = @now WHERE id = @id AND state = 'queued'`;

/**
 * Whether any job is due, were there room for it; two looks into partial indexes, however many jobs have finished.
 * @param projects only jobs of these, and of none; left out: of all
 */
export function* anyDue(now: number, projects?: readonly ProjectId[]): Query<boolean> {
  const { text, params } = among('project_id', projects);
  const known = `(project_id IS NULL OR ${text})`;
  if ((yield* one(`SELECT 1 FROM jobs WHERE state = 'queued' AND ${known} LIMIT 1`, params)) !== null) return true;
  const delayed = `SELECT 1 FROM jobs WHERE state = 'delayed' AND available_at <= @now AND ${known} LIMIT 1`;
  return (yield* one(delayed, { now, ...params })) !== null;
}

/** Whether a claim could find anything: asked before the write lock is taken, so that an idle worker disturbs nobody. */
export function* mayClaim({ host, maxConcurrency, projects }: ClaimRequest, now: number): Query<boolean> {
  return (yield* runs.slotsTaken(host)) < maxConcurrency && (yield* anyDue(now, projects));
}

/**
 * Takes the oldest job that may run here, with its run and its reservation. The caller's write transaction makes look and
 * take one step: no other process counts slots or picks jobs in between. A job whose task is over a cap fails and notifies its
 * task; the next one is looked at.
 */
export function* claimJob(request: ClaimRequest, now: number): Query<Claim | null> {
  yield* change(promote, { now });
  if ((yield* runs.slotsTaken(request.host)) >= request.maxConcurrency) return null;
  const { text, params } = among('j.project_id', request.projects);
  for (;;) {
    const row = yield* one<JobColumns>(pick(text), params);
    if (row === null) return null;
    const job = decodeJob(row);
    const stored = job.taskId === null ? null : yield* tasks.find(job.taskId);
    const reason = stored === null ? null : refusalOf(job, stored.meta);
    if (stored === null || reason === null) return yield* start(job, stored, request, now);
    yield* refuseJob(job, stored.task.id, reason, now);
  }
}

function* refuseJob(job: Job, taskId: TaskId, reason: Refusal, now: number): Query<void> {
  yield* change(refuse, { id: Number(job.id), error: reason, now });
  yield* messages.post(refusalMessage(job, taskId, reason), now);
}

function* start(job: Job, stored: StoredTask | null, request: ClaimRequest, now: number): Query<Claim> {
  const { owner, host, leaseMs } = request;
  const taken = (yield* one<JobColumns>(take, { id: Number(job.id), owner, expires: now + leaseMs })) as JobColumns;
  const budget = budgetOf(job, stored?.meta ?? null);
  const { id, task_id, role, kind, repo, lease_token } = taken;
  const run = yield* runs.insert(
    { job_id: id, task_id, role, kind, repo, lease_token, host, budget_micros: budget },
    now,
  );
  if (stored !== null) yield* tasks.reserve(stored.task.id, budget ?? 0);
  return yield* claimOf(taken, run, stored?.task ?? null);
}

/** The claim that a running job of this task and its open run stand for. */
export function* claimOf(job: JobColumns, run: RunColumns, task: Task | null): Query<Claim> {
  const decoded = decodeRun(run);
  return {
    job: decodeJob(job),
    run: decoded,
    lease: leaseOf(job, run),
    task,
    budgetMicros: run.budget_micros,
    resumeSession: sessionToResume(decoded, yield* runs.before(run)),
  };
}

export function leaseOf(job: JobColumns, run: RunColumns): Lease {
  return {
    jobId: idOf<JobId>(job.id),
    runId: idOf<RunId>(run.id),
    owner: job.lease_owner ?? '',
    token: job.lease_token,
  };
}
