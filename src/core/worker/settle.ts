import type { MessageBody, NewMessage, RunOutcome } from '../model/index.ts';
import { nextAfter, type AfterRun } from '../queue/budgets.ts';
import { runWaits } from '../platform/retry.ts';
import { crashPoint } from '../platform/crash-point.ts';
import { LeaseLost, type RunContext } from './context.ts';
import type { Publication } from './publish.ts';

/**
 * Step 7: outcome, what follows for the job, and the message for the task, one transaction (architecture.md). A job that
 * goes on sends no message: the task still waits for it.
 * @param durationMs how long the run took, without its publishing
 * @returns whether the task got a message
 * @throws LeaseLost
 */
export async function settle(
  context: RunContext,
  outcome: RunOutcome,
  publication: Publication | null,
  durationMs: number,
): Promise<boolean> {
  const { deps, claim, lease } = context;
  const after = followUp(context, outcome, publication);
  const published = publication?.kind === 'published' ? publication.published : null;
  const body: MessageBody = {
    kind: 'run_finished',
    runId: lease.runId,
    jobId: lease.jobId,
    jobKind: claim.job.kind,
    role: claim.job.role,
    visit: claim.job.visit,
    outcome,
    published,
    durationMs,
    exhausted: after.exhausted,
    unpushed: published === null && after.next.kind !== 'again' && (await leftUnpushed(context)),
    ...(publication?.kind === 'failed' ? { notPublished: publication.error } : {}),
  };
  const { taskId } = claim.job;
  const message: NewMessage | null =
    taskId === null || after.next.kind === 'again' ? null : { taskId, sourceKey: `run:${lease.runId}`, body };
  crashPoint('settle.before');
  const settlement = { outcome, publishedSha: published?.sha ?? null, next: after.next, message };
  if ((await deps.store.settle(lease, settlement)) === 'lost') throw new LeaseLost(lease.runId);
  crashPoint('settle.after');
  deps.log.info('run settled', {
    run: lease.runId,
    outcome: outcome.kind,
    cause: outcome.cause,
    next: after.next.kind,
  });
  return message !== null;
}

function followUp(context: RunContext, outcome: RunOutcome, publication: Publication | null): AfterRun {
  const { deps, claim, renewer } = context;
  const now = deps.store.now();
  if (publication?.kind === 'failed') {
    if (publication.cause === 'cancelled') return { next: { kind: 'cancelled' }, exhausted: 'cancelled' };
    return { next: { kind: 'failed', error: `not published: ${publication.error}` }, exhausted: null };
  }
  // A stopping worker is no interruption: nothing of the run was lost.
  if (outcome.cause === 'worker_stopped') {
    return { next: { kind: 'again', availableAt: now, spend: 'nothing', error: outcome.detail }, exhausted: null };
  }
  const job = { ...claim.job, cancelRequested: renewer.state() === 'cancel' };
  return nextAfter(job, outcome, now, runWaits(deps.config.backoff, deps.random()));
}

/** Whether the workspace holds work that is not on the server; a check's leftovers are nobody's work. */
async function leftUnpushed(context: RunContext): Promise<boolean> {
  const { deps, claim } = context;
  if (claim.job.kind === 'check' || claim.run.workspace === '') return false;
  try {
    return await deps.workspaces.unpushed(claim.job.repo, claim.job.branch);
  } catch {
    // A workspace that cannot be read may hold work: somebody has to look.
    return true;
  }
}
