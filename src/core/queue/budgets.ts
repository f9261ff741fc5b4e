import type { Job, JobNext, MessageOf, OutcomeKind, RunOutcome, RunWaits, Spend } from '../model/index.ts';
import { assertNever, rerunAfter } from '../model/index.ts';

/** The part of a job that the rules read. */
export type JobInQuestion = Pick<
  Job,
  | 'kind'
  | 'attempts'
  | 'maxAttempts'
  | 'transient'
  | 'maxTransient'
  | 'interruptions'
  | 'maxInterruptions'
  | 'cancelRequested'
  | 'createdAt'
>;

type Exhausted = MessageOf<'run_finished'>['exhausted'];

/** What follows for a job, and why no further run follows when it did not succeed. */
export interface AfterRun {
  next: JobNext;
  exhausted: Exhausted;
}

/** The budget that each kind of outcome spends, and no other (spec 6). */
export const spentBy = {
  success: 'nothing',
  own_fault: 'attempt',
  timeout: 'attempt',
  budget: 'attempt',
  transient: 'transient',
  usage_limit: 'nothing',
  authentication: 'nothing',
  interrupted: 'interruption',
  cancelled: 'nothing',
} as const satisfies Record<OutcomeKind, Spend>;

/**
 * The budget rules (spec 6): own faults spend attempts and repeat at once, transient failures spend transient retries
 * and back off, interruptions have a budget of their own, a usage limit and a missing login spend nothing and wait.
 * No kind of failure ever spends the budget of another.
 * @param now ms since the epoch
 * @param waits passed in, since this room holds no settings
 */
export function nextAfter(job: JobInQuestion, outcome: RunOutcome, now: number, waits: RunWaits): AfterRun {
  if (outcome.kind === 'success') return { next: { kind: 'done' }, exhausted: null };
  if (outcome.kind === 'cancelled' || job.cancelRequested)
    return { next: { kind: 'cancelled' }, exhausted: 'cancelled' };
  const error = `${outcome.cause}: ${outcome.detail}`;
  const again = (spends: Spend, availableAt: number): AfterRun => ({
    // Moments are stored as whole milliseconds; a wait is rounded up, so that nobody is early.
    next: { kind: 'again', availableAt: Math.ceil(availableAt), spend: spends, error },
    exhausted: null,
  });
  const failed = (exhausted: Exhausted): AfterRun => ({ next: { kind: 'failed', error }, exhausted });

  const spend = spentBy[outcome.kind];
  switch (outcome.kind) {
    case 'own_fault':
    case 'timeout':
    case 'budget':
      if (rerunAfter(outcome.cause) === 'hopeless') return failed('refused');
      // A red test command is the answer that was asked for, not a fault to be repeated.
      if (job.kind === 'check') return failed('attempts');
      return job.attempts + 1 >= job.maxAttempts ? failed('attempts') : again(spend, now);
    case 'transient':
      if (rerunAfter(outcome.cause) === 'outage') return again('launch', now + waits.afterOutage(now - job.createdAt));
      if (job.transient >= job.maxTransient) return failed('transient');
      return again(spend, now + waits.afterTrouble(job.transient + 1, Math.max(0, (outcome.resetAt ?? now) - now)));
    case 'interrupted':
      // The session was gone before anything was asked of it: the next run begins another one.
      if (outcome.cause === 'resume_failed') return again('launch', now);
      return job.interruptions >= job.maxInterruptions ? failed('interruptions') : again(spend, now);
    case 'usage_limit':
      return again(spend, now + waits.afterLimit(outcome.resetAt === null ? null : outcome.resetAt - now));
    case 'authentication':
      return again(spend, now + waits.untilLogin);
    default:
      return assertNever(outcome.kind);
  }
}
