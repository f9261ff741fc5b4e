import type { Claim, ProcessRow, RunId, RunningJob } from '../model/index.ts';
import { ownerState, parseOwner } from '../platform/processes.ts';
import { isServed } from './context.ts';
import type { WorkerConfig, WorkerDeps } from './deps.ts';

/**
 * Runs that nobody looks after: their owner on this host is dead, or it is this very process, which dropped them after
 * an unexpected error, or they belong to another host (or container) that has fallen silent. An owner that can be seen
 * to live keeps its run even with an expired lease (spec 6): it may only have been stopped for a while, and its agent
 * works on.
 * @param active runs that this process drives
 */
export async function findAdoptable(
  deps: Pick<WorkerDeps, 'store' | 'host' | 'owner' | 'projects'> & { config: Pick<WorkerConfig, 'leaseMs'> },
  active: ReadonlySet<RunId>,
): Promise<RunningJob[]> {
  const running = (await deps.store.runningJobs(null)).filter((found) => !rests(found, deps));
  const states = running.map((job) => ({ job, state: ownerState(job.lease.owner, deps.host) }));
  const unseen = states.some(({ state }) => state === 'unseen');
  const processes = unseen ? await deps.store.processes() : [];
  const now = deps.store.now();
  return states
    .filter(({ job, state }) => {
      if (job.lease.owner === deps.owner) return !active.has(job.run.id);
      return state === 'dead' || (state === 'unseen' && hostSilent(job, running, processes, now, deps.config.leaseMs));
    })
    .map(({ job }) => job);
}

/** Work that only waits to be published for a project that this process does not know: it holds no slot, and can wait. */
function rests({ job, run }: RunningJob, deps: Pick<WorkerDeps, 'projects'>): boolean {
  return run.phase === 'publishing' && !job.cancelRequested && !isServed(job, deps);
}

/**
 * Whether the host that holds a job is gone: neither this lease nor another of that host runs any more, and none of its
 * services was seen for as long as a lease lasts. Its agent, should it live, can no longer settle or publish: the next
 * token shuts it out.
 */
function hostSilent(job: RunningJob, running: RunningJob[], processes: ProcessRow[], now: number, leaseMs: number) {
  const place = (owner: string): string => {
    const { host, boot } = parseOwner(owner) ?? { host: owner, boot: '' };
    return `${host}|${boot}`;
  };
  const home = place(job.lease.owner);
  const heldThere = running.some(({ lease, leaseExpiresAt }) => place(lease.owner) === home && leaseExpiresAt > now);
  const seenThere = processes.some(({ owner, seenAt }) => place(owner) === home && seenAt + leaseMs > now);
  return !heldThere && !seenThere;
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
