import type { Stage, Task, TaskId, TaskMeta, WorkStage } from '../model/index.ts';
import { bit, decode, decodeOrNull, encodeOrNull } from './codec.ts';
import type { Sql } from './connection.ts';
import { asHoldCause, asPhase, asStage } from './words.ts';

export interface TaskColumns {
  id: string;
  project_id: string;
  item_id: string;
  number: number;
  title: string;
  repo: string;
  branch: string;
  base_branch: string;
  pipeline: string;
  pipeline_stages: string;
  stage: string;
  visit: number;
  hold: string | null;
  paused: number;
  phase: string | null;
  pr_number: number | null;
  merged_sha: string | null;
  counters: string;
  progress: string;
  own_stages: string;
  created_at: number;
  updated_at: number;
  stage_since: number;
  version: number;
  wake_seq: number;
  wake_at: number | null;
  runs: number;
  spent_micros: number;
  reserved_micros: number;
}

export interface StoredTask {
  task: Task;
  meta: TaskMeta;
}

export function decodeTask(row: TaskColumns): StoredTask {
  const task: Task = {
    id: row.id as TaskId,
    projectId: row.project_id as Task['projectId'],
    itemId: row.item_id as Task['itemId'],
    number: row.number,
    title: row.title,
    repo: row.repo as Task['repo'],
    branch: row.branch,
    baseBranch: row.base_branch,
    pipeline: row.pipeline,
    pipelineStages: decode<WorkStage[]>(row.pipeline_stages),
    ownStages: decode(row.own_stages),
    stage: row.stage as Stage,
    visit: row.visit,
    hold: decodeOrNull(row.hold),
    paused: row.paused === 1,
    phase: row.phase as Task['phase'],
    prNumber: row.pr_number,
    mergedSha: row.merged_sha as Task['mergedSha'],
    counters: decode(row.counters),
    progress: decode(row.progress),
    createdAt: row.created_at,
    updatedAt: row.updated_at,
    stageSince: row.stage_since,
  };
  const meta: TaskMeta = {
    version: row.version,
    wakeSeq: row.wake_seq,
    wakeAt: row.wake_at,
    runs: row.runs,
    spentMicros: row.spent_micros,
    reservedMicros: row.reserved_micros,
  };
  return { task, meta };
}

function encodeTask(task: Task): Record<string, string | number | null> {
  if (task.hold !== null) asHoldCause(task.hold.cause);
  return {
    id: task.id,
    project_id: task.projectId,
    item_id: task.itemId,
    number: task.number,
    title: task.title,
    repo: task.repo,
    branch: task.branch,
    base_branch: task.baseBranch,
    pipeline: task.pipeline,
    pipeline_stages: JSON.stringify(task.pipelineStages.map((name) => asStage(name, task.ownStages))),
    own_stages: JSON.stringify(task.ownStages),
    stage: asStage(task.stage, task.ownStages),
    visit: task.visit,
    hold: encodeOrNull(task.hold),
    paused: bit(task.paused),
    phase: task.phase === null ? null : asPhase(task.phase),
    pr_number: task.prNumber,
    merged_sha: task.mergedSha,
    counters: JSON.stringify(task.counters),
    progress: JSON.stringify(task.progress),
    created_at: task.createdAt,
    updated_at: task.updatedAt,
    stage_since: task.stageSince,
  };
}

const insertTask = `INSERT INTO tasks (id, project_id, item_id, number, title, repo, branch, base_branch, pipeline,
    pipeline_stages, own_stages, stage, visit, hold, paused, phase, pr_number, merged_sha, counters, progress, created_at, updated_at,
    stage_since, awake, wake_at, wake_seq)
  VALUES (@id, @project_id, @item_id, @number, @title, @repo, @branch, @base_branch, @pipeline, @pipeline_stages, @own_stages,
    @stage, @visit, @hold, @paused, @phase, @pr_number, @merged_sha, @counters, @progress, @created_at, @updated_at, @stage_since,
    1, @now, 1)
  ON CONFLICT DO NOTHING`;

