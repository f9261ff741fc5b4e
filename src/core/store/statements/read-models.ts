import type { DecisionRow, Effect, ItemId, ProjectId, Stage, TaskId, TaskRow, Totals } from '../model/index.ts';
import { bit, decode } from './codec.ts';
import type { Families } from './families.ts';
import { decodeEffect } from './outbox.ts';
import { decodeRun } from './runs.ts';
import { decodeTask } from './tasks.ts';
import type { StoredTask, TaskColumns } from './tasks.ts';

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

type Bit<T, K extends keyof T> = Omit<T, K> & Record<K, number>;

const taskTotals = `SELECT stage, json_extract(hold, '$.cause') AS holdCause,
    coalesce(json_extract(hold, '$.blocking'), 0) AS blocking, paused, count(*) AS n
  FROM tasks GROUP BY 1, 2, 3, 4 ORDER BY 1, 2`;

const runTotals = `SELECT role, kind, json_extract(outcome, '$.kind') AS result, count(*) AS n,
    sum(max(0, ended_at - started_at)) AS ms, sum(coalesce(json_extract(outcome, '$.costMicros'), 0)) AS costMicros
  FROM runs WHERE phase = 'settled' GROUP BY 1, 2, 3 ORDER BY 1, 2, 3`;

/** What `status` and `why` read; the callers hold a read transaction, so that the parts of one answer agree. */
export function readModels(f: Families) {
  function rowOf({ task, meta }: StoredTask): TaskRow {
    const liveJob = f.jobs.live(task.id);
    const run = liveJob === null ? null : f.runs.open(Number(liveJob.id));
    return {
      task,
      meta,
      liveJob,
      run: run === null ? null : decodeRun(run),
      pendingEffects: f.outbox.pendingOf(task.id),
      queuedMessages: f.messages.queued(task.id),
    };
  }
  return {
    task(id: TaskId): TaskRow | null {
      const stored = f.tasks.find(id);
      return stored === null ? null : rowOf(stored);
    },
    taskOfItem(itemId: ItemId): TaskId | null {
      return f.sql<{ id: TaskId }>('SELECT id FROM tasks WHERE item_id = ?').get(itemId)?.id ?? null;
    },
    tasks(filter: { active?: boolean; stage?: Stage; projectId?: ProjectId }): TaskRow[] {
      return f
        .sql<TaskColumns>(
          `SELECT * FROM tasks WHERE (@stage IS NULL OR stage = @stage) AND (@project_id IS NULL OR project_id = @project_id)
             AND (@active IS NULL OR (stage NOT IN ('done', 'cancelled')) = @active)
           ORDER BY project_id, number`,
        )
        .all({
          stage: filter.stage ?? null,
          project_id: filter.projectId ?? null,
          active: filter.active === undefined ? null : bit(filter.active),
        })
        .map((row) => rowOf(decodeTask(row)));
    },
    /** Newest first. */
    decisions(filter: { taskId?: TaskId; limit: number }): DecisionRow[] {
      return f
        .sql<DecisionColumns>(
          'SELECT * FROM decisions WHERE (@task_id IS NULL OR task_id = @task_id) ORDER BY id DESC LIMIT @limit',
        )
        .all({ task_id: filter.taskId ?? null, limit: filter.limit })
        .map((row) => ({
          id: String(row.id),
          taskId: row.task_id as TaskId,
          at: row.at,
          fromStage: row.from_stage as Stage,
          toStage: row.to_stage as Stage,
          version: row.version,
          holdCause: row.hold_cause,
          why: decode(row.why),
        }));
    },
    /** Newest first. */
    effects(filter: {
      taskId?: TaskId;
      state?: 'pending' | 'dead';
      limit: number;
    }): (Effect & { state: string; error: string | null })[] {
      return f.outbox.list(filter).map((row) => ({ ...decodeEffect(row), state: row.state, error: row.error }));
    },
    totals(): Totals {
      return {
        tasks: f
          .sql<Bit<Totals['tasks'][number], 'blocking' | 'paused'>>(taskTotals)
          .all()
          .map((row) => ({ ...row, blocking: row.blocking === 1, paused: row.paused === 1 })),
        runs: f.sql<Totals['runs'][number]>(runTotals).all(),
        // As in `list`: an effect on its way is still pending.
        effects: f
          .sql<Totals['effects'][number]>(
            `SELECT CASE state WHEN 'in_flight' THEN 'pending' ELSE state END AS state, count(*) AS n
             FROM outbox GROUP BY 1 ORDER BY 1`,
          )
          .all(),
      };
    },
  };
}
