import { isDeepStrictEqual } from 'node:util';
import { OrchError, errorText, type Claim, type ClaimState } from '../model/index.ts';
import { createActiveRuns } from './active-runs.ts';
import { findAdoptable, takeOver } from './adopt.ts';
import { createSharedBreaker } from './breaker.ts';
import { claimNext } from './claim.ts';
import type { WorkerDeps } from './deps.ts';
import { createClockGuard, createNotifier, watchOwners } from './watching.ts';

/** How often a serving worker looks for runs of dead ones when nothing has reported a death; milliseconds. */
const adoptEveryMs = 5_000;

export interface Worker {
  /** Whether jobs are claimed here, as of the last try. */
  claiming(): ClaimState;
  /** One job to its end, publishing included; the run of a dead worker goes before a new one. */
  runOnce(signal?: AbortSignal): Promise<'ran' | 'idle'>;
  /** Until nothing is due; delayed jobs are left. Answers how many runs it saw to their end. */
  runUntilEmpty(signal?: AbortSignal): Promise<number>;
  /**
   * Until the signal aborts: then nothing more is claimed, and what runs gets `drainMs` to finish publishing. Agents go on
   * under their supervisor for the next worker to adopt, or are stopped and settled as interrupted (`onStop`). A database
   * that a newer orch has migrated ends it as well; then agents always go on, for this process can record nothing.
   * @throws OrchError `database_newer`, when drained
   */
  serve(signal: AbortSignal): Promise<void>;
}

export function createWorker(deps: WorkerDeps): Worker {
  const breaker = createSharedBreaker(deps);
  const runs = createActiveRuns(deps, breaker);
  const guard = createClockGuard(() => deps.store.now(), deps.monotonic, deps.config.leaseMs);
  const notifier = createNotifier((ms, signal) => deps.clock.sleep(ms, signal));
  const never = new AbortController().signal;
  const owners = watchOwners(deps, () => {
    adoptedAt = Number.NEGATIVE_INFINITY;
    notifier.notify();
  });
  let finished = 0;
  let adoptedAt = Number.NEGATIVE_INFINITY;
  let seenAt = Number.NEGATIVE_INFINITY;
  let claiming: ClaimState = { kind: 'starting' };
  let reported: ClaimState['kind'] | null = null;

  function start(claim: Claim, entry: 'claimed' | 'adopted', signal: AbortSignal): void {
    void runs.start(claim, entry, signal, notifier.notify).then((end) => {
      if (end === 'settled') finished++;
    });
  }

  async function adoptAll(signal: AbortSignal): Promise<void> {
    for (const found of await findAdoptable(deps, runs.ids())) {
      const claim = signal.aborted ? null : await takeOver(deps, found);
      if (claim !== null) start(claim, 'adopted', signal);
    }
  }

  /** The next job; when there is none, the reason is kept for `status`, and logged when it changes, not in every round. */
  async function claimOne(): Promise<Claim | null> {
    const next = await claimNext(deps, breaker);
    if (next.kind === 'claimed') return next.claim;
    if (next.kind === 'preflight_failed' && !isDeepStrictEqual(next, claiming)) {
      deps.log.warn('the agent cannot be started here, jobs stay queued', { role: next.role, reason: next.reason });
    }
    claiming = next;
    return null;
  }

  /** Claims until nothing more can be had here. */
  async function claimAll(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const claim = await claimOne();
      if (claim === null) return;
      start(claim, 'claimed', signal);
    }
  }

  /** The heartbeat that `status` reads; at once when jobs begin or cease to be claimed. */
  async function reportAlive(now: number): Promise<void> {
    if (now - seenAt < deps.config.heartbeatMs && claiming.kind === reported) return;
    seenAt = now;
    reported = claiming.kind;
    const detail = { concurrency: deps.config.maxConcurrency, runs: [...runs.ids()], claiming };
    await deps.store.heartbeat({ name: 'worker', owner: deps.owner, kind: 'worker', detail });
  }

  /** One round of a serving worker. Adoption and claims take turns, so no run is seen between its claim and its slot. */
  async function round(signal: AbortSignal): Promise<void> {
    if (guard.jumped()) {
      deps.log.warn('the clock jumped, leases are renewed first');
      await runs.renewAll();
      // The store hears of the new time at once, and moves what waits along.
      seenAt = Number.NEGATIVE_INFINITY;
    }
    const now = deps.monotonic();
    await reportAlive(now);
    // Before the scan: an owner that dies in between is met by one or the other.
    owners.watch(await deps.store.runningJobs(deps.host));
    if (now - adoptedAt >= adoptEveryMs && guard.mayReclaim()) {
      adoptedAt = now;
      await adoptAll(signal);
      await breaker.freeLostProbe();
    }
    await claimAll(signal);
    await reportAlive(now);
  }

  return {
    claiming: () => claiming,
    async runOnce(signal = never) {
      if (signal.aborted) return 'idle';
      const orphan = (await findAdoptable(deps, runs.ids()))[0];
      const adopted = orphan === undefined ? null : await takeOver(deps, orphan);
      if (adopted !== null) {
        await runs.start(adopted, 'adopted', signal, () => {});
        return 'ran';
      }
      const claim = await claimOne();
      if (claim === null) return 'idle';
      await runs.start(claim, 'claimed', signal, () => {});
      return 'ran';
    },
    async runUntilEmpty(signal = never) {
      finished = 0;
      await adoptAll(signal);
      for (;;) {
        await claimAll(signal);
        if (runs.ids().size === 0) return finished;
        await notifier.wait(deps.config.pollIntervalMs, never);
      }
    },
    async serve(signal) {
      const unwatch = deps.store.onChange(notifier.notify);
      let outdated: OrchError | null = null;
      while (!signal.aborted) {
        try {
          await round(signal);
        } catch (error) {
          if (error instanceof OrchError && error.code === 'database_newer') {
            outdated = error;
            break;
          }
          deps.log.warn('a round of the worker failed, the next one follows', { error: errorText(error) });
        }
        await notifier.wait(deps.config.pollIntervalMs, signal);
      }
      unwatch();
      owners.end();
      const drained = new AbortController();
      void runs.idle().then(() => drained.abort());
      await deps.clock.sleep(deps.config.drainMs, drained.signal);
      if (outdated !== null) throw outdated;
    },
  };
}
