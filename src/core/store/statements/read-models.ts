import type { DecisionRow, Effect, Stage, TaskId, TaskRow, Totals } from '../../model/index.ts';
import { decode, idOf, isSet } from '../codec.ts';
import { all, type Query } from '../query.ts';
import { jobs } from './jobs.ts';
import { messages } from './messages.ts';
import { decodeEffect, outbox, type EffectFilter } from './outbox.ts';
import { decodeRun, runs } from './runs.ts';
import { tasks, type TaskFilter } from './tasks.ts';

/** One task with what belongs to it. */
export function* taskRow(id: TaskId): Query<TaskRow | null> {
  const stored = yield* tasks.find(id);
  if (stored === null) return null;
  const liveJob = yield* jobs.live(id);
  const run = liveJob === null ? null : yield* runs.open(Number(liveJob.id));
  return {
    ...stored,
    liveJob,
    run: run === null ? null : decodeRun(run),
    pendingEffects: yield* outbox.pendingOf(id),
    queuedMessages: yield* messages.queued(id),
  };
}

/** Many tasks with what belongs to each: five statements, however many there are. */
export function* taskRows(filter: TaskFilter): Query<TaskRow[]> {
  const found = yield* tasks.list(filter);
  const liveJobs = new Map((yield* jobs.liveOfTasks()).map((job) => [job.taskId, job]));
  const openRuns = yield* runs.openByJob();
  const pending = yield* outbox.pendingByTask();
  const queued = yield* messages.queuedByTask();
  return found.map((stored) => {
    const { id } = stored.task;
    const liveJob = liveJobs.get(id) ?? null;
    const run = liveJob === null ? undefined : openRuns.get(Number(liveJob.id));
    return {
      ...stored,
      liveJob,
      run: run === undefined ? null : decodeRun(run),
      pendingEffects: pending.get(id) ?? 0,
      queuedMessages: queued.get(id) ?? 0,
    };
  });
}

interface DecisionColumns {
  id: number;
  task_id: string;
  at: number;
  from_stage: string;
  to_stage: string;
  version: number;
  hold_cause: string | null;
  why: string;
}

const newestDecisions = `SELECT * FROM decisions WHERE (@taskId IS NULL OR task_id = @taskId) ORDER BY id DESC LIMIT @limit`;

/** Newest first. */
export function* decisions({ taskId, limit }: { taskId?: TaskId; limit: number }): Query<DecisionRow[]> {
  const rows = yield* all<DecisionColumns>(newestDecisions, { taskId: taskId ?? null, limit });
  return rows.map((row) => ({
    id: idOf(row.id),
    taskId: row.task_id as TaskId,
    at: row.at,
    fromStage: row.from_stage as Stage,
    toStage: row.to_stage as Stage,
    version: row.version,
    holdCause: row.hold_cause,
    why: decode(row.why),
  }));
}

/** Newest first. */
export function* effects(filter: EffectFilter): Query<(Effect & { state: string; error: string | null })[]> {
  const rows = yield* outbox.list(filter);
  return rows.map((row) => ({ ...decodeEffect(row), state: row.state, error: row.error }));
}

const taskTotals = `SELECT stage, hold ->> 'cause' AS "holdCause", hold ->> 'blocking' AS blocking, paused, count(*) AS n
  FROM tasks GROUP BY 1, 2, 3, 4 ORDER BY 1, 2`;

const runTotals = `SELECT role, kind, outcome ->> 'kind' AS result, count(*) AS n,
    sum(CASE WHEN ended_at > started_at THEN ended_at - started_at ELSE 0 END) AS ms,
    sum(coalesce(CAST(outcome ->> 'costMicros' AS BIGINT), 0)) AS "costMicros"
  FROM runs WHERE phase = 'settled' GROUP BY 1, 2, 3 ORDER BY 1, 2, 3`;

// As in `list`: an effect on its way is still pending.
const effectTotals = `SELECT CASE state WHEN 'in_flight' THEN 'pending' ELSE state END AS state, count(*) AS n
  FROM outbox GROUP BY 1 ORDER BY 1`;

type TaskTotal = Omit<Totals['tasks'][number], 'blocking' | 'paused'> & {
  blocking: number | string | null;
  paused: number;
};

export function* totals(): Query<Totals> {
  const counted = yield* all<TaskTotal>(taskTotals);
  return {
    tasks: counted.map((row) => ({ ...row, blocking: isSet(row.blocking), paused: isSet(row.paused) })),
    runs: yield* all(runTotals),
    effects: yield* all(effectTotals),
  };
}
