import { errorText, type Claim } from '../model/index.ts';
import type { WorkerDeps } from './deps.ts';

/** What the holder of a lease may do: go on, stop because somebody asked, or leave everything to the new owner. */
type LeaseState = 'go' | 'cancel' | 'lost';

/** Renews one lease from claim to settlement: preparing, running and publishing alike. */
export interface LeaseRenewer {
  state(): LeaseState;
  /** Aborted when the state leaves `go`; ends waits early. */
  readonly changed: AbortSignal;
  /** Renews out of turn: after a clock jump every lease may look expired to others. */
  renewNow(): Promise<void>;
  stop(): void;
}

/**
 * Renews the lease every `heartbeatMs` and watches for a cancel request. The request is a write, so the database's
 * change callback notices it at once; it is read, not renewed, because a renewal is a write and would call back again.
 * A store that cannot be asked changes nothing: the lease outlives three missed heartbeats.
 */
export function startRenewing(deps: WorkerDeps, claim: Claim): LeaseRenewer {
  const { store, clock, log, config } = deps;
  const { lease } = claim;
  const stopped = new AbortController();
  const changed = new AbortController();
  let state: LeaseState = 'go';
  const become = (next: LeaseState): void => {
    // Lost is final: whatever else is read belongs to the new owner.
    if (state === 'lost' || state === next || stopped.signal.aborted) return;
    state = next;
    changed.abort();
  };
  if (claim.job.cancelRequested) become('cancel');

  async function renewNow(): Promise<void> {
    try {
      const answer = await store.renew(lease, config.leaseMs);
      if (answer === 'lost') become('lost');
      else if (answer.cancelRequested) become('cancel');
    } catch (error) {
      log.warn('lease not renewed', { run: lease.runId, error: errorText(error) });
    }
  }

  async function checkForCancel(): Promise<void> {
    try {
      const job = await store.job(lease.jobId);
      if (job?.cancelRequested === true && job.leaseToken === lease.token) become('cancel');
    } catch {
      // The next heartbeat asks again.
    }
  }

  async function beat(): Promise<void> {
    while (!stopped.signal.aborted && state !== 'lost') {
      await clock.sleep(config.heartbeatMs, stopped.signal);
      if (!stopped.signal.aborted) await renewNow();
    }
  }

  let checking = false;
  const unwatch = store.onChange(() => {
    if (checking || state !== 'go' || stopped.signal.aborted) return;
    checking = true;
    void checkForCancel().finally(() => (checking = false));
  });
  void beat();
  return {
    state: () => state,
    changed: changed.signal,
    renewNow,
    stop: () => {
      unwatch();
      stopped.abort();
    },
  };
}
