import type { RunOutcome, Snapshot, TaskId } from '../model/index.ts';
import { answersCheck } from '../model/index.ts';
import { decode } from './codec.ts';
import type { Families } from './families.ts';

/** Everything a decision starts from; the caller's read transaction makes it one consistent view. */
export function loadSnapshot(f: Families, taskId: TaskId): Snapshot | null {
  const stored = f.tasks.find(taskId);
  if (stored === null) return null;
  const { task, meta } = stored;
  const pr = task.prNumber === null ? null : String(task.prNumber);
  const usualMs = f.runs.usualAnalystMs();
  return {
    task,
    meta,
    visit: f.visits.find(taskId, task.visit),
    message: f.messages.oldest(taskId),
    liveJob: f.jobs.live(taskId),
    checks: finishedChecks(f, taskId),
    item: f.mirrors.find(taskId, 'item', ''),
    branch: f.mirrors.find(taskId, 'branch', task.branch),
    pr: pr === null ? null : f.mirrors.find(taskId, 'pr', pr),
    usualAnalystMinutes: usualMs === null ? null : Math.max(1, Math.round(usualMs / 60_000)),
  };
}

const checkCause = 'check:';

/** Check jobs that ran to an end, newest first, judged by their last run; a cancelled or refused one says nothing. */
function finishedChecks(f: Families, taskId: TaskId): Snapshot['checks'] {
  const rows = f
    .sql<{ cause: string; outcome: string }>(
      `SELECT j.cause, r.outcome FROM jobs AS j JOIN runs AS r ON r.job_id = j.id
       WHERE j.task_id = ? AND j.kind = 'check' AND j.state IN ('done', 'failed') AND r.phase = 'settled'
         AND r.attempt = (SELECT max(attempt) FROM runs WHERE job_id = j.id)
       ORDER BY j.id DESC`,
    )
    .all(taskId);
  return rows
    .filter((row) => row.cause.startsWith(checkCause))
    .map((row) => ({ cause: row.cause, outcome: decode<RunOutcome>(row.outcome) }))
    .filter(({ outcome }) => answersCheck(outcome))
    .map(({ cause, outcome }) => ({
      // `check:<tree>`, or `check:<tree>#<n>` after one that was lost.
      codeTree: cause.slice(checkCause.length).split('#')[0] ?? '',
      passed: outcome.kind === 'success',
      detail: outcome.detail,
      tail: outcome.tail,
    }));
}
