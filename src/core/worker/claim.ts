import type { Claim } from '../model/index.ts';
import { roleNames } from '../pipeline/stages/index.ts';
import { crashPoint } from '../platform/crash-point.ts';
import type { WorkerDeps } from './deps.ts';
import type { SharedBreaker } from './breaker.ts';

/** Why nothing was claimed, for `status`; `empty` also when the host has no free slot. */
export type Claiming =
  { kind: 'claimed'; claim: Claim } | { kind: 'empty' } | { kind: 'breaker' } | { kind: 'preflight'; reason: string };

/**
 * Takes the next due job: preflight first, so that a broken installation leaves the jobs queued, then the agents' breaker,
 * then the claim, which enforces the host's limit.
 */
export async function claimNext(deps: WorkerDeps, breaker: SharedBreaker): Promise<Claiming> {
  if (!(await deps.store.hasDueJob())) return { kind: 'empty' };
  const broken = await preflight(deps);
  if (broken !== null) return { kind: 'preflight', reason: broken };
  const admitted = await breaker.admit();
  if (admitted === 'wait') return { kind: 'breaker' };
  const { host, owner, config } = deps;
  const claim = await deps.store.claim({ host, owner, leaseMs: config.leaseMs, maxConcurrency: config.maxConcurrency });
  if (claim !== null) crashPoint('claim.after');
  if (admitted === 'probe') await breaker.assign(claim === null || claim.job.kind === 'check' ? null : claim.run.id);
  return claim === null ? { kind: 'empty' } : { kind: 'claimed', claim };
}

/** How many of the newest jobs are searched for what waits; a longer queue asks for every role. */
const maxJobs = 200;

/**
 * The reason why an agent that a job waits for cannot be started here; null when all can. Only the roles of waiting jobs
 * are asked, so that a broken one that nobody needs now stops no other. The launcher caches the answers.
 */
async function preflight(deps: WorkerDeps): Promise<string | null> {
  const jobs = await deps.store.recentJobs(maxJobs);
  const waiting = jobs.filter((job) => job.state === 'queued' || job.state === 'delayed');
  const agents = waiting.filter((job) => job.kind !== 'check');
  const asked =
    waiting.length > 0
      ? agents.map((job) => ({ role: job.role, projectId: deps.policyOf(job)?.planeProject ?? null }))
      : roleNames.map((role) => ({ role, projectId: null }));
  for (const { role, projectId } of asked) {
    const answer = await deps.launcher.preflight(role, projectId);
    if (!answer.ok) return `${role}: ${answer.reason}`;
  }
  return null;
}
