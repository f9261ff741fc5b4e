import { setTimeout as sleep } from 'node:timers/promises';
import type { RunWaits } from '../model/index.ts';

/** A growing wait: `min(2^n × base, max)`, both in milliseconds. */
export interface Backoff {
  baseMs: number;
  maxMs: number;
}

/** What a part needs that decides when to try again. */
export interface RetryDeps {
  /** `worker.backoffBaseSeconds` and `worker.backoffMaxSeconds`. */
  backoff: Backoff;
  /** 0 ≤ result < 1, for the jitter. */
  random: () => number;
}

/** The configured backoff where nothing is configured (spec 6). */
export const defaultBackoff: Backoff = { baseMs: 10_000, maxMs: 600_000 };

/**
 * Every other number about trying again, by what is tried. Runs that failed, publishing, effects and failed decisions wait
 * as the configured backoff says; only what must not depend on it has a wait of its own here.
 */
export const retryPolicies = {
  /**
   * Effects of the outbox. `refusalTries`: about ten minutes with the default backoff; while a server is upgraded or its
   * proxy restarted, 404 and 409 come and go, and a task held for that would wait for a person for nothing. `git*`: a call
   * of git that failed without a reason known to last, because another process of the host may be in the way; together a
   * quarter of a minute. `raceMs`: the branch that appeared meanwhile is looked at again at once.
   */
  effect: { refusalTries: 6, gitTries: 6, git: { baseMs: 500, maxMs: 5_000 }, raceMs: 1_000 },
  /**
   * Publishing a run's work, on the configured backoff. `tries`: hooks and protections do change their mind, so the third
   * refusal is believed. `refusalTries`: that there is no such repository, or that it is elsewhere, a server that is
   * upgraded says, too.
   */
  publish: { tries: 3, refusalTries: 6 },
  /** Locks of git in a bare copy are held for moments by other processes; together a slow fetch, about five seconds. */
  gitLock: { tries: 8, baseMs: 25, maxMs: 2_000 },
  /**
   * A place of a peer that does not answer. Not the configured backoff: it guards calls of every kind, and its longest wait
   * bounds how late a tick sees that the place is back. A short trouble is over with the next tick, a long one costs one
   * call a minute.
   */
  circuit: { baseMs: 5_000, maxMs: 60_000 },
  /**
   * A usage limit of the agents. `unknownResetMs`: its reset was not named. `spreadMs`: jobs that wait for one reset start
   * spread over this time, so that they do not all meet the limit again at once.
   */
  usageLimit: { unknownResetMs: 300_000, spreadMs: 60_000 },
  /**
   * A missing login of the agents. `jobMs`: a job only has to be due again when the login is there. `checkMs`: between two
   * questions whether it is. `blindProbeMs`: between two probes where that cannot be asked.
   */
  login: { jobMs: 60_000, checkMs: 30_000, blindProbeMs: 600_000 },
  /** A probe of the agents that found nothing to run, or never started: another one may try after this. */
  probe: { againMs: 10_000 },
  /**
   * A step of a run, or its settlement, that failed for no reason that is known to pass. Every try goes on from the recorded
   * phase; what fails this often fails always, and the run is ended as its own fault, so that it does not hold its slot.
   */
  run: { tries: 3, againMs: 1_000 },
  /** The tree of a run that survived a kill is killed again this often before the run gives up on it. */
  kill: { tries: 3 },
} as const;

/**
 * The wait before the next try: `min(2^n × base, max)` with `n` counting this failure, never sooner than the server asked
 * for, jitter (up to a tenth) upwards only, so that nobody is early (spec 6).
 * @param n failures so far, this one included
 * @param notBeforeMs what the server's Retry-After or a limit's reset asks for, milliseconds from now
 * @param random 0 ≤ random < 1
 */
export function backoffMs(n: number, { baseMs, maxMs }: Backoff, notBeforeMs: number, random: number): number {
  const exponential = Math.min(2 ** Math.min(n, 30) * baseMs, maxMs);
  return Math.round(Math.max(exponential, notBeforeMs) * (1 + random * 0.1));
}

/**
 * When a job is due again after a run that failed. An outage spends no counter, and may last for days: its wait grows with
 * the time waited, half as long as that, between the first and the longest wait of the backoff.
 */
export function runWaits(backoff: Backoff, random: number): RunWaits {
  const { unknownResetMs, spreadMs } = retryPolicies.usageLimit;
  return {
    afterTrouble: (n, notBeforeMs) => backoffMs(n, backoff, notBeforeMs, random),
    afterOutage: (waitedMs) => Math.min(Math.max(waitedMs / 2, backoffMs(1, backoff, 0, 0)), backoff.maxMs),
    afterLimit: (resetMs) => Math.max(0, resetMs ?? unknownResetMs) + Math.round(random * spreadMs),
    untilLogin: retryPolicies.login.jobMs,
  };
}

/**
 * Repeats `work` while `again` accepts what it threw, at most `tries` times in all; what the last try threw is thrown.
 * @param policy waits between the tries
 */
export async function retrying<T>(
  policy: Backoff & { tries: number },
  again: (error: unknown) => boolean,
  work: () => Promise<T>,
): Promise<T> {
  for (let n = 1; n < policy.tries; n++) {
    try {
      return await work();
    } catch (error) {
      if (!again(error)) throw error;
    }
    await sleep(backoffMs(n, policy, 0, Math.random()));
  }
  return work();
}
