import { existsSync } from 'node:fs';
import {
  boundedOutcome,
  errorText,
  isDatabaseError,
  maxDetailLength,
  OrchError,
  type Claim,
  type Run,
  type RunOutcome,
} from '../model/index.ts';
import { crashPoint } from '../platform/crash-point.ts';
import { diskError } from '../platform/disk-error.ts';
import { retryPolicies } from '../platform/retry.ts';
import { LeaseLost, ownOutcome, patchRun, type DriveEnd, type RunContext } from './context.ts';
import type { WorkerDeps } from './deps.ts';
import type { SharedBreaker } from './breaker.ts';
import type { LeaseRenewer } from './lease-renewer.ts';
import { publish, type Publication } from './publish.ts';
import { adoptRun, clearTree, startAndFollow } from './run.ts';
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
 * serves a new run and one whose worker died between any two lines. Trouble that passes by itself (the database, the
 * disk) leaves the run unsettled for the next adoption, which starts again from the recorded phase. Anything else that
 * fails is tried again here, and then ends the run as its own fault: no run holds its slot without end.
 */
export async function drive(request: DriveRequest): Promise<DriveEnd> {
  const { deps, claim, renewer } = request;
  const context: RunContext = { ...request, lease: claim.lease };
  try {
    return await repeatedly(context, request.entry);
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

/** @throws LeaseLost, and what passes by itself */
async function repeatedly(context: RunContext, first: DriveRequest['entry']): Promise<DriveEnd> {
  const { deps, claim, signal } = context;
  const { tries, againMs } = retryPolicies.run;
  let entry = first;
  for (let failures = 1; ; failures++) {
    try {
      return await steps(context, entry);
    } catch (error) {
      if (error instanceof LeaseLost || passes(error)) throw error;
      deps.log.error('a step of a run failed', { run: claim.run.id, failures, error: errorText(error) });
      if (failures >= tries) return endAsFault(context, error);
      await deps.clock.sleep(againMs, signal);
      if (signal.aborted) throw error;
      entry = 'adopted';
    }
  }
}

/** The database cannot be used, or the host has no room: nothing else fares better, and it passes. */
function passes(thrown: unknown): boolean {
  const error = diskError(thrown);
  return isDatabaseError(error) || (error instanceof OrchError && error.kind === 'host');
}

/** Settles a run that cannot be brought to its end, with an outcome that holds nothing from its agent. */
async function endAsFault(context: RunContext, error: unknown): Promise<DriveEnd> {
  const { deps, claim, breaker } = context;
  if (claim.run.folder !== '') await clearTree(deps, claim.run.folder);
  const detail = `it could not be brought to its end: ${errorText(error)}`.slice(0, maxDetailLength);
  const outcome = { ...ownOutcome('own_fault', 'not_settled', detail), costMicros: null };
  await breaker.withdraw(claim.run.id).catch((failed: unknown) => {
    deps.log.warn('the circuit breaker was not changed', { run: claim.run.id, error: errorText(failed) });
  });
  if (await settle(context, outcome, null, durationOf(context))) await notifyTask(context);
  return 'settled';
}

function durationOf({ deps, claim }: RunContext): number {
  return Math.max(0, Math.round(deps.store.now() - claim.run.startedAt));
}

async function steps(context: RunContext, entry: DriveRequest['entry']): Promise<DriveEnd> {
  const { claim, deps } = context;
  let outcome: RunOutcome;
  if (claim.run.phase === 'publishing' && claim.run.outcome !== null) {
    // Checked also when it was recorded already: an older orch checked less.
    const recorded = boundedOutcome(claim.run.outcome, deps.store.now());
    outcome = entry === 'adopted' ? workLost(claim.run, recorded) : recorded;
  } else {
    const end = entry === 'adopted' ? await adoptRun(context) : await startAndFollow(context);
    if (end.kind === 'detached') return 'detached';
    outcome = boundedOutcome(end.outcome, deps.store.now());
    await recordOutcome(context, outcome, end.started);
  }
  const durationMs = durationOf(context);
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
