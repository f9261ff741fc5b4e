import type { RunningJob } from '../model/index.ts';
import { ownerState } from '../platform/processes.ts';
import type { WorkerDeps } from './deps.ts';

/** Several things notify, one loop waits; a notification while nobody waits is kept for the next wait. */
export interface Notifier {
  notify(): void;
  /** Resolves at the next notification, after `ms`, or when the signal aborts. */
  wait(ms: number, signal: AbortSignal): Promise<void>;
}

/** @param sleep the clock's: resolves after its milliseconds or when the signal aborts */
export function createNotifier(sleep: (ms: number, signal: AbortSignal) => Promise<void>): Notifier {
  let notified = false;
  let waiting: AbortController | null = null;
  return {
    notify: () => {
      notified = true;
      waiting?.abort();
    },
    wait: async (ms, signal) => {
      if (!notified && !signal.aborted) {
        waiting = new AbortController();
        await sleep(ms, AbortSignal.any([waiting.signal, signal]));
        waiting = null;
      }
      notified = false;
    },
  };
}

/** Notices that the wall clock moved differently from the monotonic one: it was set, or the machine slept. */
export interface ClockGuard {
  /** Whether the wall clock has jumped since the last call by more than half a lease. */
  jumped(): boolean;
  /** Whether leases of others may be judged: not within one lease period after a jump. */
  mayReclaim(): boolean;
}

/**
 * After a jump every lease in the database looks expired, or fresh for hours, although nobody died: own leases are
 * renewed first, and no run is taken over for one lease period, in which the living renew theirs, too.
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

/** How often the other owners are checked, milliseconds; one check is two small reads of /proc for each. */
const checkEveryMs = 40;

/**
 * The kernel reports the death of a process to its parent only, so the workers of this host that hold runs are polled;
 * one that is alone here polls nothing. Only owners that live are watched: what stops the adoption of a dead one's run is
 * met again by the slower scan of the worker.
 * @param onDeath called once for an owner that has died
 */
export function watchOwners(
  { host, owner }: Pick<WorkerDeps, 'host' | 'owner'>,
  onDeath: () => void,
): { watch: (running: RunningJob[]) => void; end: () => void } {
  let living: string[] = [];
  let timer: NodeJS.Timeout | undefined;
  const lives = (other: string): boolean => ownerState(other, host) === 'alive';

  function keep(owners: string[]): void {
    living = owners;
    if (living.length > 0) {
      timer ??= setInterval(check, checkEveryMs);
    } else {
      clearInterval(timer);
      timer = undefined;
    }
  }
  function check(): void {
    const before = living.length;
    keep(living.filter(lives));
    if (living.length < before) onDeath();
  }
  return {
    watch: (running) => {
      check();
      const owners = new Set(running.map(({ lease }) => lease.owner));
      keep([...owners].filter((other) => other !== owner && lives(other)));
    },
    end: () => keep([]),
  };
}
