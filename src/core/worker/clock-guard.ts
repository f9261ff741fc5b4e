/** Notices that the wall clock moved differently from the monotonic one: it was set, or the machine slept. */
export interface ClockGuard {
  /** Whether the wall clock jumped since the last look by more than half a lease (`research/queues.md` §2). */
  jumped(): boolean;
  /** Whether leases of others may be judged: not within one lease period after a jump. */
  mayReclaim(): boolean;
}

/**
 * After a jump every lease in the database looks expired, or fresh for hours, although nobody died: own leases are
 * renewed first, and nobody's work is taken for one lease period, in which the living renew theirs, too.
 * @param now wall clock, ms; `monotonic`: ms that no clock change touches
 */
export function createClockGuard(now: () => number, monotonic: () => number, leaseMs: number): ClockGuard {
  let wall = now();
  let steady = monotonic();
  let quietUntil = Number.NEGATIVE_INFINITY;
  return {
    jumped: () => {
      const difference = Math.abs(now() - wall - (monotonic() - steady));
      wall = now();
      steady = monotonic();
      if (difference <= leaseMs / 2) return false;
      quietUntil = steady + leaseMs;
      return true;
    },
    mayReclaim: () => monotonic() >= quietUntil,
  };
}
