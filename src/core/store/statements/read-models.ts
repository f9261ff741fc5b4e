import type { DecisionRow, Effect, Stage, TaskId, TaskRow, Totals } from '../../model/index.ts';
import { decode, idOf, isSet } from '../codec.ts';
import { all, type Query } from '../query.ts';
import { finished } from './finished.ts';
import { jobs } from './jobs.ts';
import { messages } from './messages.ts';
import { decodeEffect, outbox, type EffectFilter } from './outbox.ts';
import { decodeRun, runs } from './runs.ts';
import { packed } from './packed.ts';
import { notEnded, tasks, type TaskFilter } from './tasks.ts';

/** One task with what belongs to it. */
export function* taskRow(id: TaskId): Query<TaskRow | null> {
  const stored = yield* tasks.find(id);
  if (stored === null) return null;
  const { task, meta } = stored;
  const liveJob = yield* jobs.live(id);
  const run = liveJob === null ? null : yield* runs.open(Number(liveJob.id));
  return {
    task,
    meta,
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
  return found.map(({ task, meta }) => {
    const { id } = task;
    const liveJob = liveJobs.get(id) ?? null;
    const run = liveJob === null ? undefined : openRuns.get(Number(liveJob.id));
    return {
      task,
      meta,
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

const newestDecisions = 'SELECT * FROM decisions ORDER BY id DESC LIMIT @limit';
// A task's versions rise as its rows do, and have an index.
const decisionsOfTask = 'SELECT * FROM decisions WHERE task_id = @taskId ORDER BY version DESC LIMIT @limit';

/** Newest first. */
export function* decisions({ taskId, limit }: { taskId?: TaskId; limit: number }): Query<DecisionRow[]> {
  const kept = taskId === undefined ? null : yield* packed.of(taskId);
  const rows =
    kept !== null
      ? (kept.decisions as unknown as DecisionColumns[]).reverse().slice(0, limit)
      : yield* taskId === undefined
          ? all<DecisionColumns>(newestDecisions, { limit })
          : all<DecisionColumns>(decisionsOfTask, { taskId, limit });
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

const activeTotals = `SELECT stage, hold ->> 'cause' AS "holdCause", hold ->> 'blocking' AS blocking, paused, count(*) AS n
  FROM tasks WHERE ${notEnded} GROUP BY 1, 2, 3, 4 ORDER BY 1, 2`;

type TaskTotal = Omit<Totals['tasks'][number], 'blocking' | 'paused'> & {
  blocking: number | string | null;
  paused: number;
};

/** What is open is counted, what has finished is counted already. */
export function* totals(): Query<Totals> {
  const active = yield* all<TaskTotal>(activeTotals);
  const ended = yield* finished.states<Stage>('tasks');
  const settled = yield* finished.states<string>('effects');
  const open = { pending: yield* outbox.count('pending'), dead: yield* outbox.count('dead') };
  return {
    tasks: [
      ...active.map((row) => ({ ...row, blocking: isSet(row.blocking), paused: isSet(row.paused) })),
      ...ended.map(({ state, n }) => ({ stage: state, holdCause: null, blocking: false, paused: false, n })),
    ],
    runs: yield* finished.runs(),
    effects: [...settled, ...Object.entries(open).map(([state, n]) => ({ state, n }))]
      .filter(({ n }) => n > 0)
      .sort((a, b) => (a.state < b.state ? -1 : 1)),
  };
}
