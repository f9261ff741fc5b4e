import type { Claim, RunId } from '../model/index.ts';
import type { DriveEnd } from './context.ts';
import type { WorkerDeps } from './deps.ts';
import { drive } from './drive.ts';
import type { GateKeeper } from './gate.ts';
import { keepLease, type Keeper } from './keeper.ts';

/** The runs that one worker drives at the moment, publishing tails included. */
export interface Slots {
  ids(): ReadonlySet<RunId>;
  /** Drives a run beside the others; `freed` is called when it stops counting against the limit, and at its end. */
  start(claim: Claim, entry: 'claimed' | 'adopted', signal: AbortSignal, freed: () => void): Promise<DriveEnd>;
  renewAll(): Promise<void>;
  /** Resolves when every run that is driven now has ended. */
  idle(): Promise<void>;
}

export function createSlots(deps: WorkerDeps, gate: GateKeeper): Slots {
  const active = new Map<RunId, { keeper: Keeper; end: Promise<DriveEnd> }>();
  return {
    ids: () => new Set(active.keys()),
    start: (claim, entry, signal, freed) => {
      const { id } = claim.run;
      const keeper = keepLease(deps, claim);
      const end = drive({ deps, gate, claim, keeper, entry, signal, onSlotFree: freed }).finally(() => {
        active.delete(id);
        freed();
      });
      active.set(id, { keeper, end });
      return end;
    },
    renewAll: async () => {
      await Promise.all([...active.values()].map(({ keeper }) => keeper.renewNow()));
    },
    idle: async () => {
      await Promise.all([...active.values()].map(({ end }) => end));
    },
  };
}
