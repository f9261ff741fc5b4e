import type { Decision, NewJob, TaskId } from '../model/index.ts';
import type { Families } from './families.ts';

/**
 * Applies a decision: all of it, under the version it was made for. The task is left due, so that a kill right after
 * this, or whatever woke it meanwhile, is followed by another look; only `rest` puts it to sleep.
 * @throws Error when the decision breaks a rule of the queue: a defect of the pipeline, nothing is written
 */
export function applyDecision(
  f: Families,
  taskId: TaskId,
  version: number,
  decision: Decision,
  now: number,
): 'ok' | 'stale' {
  const before = f.tasks.find(taskId);
  if (before?.meta.version !== version) return 'stale';
  if (decision.task.id !== taskId) throw new Error(`a decision about ${decision.task.id} was committed for ${taskId}`);
  if (decision.handled !== null) {
    if (f.messages.oldest(taskId)?.id !== decision.handled) return 'stale';
    f.messages.handled(decision.handled, now);
  }
  f.tasks.update(decision.task, version, now);
  if (decision.visit !== null) f.visits.put(taskId, decision.visit);
  for (const jobId of decision.cancelJobs) {
    if (f.jobs.find(jobId)?.taskId !== taskId) throw new Error(`job ${jobId} to be cancelled is none of ${taskId}`);
    f.jobs.cancel(jobId, now);
  }
  for (const job of decision.jobs) queueJob(f, { ...job, taskId }, now);
  for (const effect of decision.effects) f.outbox.insert(effect, taskId, now);
  f.sql(
    `INSERT INTO decisions (task_id, at, from_stage, to_stage, version, hold_cause, why) VALUES (?, ?, ?, ?, ?, ?, ?)`,
  ).run(
    taskId,
    now,
    before.task.stage,
    decision.task.stage,
    version + 1,
    decision.task.hold?.cause ?? null,
    JSON.stringify(decision.why),
  );
  return 'ok';
}

/** The job of this cause, made when there is none: the same cause twice is the same job, finished ones included. */
export function queueJob(f: Families, job: NewJob, now: number) {
  const known = f.jobs.byCause(job.taskId, job.cause);
  if (known !== null) return { job: known, created: false };
  const live = job.taskId === null ? null : f.jobs.live(job.taskId);
  if (live !== null) {
    throw new Error(
      `task ${live.taskId ?? ''} has the live job ${live.id} (${live.cause}); "${job.cause}" cannot be queued beside it`,
    );
  }
  return { job: f.jobs.insert(job, now), created: true };
}
