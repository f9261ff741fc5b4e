import type { Claim, RunId, RunningJob } from '../model/index.ts';
import { ownerAlive } from '../platform/processes.ts';
import type { WorkerDeps } from './deps.ts';

/**
 * Runs of this host that nobody looks after: their owner is dead, or it is this very process, which dropped them after
 * an unexpected error. An owner that lives keeps its run even with an expired lease (spec 6): it may only have been
 * stopped for a while, and its agent works on.
 * @param active runs that this process drives
 */
export async function findAdoptable(
  deps: Pick<WorkerDeps, 'store' | 'host' | 'owner'>,
  active: ReadonlySet<RunId>,
): Promise<RunningJob[]> {
  const running = await deps.store.runningJobs(deps.host);
  return running.filter(({ run, lease }) =>
    lease.owner === deps.owner ? !active.has(run.id) : !ownerAlive(lease.owner, deps.host),
  );
}

/**
 * Takes the lease over: the token rises, so whatever the dead owner still has on its way changes no row. Null when
 * another worker was first.
 */
export async function takeOver(deps: WorkerDeps, found: RunningJob): Promise<Claim | null> {
  const claim = await deps.store.takeOver(found.lease, deps.owner, deps.config.leaseMs);
  if (claim !== null)
    deps.log.info('run adopted', { run: claim.run.id, phase: claim.run.phase, from: found.lease.owner });
  return claim;
}
