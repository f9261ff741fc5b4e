import type { Claim, Lease, RunningJob, RunPatch, Settlement, TaskId } from '../model/index.ts';
import { jobAfter, taskAfter, type JobChange } from '../queue/settlement.ts';
import { claimOf, leaseOf } from './claim.ts';
import { rowId } from './codec.ts';
import type { Families } from './families.ts';
import { decodeJob } from './jobs.ts';
import type { JobColumns } from './jobs.ts';
import { decodeRun } from './runs.ts';
import type { RunColumns } from './runs.ts';

// Every statement below carries the fence: job, token, running. After a takeover the token is higher, so whatever the
// former owner still sends matches no row.
const fence = `id = @id AND lease_token = @token AND state = 'running'`;

type Held = Pick<JobColumns, 'id' | 'task_id' | 'cancel_requested'>;

function held(f: Families, lease: Lease): Held | null {
  const look = f.sql<Held>(`SELECT id, task_id, cancel_requested FROM jobs WHERE ${fence}`);
  return look.get({ id: rowId(lease.jobId), token: lease.token }) ?? null;
}

/** The heartbeat: pushes the end of the lease out and brings back whether somebody wants the run stopped. */
export function renewLease(
  f: Families,
  lease: Lease,
  leaseMs: number,
  now: number,
): { cancelRequested: boolean } | 'lost' {
  const row = f
    .sql<{ cancel_requested: number }>(
      `UPDATE jobs SET lease_expires_at = @expires WHERE ${fence} RETURNING cancel_requested`,
    )
    .get({ id: rowId(lease.jobId), token: lease.token, expires: now + leaseMs });
  return row === undefined ? 'lost' : { cancelRequested: row.cancel_requested === 1 };
}

export function patchRun(f: Families, lease: Lease, patch: RunPatch): 'ok' | 'lost' {
  if (held(f, lease) === null) return 'lost';
  f.runs.patch(lease.runId, lease.jobId, patch);
  if (patch.trouble !== undefined)
    f.sql('UPDATE jobs SET last_error = ? WHERE id = ?').run(patch.trouble, rowId(lease.jobId));
  return 'ok';
}

const settleRun = `UPDATE runs SET phase = 'settled', outcome = @outcome, ended_at = @now,
    session_id = coalesce(@session_id, session_id), published_sha = coalesce(@published_sha, published_sha)
  WHERE id = @id AND job_id = @job_id AND phase <> 'settled'`;

const settleJob = `UPDATE jobs SET state = @state, available_at = coalesce(@available_at, available_at),
    last_error = coalesce(@error, last_error), finished_at = @finished_at, attempts = attempts + @attempts,
    transient = transient + @transient, interruptions = interruptions + @interruptions, lease_owner = NULL,
    lease_expires_at = NULL WHERE ${fence}`;

/**
 * Ends a run: outcome, budgets, dollars, the job's next state, the message and the wake-up are one transaction, so a kill
 * leaves the run either open, to be adopted, or settled and reported.
 */
export function settleLease(f: Families, lease: Lease, settlement: Settlement, now: number): 'ok' | 'lost' {
  const job = held(f, lease);
  const run = job === null ? null : f.runs.open(job.id);
  if (job === null || run === null || run.id !== rowId(lease.runId)) return 'lost';
  const { outcome } = settlement;
  f.sql(settleRun).run({
    id: run.id,
    job_id: job.id,
    outcome: JSON.stringify(outcome),
    now,
    session_id: outcome.sessionId,
    published_sha: settlement.publishedSha,
  });
  const change = jobAfter({ cancelRequested: job.cancel_requested === 1 }, settlement, now);
  f.sql(settleJob).run({ id: job.id, token: lease.token, ...jobColumns(change) });
  if (job.task_id === null) return 'ok';
  const { releasedMicros, spentMicros, givesRunBack } = taskAfter(run.budget_micros, settlement);
  f.tasks.spend(job.task_id as TaskId, releasedMicros, spentMicros);
  if (givesRunBack) f.tasks.giveBack(job.task_id as TaskId);
  if (settlement.message !== null) f.messages.insert(settlement.message, now);
  f.tasks.wake(job.task_id as TaskId, now);
  return 'ok';
}

function jobColumns({ availableAt, finishedAt, ...change }: JobChange) {
  return { ...change, available_at: availableAt, finished_at: finishedAt };
}

/** Running jobs with their open runs; of one host, or of all. */
export function runningJobs(f: Families, host: string | null): RunningJob[] {
  const found: RunningJob[] = [];
  // `+id`: the table in the order of its key would be read from end to end, the partial index holds the running ones only.
  for (const job of f.sql<JobColumns>(`SELECT * FROM jobs WHERE state = 'running' ORDER BY +id`).all()) {
    const run = f.runs.open(job.id);
    if (run === null || (host !== null && run.host !== host)) continue;
    found.push({
      job: decodeJob(job),
      run: decodeRun(run),
      lease: leaseOf(job, run),
      leaseExpiresAt: job.lease_expires_at ?? 0,
    });
  }
  return found;
}

/**
 * Gives a running job to a new owner under the next token. Only one of several that read the same token succeeds: the
 * token is part of the condition and rises with the write.
 */
export function takeOver(f: Families, lease: Lease, newOwner: string, leaseMs: number, now: number): Claim | null {
  const job = f
    .sql<JobColumns>(
      `UPDATE jobs SET lease_token = lease_token + 1, lease_owner = @owner, lease_expires_at = @expires WHERE ${fence} RETURNING *`,
    )
    .get({ id: rowId(lease.jobId), token: lease.token, owner: newOwner, expires: now + leaseMs });
  if (job === undefined) return null;
  const run = f
    .sql<RunColumns>(`UPDATE runs SET lease_token = ? WHERE job_id = ? AND phase <> 'settled' RETURNING *`)
    .get(job.lease_token, job.id);
  const task = job.task_id === null ? null : (f.tasks.find(job.task_id as TaskId)?.task ?? null);
  return run === undefined ? null : claimOf(f, job, run, task);
}
