import path from 'node:path';
import {
  errorText,
  errorWithHint,
  mayPassLater,
  OrchError,
  type Claim,
  type CommitSha,
  type Published,
} from '../model/index.ts';
import { roleFacts } from '../pipeline/stages/index.ts';
import { databaseTrailer, itemTrailer } from '../pipeline/trailers.ts';
import { crashPoint } from '../platform/crash-point.ts';
import { backoffMs, retryPolicies } from '../platform/retry.ts';
import { baseBranchOf, isServed, LeaseLost, patchRun, projectOf, type RunContext } from './context.ts';

/** Where changes outside the role's scope are saved. */
export function patchFileOf(folder: string): string {
  return path.join(folder, 'out-of-scope.patch');
}

/** What publishing came to. `failed`: the work stays in the workspace, and a person has to decide. */
export type Publication =
  | { kind: 'published'; published: Published }
  | { kind: 'failed'; cause: 'moved' | 'refused' | 'cancelled'; error: string }
  | { kind: 'detached' };

/**
 * Step 6: commit, hand over to the bare copy, push, each looking at the world first, so that all of it can be repeated
 * after a crash at any line. Trouble with the server is retried for as long as it lasts, on this run's own backoff,
 * without a slot of the host and without the agent (spec 7).
 */
export async function publish(context: RunContext): Promise<Publication> {
  const { deps, renewer, signal } = context;
  let refused = 0;
  let reported: string | null = null;
  // Pushed by whoever serves the project, when it is back.
  if (!isServed(context.claim.job, deps) && renewer.state() !== 'cancel') {
    await patchRun(context, { trouble: `its project ${context.claim.job.projectId} is not configured here` });
    return { kind: 'detached' };
  }
  for (let n = 1; ; n++) {
    if (renewer.state() === 'lost') throw new LeaseLost(context.lease.runId);
    if (renewer.state() === 'cancel')
      return { kind: 'failed', cause: 'cancelled', error: 'cancelled before its work was on the server' };
    try {
      const publication = await publishOnce(context);
      if (reported !== null) await patchRun(context, { trouble: null });
      return publication;
    } catch (error) {
      if (!(error instanceof OrchError)) throw error;
      const { tries, refusalTries } = retryPolicies.publish;
      if (!mayPassLater(error) && ++refused >= (error.kind === 'refusal' ? refusalTries : tries))
        return { kind: 'failed', cause: 'refused', error: errorWithHint(error) };
      const text = errorWithHint(error);
      if (text !== reported) await patchRun(context, { trouble: text });
      reported = text;
      const wait = backoffMs(n, deps.config.backoff, error.retryAfterMs ?? 0, deps.random());
      deps.log.warn('publishing failed, it will be tried again', {
        run: context.lease.runId,
        error: errorText(error),
        waitMs: wait,
      });
      await deps.clock.sleep(wait, AbortSignal.any([signal, renewer.changed]));
      if (signal.aborted) return { kind: 'detached' };
    }
  }
}

async function publishOnce(context: RunContext): Promise<Publication> {
  const { deps, claim } = context;
  const { job, run } = claim;
  const base = run.baseSha;
  if (base === null) throw new OrchError(`run ${run.id} has no base commit`, { code: 'no_base' });
  // A bare copy that was removed meanwhile is made again; what the work is built upon has to be in it.
  if (!(await deps.git.has(job.repo, base))) await deps.git.fetch(job.repo, [baseBranchOf(context), job.branch]);
  const made = await deps.workspaces.commit({
    repo: job.repo,
    branch: job.branch,
    base,
    baseBranch: baseBranchOf(context),
    allowed: deps.launcher.scope(job.role, job.taskId, projectOf(context)),
    message: commitMessage(claim, deps.database),
    patchFile: patchFileOf(run.folder),
  });
  crashPoint('publish.committed');
  if (made.sha === base) return { kind: 'published', published: made };
  await deps.workspaces.exportCommit(job.repo, job.branch, made.sha);
  crashPoint('publish.fetched');
  if ((await pushWork(context, made.sha, base)) === 'moved') {
    return {
      kind: 'failed',
      cause: 'moved',
      error: `branch ${job.branch} was moved on the server while the run worked`,
    };
  }
  crashPoint('publish.pushed');
  return { kind: 'published', published: made };
}

/**
 * Fast-forward only. A branch that the server removed after its merge is made again by the next round's work (spec 3.3: deploy
 * failed); a branch that is there is never touched by that.
 */
async function pushWork(context: RunContext, sha: CommitSha, base: CommitSha): Promise<'ok' | 'moved'> {
  const { deps, claim } = context;
  const { repo, branch } = claim.job;
  const pushed = await deps.git.push(repo, sha, branch, base);
  const mergedAway = pushed === 'moved' && claim.task !== null && claim.task.mergedSha !== null;
  return mergedAway ? deps.git.push(repo, sha, branch, null) : pushed;
}

/** `docs(ET-012): analyst, run 47`, `feat` for the developer, with trailers that say whose work it is (spec 7). */
function commitMessage(claim: Pick<Claim, 'job' | 'run' | 'task'>, database: string): string {
  const { job, run, task } = claim;
  const type = roleFacts(job.role).writesCode ? 'feat' : 'docs';
  const scope = job.taskId === null ? '' : `(${job.taskId})`;
  const trailers = [
    ...(job.taskId === null ? [] : [`Orch-Task: ${job.taskId}`]),
    `Orch-Run: ${run.id}`,
    ...(task === null ? [] : [itemTrailer(task.itemId)]),
    databaseTrailer(database),
  ];
  return `${type}${scope}: ${job.role}, run ${run.id}\n\n${trailers.join('\n')}\n`;
}
