import type { Claim, ClaimState } from '../model/index.ts';
import { roleNames } from '../pipeline/stages/index.ts';
import { crashPoint } from '../platform/crash-point.ts';
import { isServed } from './context.ts';
import type { WorkerDeps } from './deps.ts';
import type { SharedBreaker } from './breaker.ts';

/** A claim, or what keeps this worker from one; `ready` when nothing is due or the host has no free slot. */
export type Claiming = { kind: 'claimed'; claim: Claim } | Exclude<ClaimState, { kind: 'starting' }>;

const ready = { kind: 'ready' } as const;

/**
 * Takes the next due job: preflight first, so that a broken installation leaves the jobs queued, then the agents' breaker,
 * then the claim, which enforces the host's limit.
 */
export async function claimNext(deps: WorkerDeps, breaker: SharedBreaker): Promise<Claiming> {
  if (!(await deps.store.hasDueJob(deps.projects))) return ready;
  const broken = await preflight(deps);
  if (broken !== null) return broken;
  const admitted = await breaker.admit();
  if (admitted.kind === 'wait') return { kind: 'paused', until: admitted.until };
  const { host, owner, projects } = deps;
  const { leaseMs, maxConcurrency } = deps.config;
  const known = projects === undefined ? {} : { projects };
  const claim = await deps.store.claim({ host, owner, leaseMs, maxConcurrency, ...known });
  if (claim !== null) crashPoint('claim.after');
  if (admitted.kind === 'probe')
    await breaker.assign(claim === null || claim.job.kind === 'check' ? null : claim.run.id);
  return claim === null ? ready : { kind: 'claimed', claim };
}

/** How many of the newest jobs are searched for what waits; a longer queue asks for every role. */
const maxJobs = 200;

/**
 * Which agent that a job waits for cannot be started here, and why; null when all can. Only the roles of waiting jobs
 * are asked, so that a broken one that nobody needs now stops no other. The launcher caches the answers.
 */
async function preflight(deps: WorkerDeps): Promise<Extract<ClaimState, { kind: 'preflight_failed' }> | null> {
  const jobs = await deps.store.recentJobs(maxJobs);
  const waiting = jobs.filter((job) => (job.state === 'queued' || job.state === 'delayed') && isServed(job, deps));
  const agents = waiting.filter((job) => job.kind !== 'check');
  const asked =
    waiting.length > 0
      ? agents.map((job) => ({ role: job.role, projectId: deps.policyOf(job)?.projectId ?? null }))
      : roleNames.map((role) => ({ role, projectId: null }));
  for (const { role, projectId } of asked) {
    const answer = await deps.launcher.preflight(role, projectId);
    if (!answer.ok) return { kind: 'preflight_failed', role, reason: answer.reason };
  }
  return null;
}
