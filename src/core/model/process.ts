import type { RunId } from './ids.ts';
import type { Role } from './stages.ts';

/** Whether a worker claims jobs, and if not, why. */
export type ClaimState =
  /** The first round is not over. */
  | { kind: 'starting' }
  | { kind: 'ready' }
  /** The circuit breaker lets no agent start. `until`: ms since the epoch; null where no time is known. */
  | { kind: 'paused'; until: number | null }
  /** The agent's program does not start on this host: its jobs stay queued. */
  | { kind: 'preflight_failed'; role: Role; reason: string };

/** What a worker says about itself. */
export interface WorkerDetail {
  concurrency: number;
  /** Runs that it drives now. */
  runs: RunId[];
  claiming: ClaimState;
}

/** Polls of one project at one server that have failed in every tick since then. */
export interface Outage {
  peer: 'tracker' | 'forge';
  /** Name of the project. */
  project: string;
  /** The first tick that failed, ms since the epoch. */
  since: number;
  /** Whether the alert has been queued. */
  reported: boolean;
}

/** What a poller says about its last tick: projects whose polling is behind, what went wrong, and the known outages. */
interface PollerDetail {
  behind: string[];
  problems: string[];
  outages: Outage[];
}

/** A service process and what it last reported. */
export type ProcessReport = { name: string; owner: string } & (
  { kind: 'poller'; detail: PollerDetail } | { kind: 'worker'; detail: WorkerDetail }
);

/** Liveness of a service process, for `status`; times in ms since the epoch. */
export type ProcessRow = ProcessReport & { startedAt: number; seenAt: number };
