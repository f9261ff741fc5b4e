import { OrchError, errorText } from '../model/index.ts';
import { findAdoptable, takeOver } from './adopt.ts';
import { claimNext, type Claiming } from './claim.ts';
import { createClockGuard } from './clock-guard.ts';
import type { WorkerDeps } from './deps.ts';
import { createGateKeeper } from './gate.ts';
import { watchOwners } from './owners.ts';
import { createSlots } from './slots.ts';
import { createBell } from './wake.ts';

/** How often a serving worker looks for runs of dead ones, whatever it was told; milliseconds. */
const adoptEveryMs = 5_000;

export interface Worker {
  /** One job to its end, publishing included; an orphaned run of a dead worker goes before a new one. */
  runOnce(signal?: AbortSignal): Promise<'ran' | 'idle'>;
  /** Until nothing is due; delayed jobs are left. Answers how many runs it saw to their end. */
  runUntilEmpty(signal?: AbortSignal): Promise<number>;
  /**
   * Until the signal aborts: then nothing more is claimed, agents go on under their supervisor for the next worker to
   * adopt, and publishing gets `drainMs` to finish. A database that a newer orch has migrated stops it in the same way.
   * @throws OrchError `database_newer`, when drained
   */
  serve(signal: AbortSignal): Promise<void>;
}

export function createWorker(deps: WorkerDeps): Worker {
  const gate = createGateKeeper(deps);
  const slots = createSlots(deps, gate);
  const guard = createClockGuard(() => deps.store.now(), deps.monotonic, deps.config.leaseMs);
  const bell = createBell((ms, signal) => deps.clock.sleep(ms, signal));
  const never = new AbortController().signal;
  const owners = watchOwners(deps, () => {
    adoptedAt = Number.NEGATIVE_INFINITY;
    bell.ring();
  });
  let finished = 0;
  let adoptedAt = Number.NEGATIVE_INFINITY;
  let seenAt = Number.NEGATIVE_INFINITY;
  /** Why nothing was claimed at the last look: shown by `status`. */
  let intake = 'starting';

  function start(claim: Parameters<typeof slots.start>[0], entry: 'claimed' | 'adopted', signal: AbortSignal): void {
    void slots.start(claim, entry, signal, bell.ring).then((end) => {
      if (end === 'settled') finished++;
    });
  }

  async function adoptAll(signal: AbortSignal): Promise<void> {
    for (const found of await findAdoptable(deps, slots.ids())) {
      const claim = signal.aborted ? null : await takeOver(deps, found);
      if (claim !== null) start(claim, 'adopted', signal);
    }
  }

  /** Claims until nothing more can be had here; says why once, not with every look. */
  async function claimAll(signal: AbortSignal): Promise<void> {
    let claiming: Claiming | null = null;
    while (!signal.aborted) {
      claiming = await claimNext(deps, gate);
      if (claiming.kind !== 'claimed') break;
      start(claiming.claim, 'claimed', signal);
    }
    const before = intake;
    intake = claiming === null ? 'stopped' : claiming.kind === 'preflight' ? claiming.reason : claiming.kind;
    if (claiming?.kind === 'preflight' && intake !== before) {
      deps.log.warn('the agent cannot be started here, jobs stay queued', { reason: intake });
    }
  }

  async function showLife(now: number): Promise<void> {
    if (now - seenAt < deps.config.heartbeatMs) return;
    seenAt = now;
    const detail = { concurrency: deps.config.maxConcurrency, runs: [...slots.ids()], intake };
    await deps.store.heartbeat({ name: 'worker', owner: deps.owner, kind: 'worker', detail });
  }

  /** One round of a serving worker. Adoption and claims take turns, so no run is seen between its claim and its slot. */
  async function turn(signal: AbortSignal): Promise<void> {
    if (guard.jumped()) {
      deps.log.warn('the clock jumped, leases are renewed first');
      await slots.renewAll();
    }
    const now = deps.monotonic();
    await showLife(now);
    if (now - adoptedAt >= adoptEveryMs && guard.mayReclaim()) {
      adoptedAt = now;
      await adoptAll(signal);
      await gate.freeLostProbe();
    }
    await claimAll(signal);
    owners.follow(await deps.store.runningJobs(deps.host));
  }

  return {
    async runOnce(signal = never) {
      if (signal.aborted) return 'idle';
      const orphan = (await findAdoptable(deps, slots.ids()))[0];
      const adopted = orphan === undefined ? null : await takeOver(deps, orphan);
      if (adopted !== null) {
        await slots.start(adopted, 'adopted', signal, () => {});
        return 'ran';
      }
      const claiming = await claimNext(deps, gate);
      if (claiming.kind !== 'claimed') return 'idle';
      await slots.start(claiming.claim, 'claimed', signal, () => {});
      return 'ran';
    },
    async runUntilEmpty(signal = never) {
      finished = 0;
      await adoptAll(signal);
      for (;;) {
        await claimAll(signal);
        if (slots.ids().size === 0) return finished;
        await bell.wait(deps.config.pollIntervalMs, never);
      }
    },
    async serve(signal) {
      const unwatch = deps.onChange(bell.ring);
      let outdated: OrchError | null = null;
      while (!signal.aborted) {
        try {
          await turn(signal);
        } catch (error) {
          if (error instanceof OrchError && error.code === 'database_newer') {
            outdated = error;
            break;
          }
          deps.log.warn('the worker looks again shortly', { error: errorText(error) });
        }
        await bell.wait(deps.config.pollIntervalMs, signal);
      }
      unwatch();
      owners.end();
      const drained = new AbortController();
      void slots.idle().then(() => drained.abort());
      await deps.clock.sleep(deps.config.drainMs, drained.signal);
      if (outdated !== null) throw outdated;
    },
  };
}
