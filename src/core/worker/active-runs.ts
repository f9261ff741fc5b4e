import type { Claim, RunId } from '../model/index.ts';
import type { SharedBreaker } from './breaker.ts';
import type { DriveEnd } from './context.ts';
import type { WorkerDeps } from './deps.ts';
import { drive } from './drive.ts';
import { startRenewing, type LeaseRenewer } from './lease-renewer.ts';

/** The runs that one worker drives at the moment, those that only publish included. */
export interface ActiveRuns {
  ids(): ReadonlySet<RunId>;
  /** Drives a run next to the others; `freed` is called when it stops counting against the limit, and at its end. */
  start(claim: Claim, entry: 'claimed' | 'adopted', signal: AbortSignal, freed: () => void): Promise<DriveEnd>;
  renewAll(): Promise<void>;
  /** Resolves when every run that is driven now has ended. */
  idle(): Promise<void>;
}

export function createActiveRuns(deps: WorkerDeps, breaker: SharedBreaker): ActiveRuns {
  const active = new Map<RunId, { renewer: LeaseRenewer; end: Promise<DriveEnd> }>();
  return {
    ids: () => new Set(active.keys()),
    start: (claim, entry, signal, freed) => {
      const { id } = claim.run;
      const renewer = startRenewing(deps, claim);
      const end = drive({ deps, breaker, claim, renewer, entry, signal, onSlotFreed: freed }).finally(() => {
        active.delete(id);
        freed();
      });
      active.set(id, { renewer, end });
      return end;
    },
    renewAll: async () => {
      await Promise.all([...active.values()].map(({ renewer }) => renewer.renewNow()));
    },
    idle: async () => {
      await Promise.all([...active.values()].map(({ end }) => end));
    },
  };
}
