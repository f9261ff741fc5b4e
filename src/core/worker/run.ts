import { errorText, OrchError, type RunOutcome } from '../model/index.ts';
import { crashPoint } from '../platform/crash-point.ts';
import { hasNoRoom } from '../platform/disk-error.ts';
import { retryPolicies } from '../platform/retry.ts';
import { LeaseLost, ownOutcome, patchRun, type RunContext } from './context.ts';
import type { WorkerDeps } from './deps.ts';
import { launchFailure, prepare } from './prepare.ts';

/** How often the follower asks what the worker wants (cancel, lost lease), milliseconds. */
const beatMs = 1000;
/** How many of a branch's newest runs are searched for the former one of this host. */
const formerRuns = 200;

export type RunEnd = { kind: 'ended'; outcome: RunOutcome; started: boolean } | { kind: 'detached' };

/** Steps 2 to 5 for a run that was just claimed. @throws LeaseLost */
export async function startAndFollow(context: RunContext): Promise<RunEnd> {
  if (!(await clearFormer(context))) return { kind: 'ended', outcome: agentAlive(nothingRan), started: false };
  const prepared = await prepare(context);
  if (prepared.kind === 'failed') return { kind: 'ended', outcome: prepared.outcome, started: false };
  const { spec, folder } = prepared;
  const stop = stopBeforeStart(context);
  if (stop !== null) return { kind: 'ended', outcome: stop, started: false };
  try {
    const identity = await context.deps.launcher.start(spec, folder);
    crashPoint('spawn.after');
    await patchRun(context, { phase: 'running', pid: identity.pid, pidStart: identity.start });
  } catch (error) {
    const outcome = launchFailure(error, context.deps.store.now());
    const quiet = await clearTree(context.deps, folder);
    return { kind: 'ended', outcome: quiet ? outcome : agentAlive(outcome), started: false };
  }
  crashPoint('run.recorded');
  await announceStart(context);
  return follow(context, folder);
}

/** Announces in the chat that an agent works now (spec 10). Information only: a failure to note it stops no run. */
async function announceStart({ deps, claim }: RunContext): Promise<void> {
  const { task, job, run } = claim;
  if (task === null || job.kind !== 'agent') return;
  const item = deps.itemUrlOf(task);
  const body = { event: 'agent_started' as const, role: job.role, attempt: run.attempt, why: job.orders.why };
  const notice = { taskId: task.id, title: task.title, body, links: item === null ? {} : { item } };
  await deps.announce(`agent_started:${run.id}`, notice).catch((error: unknown) => {
    deps.log.warn('the start of a run was not announced', { run: run.id, error: errorText(error) });
  });
}

/** A cancelled run is not started, a stopping worker starts nothing; a lost lease throws. */
function stopBeforeStart(context: RunContext): RunOutcome | null {
  const state = context.renewer.state();
  if (state === 'lost') throw new LeaseLost(context.lease.runId);
  if (state === 'cancel') return ownOutcome('cancelled', 'cancelled', 'cancelled before it started');
  if (context.signal.aborted)
    return ownOutcome('interrupted', 'worker_stopped', 'the worker stopped before the agent started');
  return null;
}

/**
 * Goes on with a run of a dead worker. In `preparing` there may be a process that the worker had started but not yet
 * recorded: it is followed like any other; without one the run is an interruption.
 */
export async function adoptRun(context: RunContext): Promise<RunEnd> {
  const { run } = context.claim;
  const { launcher } = context.deps;
  const state = await launcher.folderState(run.folder);
  // Removed by hand, or the run of another host that fell silent: what became of the agent is not recorded here.
  if (run.phase === 'running' && state === 'missing') {
    const lost = ownOutcome('interrupted', 'run_lost', `the run's folder ${run.folder} is not on this host`);
    const outcome = { ...lost, costMicros: null };
    // Found by its marks alone, should it still work here: nobody could say what became of it.
    const quiet = await clearTree(context.deps, run.folder);
    return { kind: 'ended', outcome: quiet ? outcome : agentAlive(outcome), started: false };
  }
  // `ended` in this phase: started, and ended again, before its start was recorded; its files hold the result like any
  // other run's.
  const nothingStarted =
    state === 'missing' || (run.phase === 'preparing' && state === 'prepared' && !(await launcher.alive(run.folder)));
  if (nothingStarted) {
    return {
      kind: 'ended',
      outcome: ownOutcome('interrupted', 'worker_died', 'the worker died before the agent started'),
      started: false,
    };
  }
  if (run.phase === 'preparing') await patchRun(context, { phase: 'running' });
  return follow(context, run.folder);
}

