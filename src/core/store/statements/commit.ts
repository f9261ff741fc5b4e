import type { Decision, Job, NewEffect, NewJob, Task, TaskId, Why } from '../../model/index.ts';
import { isFinal } from '../../model/index.ts';
import { refuseSecondJob } from '../../queue/claim.ts';
import { replacesRefused, supersedes, wishOf } from '../../queue/outbox.ts';
import { run, type Query } from '../query.ts';
import { withdrawUnwanted } from './deliver.ts';
import { jobs } from './jobs.ts';
import { messages } from './messages.ts';
import { outbox } from './outbox.ts';
import { tasks } from './tasks.ts';
import { visits } from './visits.ts';

const insertDecision = `INSERT INTO decisions (task_id, at, from_stage, to_stage, version, hold_cause, why)
  VALUES (@taskId, @now, @from, @to, @version, @holdCause, @why)`;

/**
 * Applies a decision: all of it, under the version it was made for. The task is left due, so that a kill right after
 * this, or whatever woke it meanwhile, is followed by another look; only `rest` puts it to sleep.
 * @throws Error when the decision breaks a rule of the queue: a defect of the pipeline, nothing is written
 */
export function* applyDecision(
  taskId: TaskId,
  version: number,
  decision: Decision,
  now: number,
): Query<'ok' | 'stale'> {
  const before = yield* tasks.find(taskId);
  if (before?.meta.version !== version || before.packed) return 'stale';
  const { task } = decision;
  if (task.id !== taskId) throw new Error(`a decision about ${task.id} was committed for ${taskId}`);
  if (decision.handled !== null) {
    if ((yield* messages.oldest(taskId))?.id !== decision.handled) return 'stale';
    yield* messages.handled(decision.handled, now);
  }
  yield* tasks.update(task, version, now);
  if (decision.visit !== null) yield* visits.put(taskId, decision.visit, task.ownStages);
  for (const jobId of decision.cancelJobs) {
    if ((yield* jobs.find(jobId))?.taskId !== taskId)
      throw new Error(`job ${jobId} to be cancelled does not belong to ${taskId}`);
    yield* jobs.cancel(jobId, now);
  }
  for (const job of decision.jobs) yield* queueJob({ ...job, taskId }, now);
  for (const effect of decision.effects) yield* queueEffect(effect, taskId, now);
  for (const { body } of decision.effects) if (replacesRefused(body)) yield* outbox.dropDead(taskId, body.kind, now);
  // Nobody waits any more for what was refused of a task that has ended.
  if (isFinal(task.stage)) yield* outbox.dropDead(taskId, null, now);
  yield* withdrawUnwanted(taskId, { task, visit: decision.visit ?? (yield* visits.find(taskId, task.visit)) }, now);
  yield* recordDecision(before.task, task, version, now, decision.why);
  return 'ok';
}

/** Writes a row of the journal. @param version the one that the task had before */
export function* recordDecision(
  before: Pick<Task, 'id' | 'stage'>,
  after: Pick<Task, 'stage' | 'hold'>,
  version: number,
  now: number,
  why: Why,
): Query<void> {
  yield* run(insertDecision, {
    taskId: before.id,
    now,
    from: before.stage,
    to: after.stage,
    version: version + 1,
    holdCause: after.hold?.cause ?? null,
    why: JSON.stringify(why),
  });
}

/**
 * Adds an effect to the outbox; an existing key is the same effect, whatever became of it. What waits in the lane and is
 * pointless after this one is never sent; what is being sent is left alone.
 */
export function* queueEffect(effect: NewEffect, taskId: TaskId | null, now: number): Query<void> {
  const id = yield* outbox.insert(effect, taskId, now);
  if (id === null || wishOf(effect.body) === null) return;
  for (const older of yield* outbox.waitingBefore(effect.lane, id))
    if (supersedes(effect.body, older.body)) yield* outbox.supersede(older.id, now);
}

/** The job of this cause, made when there is none: the same cause twice is the same job, finished ones included. */
export function* queueJob(job: NewJob, now: number): Query<{ job: Job; created: boolean }> {
  const known = yield* jobs.byCause(job.taskId, job.cause);
  if (known !== null) return { job: known, created: false };
  if (job.taskId !== null) refuseSecondJob(job, yield* jobs.live(job.taskId));
  return { job: yield* jobs.insert(job, now), created: true };
}
