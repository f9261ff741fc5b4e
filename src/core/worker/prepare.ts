import {
  errorText,
  isDatabaseError,
  mayPassLater,
  OrchError,
  type CommitSha,
  type Role,
  type RunOutcome,
  type RunSpec,
} from '../model/index.ts';
import { documentFolder } from '../pipeline/artifacts.ts';
import { productsOf } from '../pipeline/stages/index.ts';
import { crashPoint } from '../platform/crash-point.ts';
import { diskError } from '../platform/disk-error.ts';
import { baseBranchOf, LeaseLost, ownOutcome, patchRun, projectOf, type RunContext } from './context.ts';

export type Prepared = { kind: 'ready'; spec: RunSpec; folder: string } | { kind: 'failed'; outcome: RunOutcome };

/**
 * Step 2 of a run: the bare copy brought up to date, the branch checked out, the orders written. Everything here can be
 * repeated; what fails is the run's own fault, network trouble is transient (spec 6), and neither wedges the slot.
 */
export async function prepare(context: RunContext): Promise<Prepared> {
  try {
    return { kind: 'ready', ...(await prepareSteps(context)) };
  } catch (error) {
    return { kind: 'failed', outcome: launchFailure(error, context.deps.store.now()) };
  }
}

/**
 * The outcome of a run whose start failed: transient for network trouble, else the run's own fault.
 * @param now ms since the epoch
 * @throws the error again when it says nothing about the launch: the lease is gone, or the database cannot be used
 */
export function launchFailure(thrown: unknown, now: number): RunOutcome {
  const error = diskError(thrown);
  if (error instanceof LeaseLost) throw error;
  if (!(error instanceof OrchError)) return ownOutcome('own_fault', 'launch_failed', errorText(error));
  if (isDatabaseError(error)) throw error;
  const detail = error.hint === undefined ? errorText(error) : `${errorText(error)} (${error.hint})`;
  // The server's word about a repository is believed when it lasts: a proxy or an upgrade may say the same for minutes.
  if (!mayPassLater(error) && error.kind !== 'refusal') return ownOutcome('own_fault', error.code, detail);
  return ownOutcome(
    'transient',
    error.code,
    detail,
    error.retryAfterMs === undefined ? null : now + Math.ceil(error.retryAfterMs),
  );
}

async function prepareSteps(context: RunContext): Promise<{ spec: RunSpec; folder: string }> {
  const { deps, claim } = context;
  const { repo, branch } = claim.job;
  const baseBranch = baseBranchOf(context);
  const workspace =
    claim.job.kind === 'check'
      ? await deps.workspaces.prepareTests(repo, branch, baseBranch, deps.policyOf(claim.job)?.tests.caches ?? [])
      : await deps.workspaces.prepare(repo, branch, baseBranch);
  await patchRun(context, { workspace: workspace.path, baseSha: workspace.head });
  crashPoint('workspace.after');
  const spec = await specOf(context, workspace.path, workspace.head);
  const { folder } = await deps.launcher.prepare(spec);
  await patchRun(context, { folder });
  crashPoint('prepare.after');
  return { spec, folder };
}

async function specOf(context: RunContext, workspace: string, baseSha: CommitSha): Promise<RunSpec> {
  const { deps, claim } = context;
  const { job, run, task } = claim;
  const baseBranch = baseBranchOf(context);
  const projectId = projectOf(context);
  const snapshot = task === null ? null : await deps.store.load(task.id);
  return {
    runId: run.id,
    kind: job.kind,
    role: job.role,
    taskId: job.taskId,
    projectId,
    repo: job.repo,
    branch: job.branch,
    baseBranch,
    stage: task?.stage ?? null,
    title: task?.title ?? '',
    priority: snapshot?.item?.priority ?? 'none',
    itemUrl: task === null ? null : deps.itemUrlOf(task),
    workspace,
    readPaths: deps.workspaces.readPaths(job.repo),
    baseSha,
    attempt: job.attempts + 1,
    maxAttempts: job.maxAttempts,
    orders: job.orders,
    products: task === null ? [] : productsOf(task.stage, job.role, task.ownStages)(documentFolder(task.id)),
    command: job.kind === 'check' ? job.command : null,
    timeoutMs: job.timeoutMs ?? deps.timeoutOf(job.role, projectId),
    budgetMicros: claim.budgetMicros,
    resumeSession: claim.resumeSession,
    prompt: job.kind === 'check' ? '' : await promptOf(context, baseBranch, job.role),
  };
}

/** From the base branch, so that an agent cannot rewrite the next agent's orders (spec 7). */
async function promptOf(context: RunContext, baseBranch: string, role: Role): Promise<string | null> {
  const { deps, claim } = context;
  const base = await deps.git.head(claim.job.repo, baseBranch);
  return base === null ? null : deps.promptOf(claim.job.repo, base, role, projectOf(context));
}