// Raising `wake_seq` keeps a reconcile that read before this from putting the task to rest. A task that is awake already
// keeps its place: who waits longest comes first.
const awaken = `awake = 1, wake_seq = wake_seq + 1,
    wake_at = CASE WHEN awake = 1 THEN min(coalesce(wake_at, @now), @now) ELSE @now END`;

// The item, its number and the moment of creation never change.
const updateTask = `UPDATE tasks SET project_id = @project_id, title = @title, repo = @repo, branch = @branch,
    base_branch = @base_branch, pipeline = @pipeline, pipeline_stages = @pipeline_stages, stage = @stage, visit = @visit,
    hold = @hold, paused = @paused, phase = @phase, pr_number = @pr_number, merged_sha = @merged_sha,
    counters = @counters, progress = @progress, own_stages = @own_stages, updated_at = @updated_at, stage_since = @stage_since,
    version = version + 1, ${awaken}
  WHERE id = @id AND version = @version`;

/** Tasks, their wake-ups and their dollars. Each function is one statement; the callers hold the transaction. */
export function taskStatements(sql: Sql) {
  return {
    find(id: TaskId): StoredTask | null {
      const row = sql<TaskColumns>('SELECT * FROM tasks WHERE id = ?').get(id);
      return row === undefined ? null : decodeTask(row);
    },
    exists(task: Pick<Task, 'id' | 'itemId'>): boolean {
      return sql('SELECT 1 FROM tasks WHERE id = ? OR item_id = ?').get(task.id, task.itemId) !== undefined;
    },
    /** A new task is awake at once; one whose id or item is known is left alone. */
    insert(task: Task, now: number): boolean {
      return sql(insertTask).run({ ...encodeTask(task), now }).changes === 1;
    },
    /** Writes the task under the version it was read at, raises it, and leaves the task due. */
    update(task: Task, version: number, now: number): boolean {
      return sql(updateTask).run({ ...encodeTask(task), version, now }).changes === 1;
    },
    /** Makes the task due. */
    wake(id: TaskId, now: number): void {
      sql(`UPDATE tasks SET ${awaken} WHERE id = @id`).run({ id, now });
    },
    /** Sleeps until `wakeAt`, unless something woke the task after `seenWake`. */
    rest(id: TaskId, seenWake: number, wakeAt: number | null): void {
      sql('UPDATE tasks SET awake = 0, wake_at = @wakeAt WHERE id = @id AND wake_seq = @seenWake').run({
        id,
        seenWake,
        wakeAt,
      });
    },
    due(now: number, limit: number): TaskId[] {
      return sql<{ id: TaskId }>(
        `SELECT id, wake_at FROM tasks WHERE awake = 1
         UNION ALL SELECT id, wake_at FROM tasks WHERE awake = 0 AND wake_at <= ? ORDER BY wake_at, id LIMIT ?`,
      )
        .all(now, limit)
        .map((row) => row.id);
    },
    /** A run starts: it is counted and its dollars are set aside before any process exists (spec 3.3). */
    reserve(id: TaskId, micros: number): void {
      sql('UPDATE tasks SET runs = runs + 1, reserved_micros = reserved_micros + ? WHERE id = ?').run(micros, id);
    },
    /** A run that never started: it does not count. */
    giveBack(id: TaskId): void {
      sql('UPDATE tasks SET runs = max(runs - 1, 0) WHERE id = ?').run(id);
    },
    /** A run ended: its reservation becomes what it spent. */
    spend(id: TaskId, reserved: number, spent: number): void {
      sql('UPDATE tasks SET reserved_micros = reserved_micros - ?, spent_micros = spent_micros + ? WHERE id = ?').run(
        reserved,
        spent,
        id,
      );
    },
  };
}

export type TaskStatements = ReturnType<typeof taskStatements>;