/** Watches the process to its end, also when another process started it, and takes the outcome from its files. */
async function follow(context: RunContext, folder: string): Promise<RunEnd> {
  const { deps, renewer, signal } = context;
  const { onStop } = deps.config;
  const hooks = { beat: () => Promise.resolve(renewer.state()), everyMs: beatMs, signal, onAbort: onStop };
  const end = await deps.launcher.follow(folder, hooks).catch((error: unknown) => {
    // Removed or damaged by hand: nobody can follow it any more, now or later. What still lives is ended below.
    if (error instanceof OrchError && error.code === 'run_folder') return 'ended' as const;
    throw error;
  });
  if (end === 'lost') throw new LeaseLost(context.lease.runId);
  if (end === 'detached') return { kind: 'detached' };
  crashPoint('run.ended');
  const outcome = await outcomeOf(context, folder);
  return {
    kind: 'ended',
    outcome: (await clearTree(context.deps, folder)) ? outcome : agentAlive(outcome),
    started: true,
  };
}

async function outcomeOf(context: RunContext, folder: string): Promise<RunOutcome> {
  try {
    const outcome = await context.deps.launcher.outcome(folder);
    return outcome.kind === 'own_fault' && [context.claim.run.workspace, folder].some(hasNoRoom)
      ? { ...outcome, kind: 'interrupted', cause: 'no_room', detail: `no space left for its files: ${outcome.detail}` }
      : outcome;
  } catch (error) {
    // Files that cannot be read will not become readable; the run counts as one that left nothing.
    const unreadable = ownOutcome('interrupted', 'no_files', `the run's files cannot be read: ${errorText(error)}`);
    return { ...unreadable, costMicros: null };
  }
}

/**
 * Whatever still works for the branch's former run is ended first: two agents never share a workspace. Looked for by the
 * former run's folder, which knows what belongs to it; before this run has one, so that a refused run leaves no younger
 * folder that would hide the leftovers from the next.
 */
async function clearFormer(context: RunContext): Promise<boolean> {
  const { deps, claim } = context;
  const { repo, branch } = claim.job;
  const workspace = deps.workspaces.pathOf(repo, branch);
  const runs = await deps.store.runs({ repo, branch, limit: formerRuns });
  const former = runs.find((run) => run.workspace === workspace && run.folder !== '' && run.host === deps.host);
  if (former === undefined || former.id === claim.run.id) return true;
  return clearTree(deps, former.folder);
}

/** Ends what is left of a run's tree; false when something cannot be ended. */
export async function clearTree(
  { launcher, log }: Pick<WorkerDeps, 'launcher' | 'log'>,
  folder: string,
): Promise<boolean> {
  for (let n = 0; n < retryPolicies.kill.tries; n++) {
    if (!(await launcher.alive(folder))) return true;
    const { left } = await launcher.kill(folder, 'orphan');
    if (left > 0) log.warn('processes of a run are still alive', { folder, left });
  }
  return !(await launcher.alive(folder));
}

const nothingRan = ownOutcome('own_fault', 'agent_alive', '');

/** The outcome of a run whose workspace is not quiet; what the agent cost and said is kept. */
function agentAlive(outcome: RunOutcome): RunOutcome {
  const detail = 'processes of this workspace could not be ended';
  return { ...outcome, kind: 'own_fault', cause: 'agent_alive', detail };
}
