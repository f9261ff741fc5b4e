import type { Claim, Job, Lease, ProjectId, RunCause, RunOutcome, RunPatch } from '../model/index.ts';
import type { WorkerDeps } from './deps.ts';
import type { SharedBreaker } from './breaker.ts';
import type { LeaseRenewer } from './lease-renewer.ts';

/** One run on its way from claim to settlement. */
export interface RunContext {
  deps: WorkerDeps;
  breaker: SharedBreaker;
  claim: Claim;
  lease: Lease;
  renewer: LeaseRenewer;
  /** Aborted when the worker stops: no new step is begun, agents go on under their supervisor. */
  signal: AbortSignal;
  /** Called when the run stops counting against the host's limit. */
  onSlotFreed: () => void;
}

/** How the worker's part in a run ended; only `settled` wrote an outcome. */
export type DriveEnd = 'settled' | 'detached' | 'lost';

/** Thrown inside one run to leave it at once; never leaves `drive`. */
export class LeaseLost extends Error {}

/** Writes under the lease. @throws LeaseLost when another owner has it: then nothing more may be written. */
export async function patchRun(context: RunContext, patch: RunPatch): Promise<void> {
  if ((await context.deps.store.patchRun(context.lease, patch)) === 'lost') throw new LeaseLost(context.lease.runId);
  const { trouble: _trouble, ...facts } = patch;
  Object.assign(context.claim.run, facts);
}

/** An outcome that no agent process had a part in: made by the worker itself, and free. */
export function ownOutcome(
  kind: RunOutcome['kind'],
  cause: RunCause,
  detail: string,
  resetAt: number | null = null,
): RunOutcome {
  return {
    kind,
    cause,
    detail,
    exitCode: null,
    resetAt,
    costMicros: 0,
    tokens: null,
    sessionId: null,
    turns: null,
    result: null,
    tail: '',
  };
}

/** Base branch of a repository that no project names: what git and its servers call it by default. */
const defaultBaseBranch = 'main';

/** The branch that the run's branch is to be merged into. */
export function baseBranchOf({ deps, claim }: RunContext): string {
  return claim.task?.baseBranch ?? deps.policyOf(claim.job)?.baseBranch ?? defaultBaseBranch;
}

/** Whether this process knows the project of a job: what belongs to one that it does not know is left to others. */
export function isServed(job: Pick<Job, 'projectId'>, { projects }: Pick<WorkerDeps, 'projects'>): boolean {
  return projects === undefined || job.projectId === null || projects.includes(job.projectId);
}

/** The project whose settings hold for the run. */
export function projectOf({ deps, claim }: Pick<RunContext, 'deps' | 'claim'>): ProjectId | null {
  return deps.policyOf(claim.job)?.projectId ?? null;
}
