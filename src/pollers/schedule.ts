import type { NamedLease, Outage, ProjectPolicy } from '../core/model/index.ts';
import { OrchError, errorText, errorWithHint } from '../core/model/index.ts';
import { systemClock } from '../core/platform/clock.ts';
import type { ServiceManager } from '../core/platform/sd-notify.ts';
import { ownerAlive } from '../core/platform/processes.ts';
import { pollerLease } from './lease.ts';
import { knownOutages } from './outages.ts';
import { pollOnce, type PollerParts, type TickReport } from './poll-once.ts';
import { createQuickLooks, type QuickConfig, type QuickLooks } from './quick.ts';
import { untilNextTick, type TickClock } from './ticks.ts';

const { name: leaseName, ms: leaseMs } = pollerLease;

/** Cron expressions are of the system's wall clock. */
const ticking: TickClock = { ...systemClock, monotonic: () => performance.now() };

/** A tick that takes longer than a third of the lease renews it meanwhile. */
const renewEveryMs = leaseMs / 3;

export interface PollerConfig {
  projects: ProjectPolicy[];
  /** `idleMs`: milliseconds between two ticks while no task is open, at least. */
  poll: { schedule: string; idleMs: number } & QuickConfig;
}

export interface Poller {
  /** One tick; null when another poller leads. */
  tick(signal: AbortSignal): Promise<TickReport | null>;
  /** Ticks on the schedule until the signal aborts; a tick that is still running is never overlapped. */
  serve(signal: AbortSignal, manager: ServiceManager): Promise<void>;
  /** Gives the lead back at once, so that another poller need not wait for it to lapse. */
  release(): Promise<void>;
}

export function createPoller(engine: PollerParts, config: PollerConfig, repair: () => Promise<void>): Poller {
  const { store, owner, log } = engine;
  /** Those of the last tick; null where this poller did not lead it. Rows of processes are forgotten after a day. */
  let outages: Outage[] | null = null;

  /** The lead, also from a poller of this host that is dead: after a kill, or from the last `--once`. */
  async function lead(): Promise<NamedLease | null> {
    const mine = await store.acquireLease(leaseName, owner, leaseMs);
    if (mine !== null) return mine;
    const held = (await store.leases()).find((lease) => lease.name === leaseName);
    if (held === undefined || ownerAlive(held.owner)) return null;
    await store.releaseLease(held);
    return store.acquireLease(leaseName, owner, leaseMs);
  }

  /** What `orch status` says of polling; written only when it is another than before, so that an idle tick writes nothing. */
  async function tellState(report: TickReport): Promise<void> {
    const detail = {
      behind: report.behind,
      problems: report.problems.map(({ what, error }) => `${what}: ${errorWithHint(error)}`),
      outages: report.outages,
    };
    const said = JSON.stringify(detail);
    const processes = await store.processes();
    const known = processes.find((row) => row.kind === 'poller' && row.owner === owner);
    const quiet = known === undefined && Object.values(detail).every((list) => list.length === 0);
    // The next leader goes by the row that was written last, which may be another poller's.
    const left = JSON.stringify(knownOutages(processes, owner)) === JSON.stringify(report.outages);
    if (left && (quiet || JSON.stringify(known?.detail) === said)) return;
    await store.heartbeat({ name: leaseName, owner, kind: 'poller', detail });
  }

  async function tick(signal: AbortSignal): Promise<TickReport | null> {
    const leader = await lead();
    if (leader === null) {
      outages = null;
      return null;
    }
    const renewal = setInterval(
      () => void store.acquireLease(leaseName, owner, leaseMs).catch(() => undefined),
      renewEveryMs,
    );
    try {
      outages ??= knownOutages(await store.processes(), owner);
      const report = await pollOnce(leader, { ...engine, policies: config.projects, repair, outages }, signal);
      outages = report.outages;
      await tellState(report);
      return report;
    } finally {
      clearInterval(renewal);
    }
  }

  async function serve(signal: AbortSignal, manager: ServiceManager): Promise<void> {
    const { createTask, setLogger } = await import('node-cron');
    const said = (level: 'debug' | 'warn') => (text: string | Error) =>
      log[level](typeof text === 'string' ? text : text.message);
    setLogger({ info: said('debug'), warn: said('warn'), error: said('warn'), debug: said('debug') });
    const outdated = new AbortController();
    const beat = async (): Promise<void> => {
      try {
        const report = await tick(signal);
        await manager.alive();
        for (const { what, error } of report?.problems ?? []) {
          log.warn('poll failed', { what, code: error.code, error: error.message });
        }
        if (report !== null && report.decisions + report.delivered > 0)
          log.info('tick', { decisions: report.decisions, delivered: report.delivered });
      } catch (error) {
        log.error('tick failed', { error: errorWithHint(error) });
        // A newer orch has migrated the database: this one ends, so that its service manager starts what is installed now.
        if (error instanceof OrchError && error.code === 'database_newer') outdated.abort(error);
      }
    };
    await beat();
    const over = AbortSignal.any([signal, outdated.signal]);
    await manager.ready('polling');
    // Never started: it only says when; what is due is counted on a clock that nobody sets.
    const cron = createTask(config.poll.schedule, () => undefined);
    const { idleMs, quickMs } = config.poll;
    const next = (): number => cron.getNextRuns(1)[0]?.getTime() ?? Date.now();
    const quick = createQuickLooks(engine, config.projects, config.poll, lead);
    const stopping = new Promise<void>((resolve) => {
      if (over.aborted) return resolve();
      over.addEventListener('abort', () => resolve(), { once: true });
    }).then(() => manager.stopping('stopping'));
    while (!over.aborted) {
      await betweenTicks(pause(next, idleMs), quickMs > 0 ? quick : null, over);
      quick.ticked();
      // What is on its way, a merge above all, is recorded before the lead is given back and the database closed.
      if (!over.aborted) await beat();
    }
    await stopping;
    await cron.destroy();
    outdated.signal.throwIfAborted();
    await release();
  }

  /** Waits for the next tick; longer while no task is open. */
  async function pause(next: () => number, idleMs: number): Promise<(signal: AbortSignal) => Promise<void>> {
    const isIdle = idleMs > 0 && (await store.tasks({ active: true })).length === 0;
    const from = performance.now();
    return async (signal) => {
      do await untilNextTick(next, ticking, signal);
      while (isIdle && !signal.aborted && performance.now() - from < idleMs);
    };
  }

  /** What is being looked at when the tick is due is looked at to its end first. */
  async function betweenTicks(
    paused: ReturnType<typeof pause>,
    quick: QuickLooks | null,
    signal: AbortSignal,
  ): Promise<void> {
    let isDue = false;
    const due = (await paused)(signal).finally(() => (isDue = true));
    let waitMs = config.poll.quickMs;
    while (quick !== null && !isDue) {
      await Promise.race([due, systemClock.sleep(waitMs, signal)]);
      if (isDue || signal.aborted) break;
      waitMs = await quick.turn(signal).catch((error: unknown) => {
        log.debug('quick look failed', { error: errorText(error) });
        return config.poll.quickMs;
      });
    }
    await due;
  }

  async function release(): Promise<void> {
    const mine = (await store.leases()).find((lease) => lease.name === leaseName && lease.owner === owner);
    if (mine !== undefined) await store.releaseLease(mine);
  }

  return { tick, serve, release };
}
