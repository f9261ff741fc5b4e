import { existsSync } from 'node:fs';
import { errorText, type Claim, type Run, type RunOutcome } from '../model/index.ts';
import { crashPoint } from '../platform/crash-point.ts';
import { LeaseLost, patchRun, type DriveEnd, type RunContext } from './context.ts';
import type { WorkerDeps } from './deps.ts';
import type { SharedBreaker } from './breaker.ts';
import type { LeaseRenewer } from './lease-renewer.ts';
import { publish, type Publication } from './publish.ts';
import { adoptRun, startAndFollow } from './run.ts';
import { settle } from './settle.ts';

export interface DriveRequest {
  deps: WorkerDeps;
  breaker: SharedBreaker;
  claim: Claim;
  renewer: LeaseRenewer;
  /** `adopted`: taken over from a dead worker; goes on where that one stopped. */
  entry: 'claimed' | 'adopted';
  signal: AbortSignal;
  onSlotFreed: () => void;
}

/**
 * Takes one run from where it is to its settlement. Every step first finds out what is already done, so the same code
 * serves a new run and one whose worker died between any two lines. Anything unexpected leaves the run unsettled and
 * its lease to expire: the next adoption starts again from the recorded phase.
 */
export async function drive(request: DriveRequest): Promise<DriveEnd> {
  const { deps, claim, renewer } = request;
  const context: RunContext = { ...request, lease: claim.lease };
  try {
    return await steps(context, request.entry);
  } catch (error) {
    if (error instanceof LeaseLost) {
      deps.log.warn('lease lost, the run is left to its new owner', { run: claim.run.id });
      return 'lost';
    }
    deps.log.error('run left unsettled, it will be resumed', { run: claim.run.id, error: errorText(error) });
    return 'detached';
  } finally {
    renewer.stop();
    request.onSlotFreed();
  }
}

async function steps(context: RunContext, entry: DriveRequest['entry']): Promise<DriveEnd> {
  const { claim, deps } = context;
  let outcome: RunOutcome;
  if (claim.run.phase === 'publishing' && claim.run.outcome !== null) {
    outcome = entry === 'adopted' ? workLost(claim.run, claim.run.outcome) : claim.run.outcome;
  } else {
    const end = entry === 'adopted' ? await adoptRun(context) : await startAndFollow(context);
    if (end.kind === 'detached') return 'detached';
    outcome = end.outcome;
    await recordOutcome(context, outcome, end.started);
  }
  const durationMs = Math.max(0, deps.store.now() - claim.run.startedAt);
  const publication = publishes(context, outcome) ? await publishWithoutSlot(context) : null;
  if (publication?.kind === 'detached') return 'detached';
  if (await settle(context, outcome, publication, durationMs)) await notifyTask(context);
  return 'settled';
}

/**
 * Work that was never published and is not here any more (its workspace was removed, or is on a host that fell silent)
 * is done again; its cost stays counted.
 */
function workLost(run: Run, outcome: RunOutcome): RunOutcome {
  if (existsSync(run.workspace)) return outcome;
  const detail = `its work was not published, and its workspace ${run.workspace} is not on this host`;
  return { ...outcome, kind: 'interrupted', cause: 'work_lost', detail };
}

/** A run that failed, timed out or was interrupted is not published, a check never (spec 7). */
function publishes(context: RunContext, outcome: RunOutcome): boolean {
  return outcome.kind === 'success' && context.claim.job.kind !== 'check';
}

/**
 * The outcome goes to the database before the breaker counts it and before anything is published: the write is fenced, so
 * a worker that lost its lease gets no further, and a later adoption need not read the files again.
 */
async function recordOutcome(context: RunContext, outcome: RunOutcome, started: boolean): Promise<void> {
  const { claim, breaker } = context;
  const session = outcome.sessionId === null ? {} : { sessionId: outcome.sessionId };
  const phase = publishes(context, outcome) ? { phase: 'publishing' as const, trouble: null } : {};
  await patchRun(context, { outcome, ...session, ...phase });
  crashPoint('outcome.recorded');
  if (claim.job.kind === 'check') return;
  if (started) await breaker.report(claim.run.id, outcome);
  else await breaker.withdraw(claim.run.id);
}

async function publishWithoutSlot(context: RunContext): Promise<Publication> {
  context.onSlotFreed();
  return publish(context);
}

/** The message is committed; a reconcile that fails here is done by the poller's next tick. */
async function notifyTask(context: RunContext): Promise<void> {
  const { deps, claim } = context;
  try {
    if (claim.job.taskId !== null) await deps.onTask(claim.job.taskId);
  } catch (error) {
    deps.log.warn('task not reconciled after its run', { task: claim.job.taskId, error: errorText(error) });
  }
}
