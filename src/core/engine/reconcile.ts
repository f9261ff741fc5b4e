import type { Log } from '../platform/log.ts';
import { errorText, isDatabaseError } from '../model/index.ts';
import type { LinkedPolicy, ProjectId, Store, Task, TaskId } from '../model/index.ts';
import { crashPoint } from '../platform/crash-point.ts';
import { backoffMs, type RetryDeps } from '../platform/retry.ts';
import { ruling, type EvidenceDeps } from './evidence.ts';

export interface DecideDeps extends EvidenceDeps {
  store: Store;
  /** Policy of the project a task belongs to; null when this process does not know it. */
  policyOf: (task: Pick<Task, 'projectId'>) => LinkedPolicy | null;
  log: Log;
}

/** What reconciles every task that is due. */
export interface ReconcileDeps extends DecideDeps, RetryDeps {
  /** Failed decisions in a row by task, in this process: after a restart, perhaps of a repaired version, all are tried soon. */
  failedDecisions: Map<TaskId, number>;
  /** The projects that this process knows: tasks of others are left exactly as they are. */
  projects: readonly ProjectId[];
}

/** More decisions than this in a row for one task are a defect of the rules, not work. */
const maxSteps = 100;

/**
 * Brings one task to rest: load, collect evidence, decide, commit, until nothing follows. Any process may do it at any
 * time: a commit compares the version, so of two that decide at once one gets `stale` and loads again.
 * @returns how many decisions were committed
 */
export async function reconcile(taskId: TaskId, deps: DecideDeps): Promise<number> {
  let committed = 0;
  for (let n = 0; n < maxSteps; n += 1) {
    const snapshot = await deps.store.load(taskId);
    if (snapshot === null) return committed;
    const policy = deps.policyOf(snapshot.task);
    // Put to rest, it would sleep through what woke it, also for the process that does know it.
    if (policy === null) return committed;
    const step = await ruling(snapshot, policy, deps);
    if (step.kind === 'rest') {
      await deps.store.rest(taskId, snapshot.meta.wakeSeq, step.wakeAt);
      return committed;
    }
    crashPoint('reconcile.before-commit');
    const answer = await deps.store.commit(taskId, snapshot.meta.version, step.decision);
    crashPoint('reconcile.after-commit');
    if (answer === 'stale') continue;
    committed += 1;
    deps.log.info('decided', { task: taskId, rule: step.decision.why.rule, why: step.decision.why.sentence });
  }
  throw new Error(`task ${taskId} does not come to rest after ${maxSteps} decisions`);
}

/** Reconciles every task whose time has come; one that fails does not stop the others. @throws OrchError `database_*` */
export async function reconcileDue(
  deps: ReconcileDeps,
  limit = 200,
): Promise<{ tasks: number; decisions: number; failed: { task: TaskId; error: string }[] }> {
  const due = await deps.store.dueTasks(limit, deps.projects);
  const failed: { task: TaskId; error: string }[] = [];
  let decisions = 0;
  for (const taskId of due) {
    try {
      decisions += await reconcile(taskId, deps);
      deps.failedDecisions.delete(taskId);
    } catch (error) {
      // Without the database no other task fares better.
      if (isDatabaseError(error)) throw error;
      failed.push({ task: taskId, error: errorText(error) });
      await postpone(taskId, deps);
      deps.log.error('reconcile failed', {
        task: taskId,
        error: error instanceof Error ? (error.stack ?? error.message) : String(error),
      });
    }
  }
  return { tasks: due.length, decisions, failed };
}

/** A task whose decision failed must not keep its place in front of the others forever; one that keeps failing waits longer. */
async function postpone(taskId: TaskId, { store, failedDecisions, backoff, random }: ReconcileDeps): Promise<void> {
  const failures = (failedDecisions.get(taskId) ?? 0) + 1;
  failedDecisions.set(taskId, failures);
  const snapshot = await store.load(taskId).catch(() => null);
  if (snapshot === null) return;
  await store.rest(taskId, snapshot.meta.wakeSeq, store.now() + backoffMs(failures, backoff, 0, random()));
}
