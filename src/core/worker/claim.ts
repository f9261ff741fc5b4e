import { roles, type Claim } from '../model/index.ts';
import { crashPoint } from '../platform/crash-point.ts';
import type { WorkerDeps } from './deps.ts';
import type { GateKeeper } from './gate.ts';

/** Why nothing was claimed, for `status`; `empty` also when the host's slots are taken. */
export type Claiming =
  { kind: 'claimed'; claim: Claim } | { kind: 'empty' } | { kind: 'gate' } | { kind: 'preflight'; reason: string };

/**
 * Takes the next due job: preflight first, so that a broken installation leaves the jobs queued, then the agent gate,
 * then the claim, which enforces the host's limit.
 */
export async function claimNext(deps: WorkerDeps, gate: GateKeeper): Promise<Claiming> {
  if (!(await deps.store.hasDueJob())) return { kind: 'empty' };
  const broken = await preflight(deps);
  if (broken !== null) return { kind: 'preflight', reason: broken };
  const admitted = await gate.admit();
  if (admitted === 'wait') return { kind: 'gate' };
  const { host, owner, config } = deps;
  const claim = await deps.store.claim({ host, owner, leaseMs: config.leaseMs, maxConcurrency: config.maxConcurrency });
  if (claim !== null) crashPoint('claim.after');
  if (admitted === 'probe') await gate.assign(claim === null || claim.job.kind === 'check' ? null : claim.run.id);
  return claim === null ? { kind: 'empty' } : { kind: 'claimed', claim };
}

/** How many of the newest jobs are looked through for what waits; a longer queue asks for every role. */
const window = 200;

/**
 * The reason why an agent that is waited for cannot be started here; null when all answer. Only what is queued is asked
 * for, so that a role nobody needs now stops nobody. The answers are cached by the launcher.
 */
async function preflight(deps: WorkerDeps): Promise<string | null> {
  const jobs = await deps.store.recentJobs(window);
  const waiting = jobs.filter((job) => job.state === 'queued' || job.state === 'delayed');
  const agents = waiting.filter((job) => job.kind !== 'check');
  const asked =
    waiting.length > 0
      ? agents.map((job) => ({ role: job.role, projectId: deps.policyOf(job)?.planeProject ?? null }))
      : roles.map((role) => ({ role, projectId: null }));
  for (const { role, projectId } of asked) {
    const answer = await deps.launcher.preflight(role, projectId);
    if (!answer.ok) return `${role}: ${answer.reason}`;
  }
  return null;
}
