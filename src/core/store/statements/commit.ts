import type { Decision, NewEffect, NewJob, TaskId } from '../model/index.ts';
import { refuseSecondJob } from '../queue/claim.ts';
import { supersedes, wishOf } from '../queue/outbox.ts';
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
  if (decision.visit !== null) f.visits.put(taskId, decision.visit, decision.task.ownStages);
  for (const jobId of decision.cancelJobs) {
    if (f.jobs.find(jobId)?.taskId !== taskId)
      throw new Error(`job ${jobId} to be cancelled does not belong to ${taskId}`);
    f.jobs.cancel(jobId, now);
  }
  for (const job of decision.jobs) queueJob(f, { ...job, taskId }, now);
  for (const effect of decision.effects) queueEffect(f, effect, taskId, now);
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

/**
 * Adds an effect to the outbox; an existing key is the same effect, whatever became of it. What waits in the lane and is
 * pointless after this one is never sent; what is being sent is left alone.
 */
export function queueEffect(f: Families, effect: NewEffect, taskId: TaskId | null, now: number): void {
  const id = f.outbox.insert(effect, taskId, now);
  if (id === null || wishOf(effect.body) === null) return;
  for (const older of f.outbox.waitingBefore(effect.lane, id))
    if (supersedes(effect.body, older.body)) f.outbox.supersede(older.id, now);
}

/** The job of this cause, made when there is none: the same cause twice is the same job, finished ones included. */
export function queueJob(f: Families, job: NewJob, now: number) {
  const known = f.jobs.byCause(job.taskId, job.cause);
  if (known !== null) return { job: known, created: false };
  if (job.taskId !== null) refuseSecondJob(job, f.jobs.live(job.taskId));
  return { job: f.jobs.insert(job, now), created: true };
}
