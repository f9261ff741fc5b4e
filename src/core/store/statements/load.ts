import type { RunOutcome, Snapshot, TaskId } from '../../model/index.ts';
import { answersCheck, codeTreeOf } from '../../model/index.ts';
import { stageDefinition } from '../../pipeline/stages/index.ts';
import { decode } from '../codec.ts';
import { all, type Query } from '../query.ts';
import { jobs } from './jobs.ts';
import { messages } from './messages.ts';
import { mirrors } from './mirrors.ts';
import { runs } from './runs.ts';
import { tasks } from './tasks.ts';
import { visits } from './visits.ts';

/** Everything a decision starts from; the caller's read transaction makes it one consistent view. */
export function* loadSnapshot(taskId: TaskId): Query<Snapshot | null> {
  const stored = yield* tasks.find(taskId);
  if (stored === null || stored.packed) return null;
  const { task, meta } = stored;
  const [first] = task.pipelineStages;
  const usualMs = first === undefined ? null : yield* runs.usualMs(stageDefinition(first, task.ownStages).role.name);
  return {
    task,
    meta,
    visit: yield* visits.find(taskId, task.visit),
    message: yield* messages.oldest(taskId),
    liveJob: yield* jobs.live(taskId),
    checks: yield* finishedChecks(taskId),
    item: yield* mirrors.find(taskId, 'item', ''),
    branch: yield* mirrors.find(taskId, 'branch', task.branch),
    pr: task.prNumber === null ? null : yield* mirrors.find(taskId, 'pr', String(task.prNumber)),
    usualMinutes: usualMs === null ? null : Math.max(1, Math.round(usualMs / 60_000)),
  };
}

const checksOf = `SELECT j.cause, r.outcome FROM jobs AS j JOIN runs AS r ON r.job_id = j.id
  WHERE j.task_id = @taskId AND j.kind = 'check' AND j.state IN ('done', 'failed') AND r.phase = 'settled'
    AND r.attempt = (SELECT max(attempt) FROM runs WHERE job_id = j.id)
  ORDER BY j.id DESC`;

/** Check jobs that ran to an end, newest first, judged by their last run; a cancelled or refused one says nothing. */
function* finishedChecks(taskId: TaskId): Query<Snapshot['checks']> {
  const checks: Snapshot['checks'] = [];
  for (const row of yield* all<{ cause: string; outcome: string }>(checksOf, { taskId })) {
    const codeTree = codeTreeOf(row.cause);
    const outcome = decode<RunOutcome>(row.outcome);
    if (codeTree === null || !answersCheck(outcome)) continue;
    checks.push({ codeTree, passed: outcome.kind === 'success', detail: outcome.detail, tail: outcome.tail });
  }
  return checks;
}
