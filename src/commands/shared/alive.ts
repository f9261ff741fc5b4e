import type { NamedLease, ProcessRow, Role, RunningJob, Store } from '../../core/model/index.ts';
import { ownerAlive, parseOwner } from '../../core/platform/processes.ts';
import { pollerLease } from '../../pollers/lease.ts';
import { rfc3339, rfc3339OrNull } from '../../ui/format.ts';

export interface PollerState {
  /** `late`: its lease has lapsed; `none`: nobody polls, because no poller was started or the last one was stopped. */
  state: 'live' | 'late' | 'none';
  /** When it last took or renewed its lease, ms since the epoch. */
  lastTick: number | null;
  leaseExpiresAt: number | null;
  host: string | null;
  /** Projects whose polling is behind, and what went wrong in the last tick, where the poller says so. */
  behind: string[];
  problems: string[];
}

export interface WorkerState {
  name: string;
  host: string;
  pid: number | null;
  startedAt: number;
  seenAt: number;
  /** `silent`: not seen for longer than a lease; `gone`: its process has ended. */
  state: 'live' | 'silent' | 'gone';
  /** Which agent's program does not start there, and why: it leaves its jobs queued. Null where the preflight passed. */
  preflight: { role: Role; reason: string } | null;
}

/** Who lives of the services, from what they left in the database. */
export interface Alive {
  poller: PollerState;
  workers: WorkerState[];
  /** A worker lives: one that serves, or one that holds a running job under a lease that has not lapsed. */
  working: boolean;
}

type WorkerRow = Extract<ProcessRow, { kind: 'worker' }>;

export function preflightText({ role, reason }: NonNullable<WorkerState['preflight']>): string {
  return `${role} cannot be started: ${reason}`;
}

function pollerState(leases: NamedLease[], processes: ProcessRow[], now: number): PollerState {
  const lease = leases.find(({ name }) => name === pollerLease.name);
  const leader = processes.filter((row) => row.kind === 'poller').find(({ owner }) => owner === lease?.owner);
  return {
    state: lease === undefined ? 'none' : lease.expiresAt > now ? 'live' : 'late',
    lastTick: lease === undefined ? null : lease.expiresAt - pollerLease.ms,
    leaseExpiresAt: lease?.expiresAt ?? null,
    host: lease === undefined ? null : (parseOwner(lease.owner)?.host ?? lease.owner),
    behind: leader?.detail.behind ?? [],
    problems: leader?.detail.problems ?? [],
  };
}

function workerState(row: WorkerRow, leaseMs: number, now: number): WorkerState {
  const owner = parseOwner(row.owner);
  const { claiming } = row.detail;
  return {
    name: row.name,
    host: owner?.host ?? row.owner,
    pid: owner?.pid ?? null,
    startedAt: row.startedAt,
    preflight: claiming.kind === 'preflight_failed' ? { role: claiming.role, reason: claiming.reason } : null,
    seenAt: row.seenAt,
    // A process of this host can be looked at; of another host only the lease says anything.
    state: !ownerAlive(row.owner) ? 'gone' : row.seenAt + leaseMs > now ? 'live' : 'silent',
  };
}

/**
 * @param leaseMs the workers' lease of the configuration, milliseconds
 * @param running jobs that run now, on any host
 */
export async function readAlive(store: Store, leaseMs: number, running: RunningJob[]): Promise<Alive> {
  const [leases, processes] = await Promise.all([store.leases(), store.processes()]);
  const now = store.now();
  const workers = processes.filter((row) => row.kind === 'worker').map((row) => workerState(row, leaseMs, now));
  return {
    poller: pollerState(leases, processes, now),
    workers,
    working: workers.some(({ state }) => state === 'live') || running.some((job) => job.leaseExpiresAt > now),
  };
}

/** The services in a document of `--json`. */
export function aliveDocument({ poller, workers, working }: Alive): Record<string, unknown> {
  return {
    poller: {
      state: poller.state,
      last_tick_at: rfc3339OrNull(poller.lastTick),
      lease_expires_at: rfc3339OrNull(poller.leaseExpiresAt),
      host: poller.host,
      behind: poller.behind,
      problems: poller.problems,
    },
    workers: workers.map((worker) => ({
      name: worker.name,
      host: worker.host,
      pid: worker.pid,
      state: worker.state,
      preflight_failed: worker.preflight !== null,
      preflight_error: worker.preflight === null ? null : preflightText(worker.preflight),
      started_at: rfc3339(worker.startedAt),
      seen_at: rfc3339(worker.seenAt),
    })),
    polling: poller.state === 'live',
    working,
  };
}
