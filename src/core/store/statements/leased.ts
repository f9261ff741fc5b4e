import type { Claim, Lease, RunningJob, RunPatch, Settlement, TaskId } from '../../model/index.ts';
import { jobAfter, taskAfter } from '../../queue/settlement.ts';
import { isSet, rowId } from '../codec.ts';
import { all, one, run as change, type Query } from '../query.ts';
import { claimOf, leaseOf } from './claim.ts';
import { decodeJob } from './jobs.ts';
import type { JobColumns } from './jobs.ts';
import { messages } from './messages.ts';
import { decodeRun, runs } from './runs.ts';
import type { RunColumns } from './runs.ts';
import { tasks } from './tasks.ts';

// Every statement below carries the fence: job, token, running. After a takeover the token is higher, so whatever the
// former owner still sends matches no row.
const fence = `id = @id AND lease_token = @token AND state = 'running'`;

type Held = Pick<JobColumns, 'id' | 'task_id' | 'cancel_requested'>;

const heldJob = `SELECT id, task_id, cancel_requested FROM jobs WHERE ${fence}`;

function* held({ jobId, token }: Lease): Query<Held | null> {
  return yield* one(heldJob, { id: rowId(jobId), token });
}

const renew = `UPDATE jobs SET lease_expires_at = @expires WHERE ${fence} RETURNING cancel_requested`;

/** The heartbeat: pushes the end of the lease out and brings back whether somebody wants the run stopped. */
export function* renewLease(
  { jobId, token }: Lease,
  leaseMs: number,
  now: number,
): Query<{ cancelRequested: boolean } | 'lost'> {
  const row = yield* one<Held>(renew, { id: rowId(jobId), token, expires: now + leaseMs });
  return row === null ? 'lost' : { cancelRequested: isSet(row.cancel_requested) };
}

export function* patchRun(lease: Lease, patch: RunPatch): Query<'ok' | 'lost'> {
  if ((yield* held(lease)) === null) return 'lost';
  yield* runs.patch(lease.runId, lease.jobId, patch);
  const { trouble } = patch;
  if (trouble !== undefined)
    yield* change('UPDATE jobs SET last_error = @trouble WHERE id = @id', { id: rowId(lease.jobId), trouble });
  return 'ok';
}

const settleRun = `UPDATE runs SET phase = 'settled', outcome = @outcome, ended_at = @now,
    session_id = coalesce(@session_id, session_id), published_sha = coalesce(@published_sha, published_sha)
  WHERE id = @id AND job_id = @job_id AND phase <> 'settled'`;

const settleJob = `UPDATE jobs SET state = @state, available_at = coalesce(@availableAt, available_at),
    last_error = coalesce(@error, last_error), finished_at = @finishedAt, attempts = attempts + @attempts,
    transient = transient + @transient, interruptions = interruptions + @interruptions, lease_owner = NULL,
    lease_expires_at = NULL WHERE ${fence}`;

/**
 * Ends a run: outcome, budgets, dollars, the job's next state, the message and the wake-up are one transaction, so a kill
 * leaves the run either open, to be adopted, or settled and reported.
 */
export function* settleLease(lease: Lease, settlement: Settlement, now: number): Query<'ok' | 'lost'> {
  const job = yield* held(lease);
  const run = job === null ? null : yield* runs.open(job.id);
  if (job === null || run === null || run.id !== rowId(lease.runId)) return 'lost';
  const { outcome } = settlement;
  yield* change(settleRun, {
    id: run.id,
    job_id: job.id,
    outcome: JSON.stringify(outcome),
    now,
    session_id: outcome.sessionId,
    published_sha: settlement.publishedSha,
  });
  const after = jobAfter({ cancelRequested: isSet(job.cancel_requested) }, settlement, now);
  yield* change(settleJob, { ...after, id: job.id, token: lease.token });
  if (job.task_id === null) return 'ok';
  const taskId = job.task_id as TaskId;
  const { releasedMicros, spentMicros, givesRunBack } = taskAfter(run.budget_micros, settlement);
  yield* tasks.spend(taskId, releasedMicros, spentMicros);
  if (givesRunBack) yield* tasks.giveBack(taskId);
  if (settlement.message !== null) yield* messages.insert(settlement.message, now);
  yield* tasks.wake(taskId, now);
  return 'ok';
}

// `+id`: the table in the order of its key would be read from end to end, the partial index holds the running ones only.
const running = `SELECT * FROM jobs WHERE state = 'running' ORDER BY +id`;

/** Running jobs with their open runs; of one host, or of all. */
export function* runningJobs(host: string | null): Query<RunningJob[]> {
  const found: RunningJob[] = [];
  const open = yield* runs.openByJob();
  for (const job of yield* all<JobColumns>(running)) {
    const run = open.get(job.id);
    if (run === undefined || (host !== null && run.host !== host)) continue;
    found.push({
      job: decodeJob(job),
      run: decodeRun(run),
      lease: leaseOf(job, run),
      leaseExpiresAt: job.lease_expires_at ?? 0,
    });
  }
  return found;
}

const takeJob = `UPDATE jobs SET lease_token = lease_token + 1, lease_owner = @owner, lease_expires_at = @expires
  WHERE ${fence} RETURNING *`;

const takeRun = `UPDATE runs SET lease_token = @token WHERE job_id = @jobId AND phase <> 'settled' RETURNING *`;

/**
 * Gives a running job to a new owner under the next token. Only one of several that read the same token succeeds: the
 * token is part of the condition and rises with the write.
 */
export function* takeOver({ jobId, token }: Lease, owner: string, leaseMs: number, now: number): Query<Claim | null> {
  const job = yield* one<JobColumns>(takeJob, { id: rowId(jobId), token, owner, expires: now + leaseMs });
  if (job === null) return null;
  const run = yield* one<RunColumns>(takeRun, { token: job.lease_token, jobId: job.id });
  const stored = job.task_id === null ? null : yield* tasks.find(job.task_id as TaskId);
  return run === null ? null : yield* claimOf(job, run, stored?.task ?? null);
}
