import type { Job, JobState, Settlement, Spend } from '../model/index.ts';
import { spentBy } from './budgets.ts';
import { waitingState } from './claim.ts';

/** What the end of a run changes in its job; null keeps what is there. The counters are added. */
export interface JobChange {
  state: JobState;
  availableAt: number | null;
  finishedAt: number | null;
  error: string | null;
  attempts: 0 | 1;
  transient: 0 | 1;
  interruptions: 0 | 1;
}

/**
 * The job after its run. A job that failed shows its last failure as spent, so that all its budgets can be read from it.
 * @param now ms since the epoch
 */
export function jobAfter(
  job: Pick<Job, 'cancelRequested'>,
  { next, outcome }: Pick<Settlement, 'next' | 'outcome'>,
  now: number,
): JobChange {
  const spend: Spend = next.kind === 'again' ? next.spend : next.kind === 'failed' ? spentBy[outcome.kind] : 'nothing';
  return {
    ...stateAfter(job, next, now),
    error: next.kind === 'again' || next.kind === 'failed' ? next.error : null,
    attempts: spend === 'attempt' ? 1 : 0,
    transient: spend === 'transient' ? 1 : 0,
    interruptions: spend === 'interruption' ? 1 : 0,
  };
}

function stateAfter(
  job: Pick<Job, 'cancelRequested'>,
  next: Settlement['next'],
  now: number,
): Pick<JobChange, 'state' | 'availableAt' | 'finishedAt'> {
  if (next.kind !== 'again') return { state: next.kind, availableAt: null, finishedAt: now };
  // Somebody asked to stop while the run was ending: the worker may not have seen it, the job must not run again.
  if (job.cancelRequested) return { state: 'cancelled', availableAt: null, finishedAt: now };
  return { state: waitingState(next.availableAt, now), availableAt: next.availableAt, finishedAt: null };
}

/** What the end of a run changes in its task's counters. */
export interface TaskChange {
  /** Micro-dollars that are no longer reserved, and those that were spent. */
  releasedMicros: number;
  spentMicros: number;
  /** Nothing was started: the run does not count against the task's cap. */
  givesRunBack: boolean;
}

/** @param reservedMicros what was reserved for the run; null without a cap */
export function taskAfter(
  reservedMicros: number | null,
  { next, outcome }: Pick<Settlement, 'next' | 'outcome'>,
): TaskChange {
  const reserved = reservedMicros ?? 0;
  return {
    releasedMicros: reserved,
    // A run that left no figure may have spent all it was allowed to.
    spentMicros: outcome.costMicros ?? reserved,
    givesRunBack: next.kind === 'again' && next.spend === 'launch',
  };
}
