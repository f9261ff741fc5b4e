import type { ItemId, ProjectId, RepoSlug, Stage, Task, TaskId, TaskMeta, WorkStage } from '../../model/index.ts';
import { noProgress } from '../../model/index.ts';
import { liveStates } from '../../queue/claim.ts';
import { among, bit, decode, decodeOrNull, encodeOrNull, inList, isSet } from '../codec.ts';
import { all, one, run, type Query, type Value } from '../query.ts';
import { asHoldCause, asPhase, asStage } from '../words.ts';

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
  packed: number;
}

export interface StoredTask {
  task: Task;
  meta: TaskMeta;
  /** Its other rows are packed: nothing is decided until they are back. */
  packed: boolean;
}

export interface TaskFilter {
  /** Only those that have not ended. */
  active?: true;
  stage?: Stage;
  projectId?: ProjectId;
}

function decodeTask(row: TaskColumns): StoredTask {
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
    paused: isSet(row.paused),
    phase: row.phase as Task['phase'],
    prNumber: row.pr_number,
    mergedSha: row.merged_sha as Task['mergedSha'],
    counters: decode(row.counters),
    // A task that an earlier version made lacks what was added since.
    progress: { ...noProgress(), ...decode<Partial<Task['progress']>>(row.progress) },
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
  return { task, meta, packed: isSet(row.packed) };
}

function encodeTask(task: Task): Record<string, Value> {
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
    wake_at = CASE WHEN awake = 1 AND wake_at < @now THEN wake_at ELSE @now END`;

// The item, its number and the moment of creation never change.
const updateTask = `UPDATE tasks SET project_id = @project_id, title = @title, repo = @repo, branch = @branch,
    base_branch = @base_branch, pipeline = @pipeline, pipeline_stages = @pipeline_stages, stage = @stage, visit = @visit,
    hold = @hold, paused = @paused, phase = @phase, pr_number = @pr_number, merged_sha = @merged_sha,
    counters = @counters, progress = @progress, own_stages = @own_stages, updated_at = @updated_at, stage_since = @stage_since,
    version = version + 1, ${awaken}
  WHERE id = @id AND version = @version`;

const wakeTask = `UPDATE tasks SET ${awaken} WHERE id = @id`;

const restTask = 'UPDATE tasks SET awake = 0, wake_at = @wakeAt WHERE id = @id AND wake_seq = @seenWake';

const dueTasks = (known: string): string => `SELECT id, wake_at FROM tasks WHERE awake = 1 AND ${known}
  UNION ALL SELECT id, wake_at FROM tasks WHERE awake = 0 AND wake_at <= @now AND ${known} ORDER BY wake_at, id LIMIT @limit`;

/** The condition of the index of tasks that have not ended, which serves only queries that repeat it. */
export const notEnded = `stage NOT IN ('done', 'cancelled')`;

// Nobody looks at a task that neither is awake nor has a time to wake at, unless something else wakes it: the end of its job
// or of an effect, a change outside that its hold waits for, or its resumption.
const asleepTasks = `SELECT id FROM tasks AS t
  WHERE awake = 0 AND wake_at IS NULL AND ${notEnded} AND (
    EXISTS (SELECT 1 FROM messages AS m WHERE m.task_id = t.id AND m.handled_at IS NULL)
    OR (hold IS NULL AND paused = 0
      AND NOT EXISTS (SELECT 1 FROM jobs AS j WHERE j.task_id = t.id AND j.state IN (${inList(liveStates)}))
      AND NOT EXISTS (SELECT 1 FROM outbox AS e WHERE e.task_id = t.id AND e.state IN ('pending', 'in_flight'))))`;

// Repeats the condition of an index.
const endedTasks = `SELECT * FROM tasks WHERE stage IN ('done', 'cancelled') AND packed = 0 AND updated_at < @before
  ORDER BY updated_at, id LIMIT @limit`;

// Nothing wakes a packed task; what it had under the former name stays as it was.
const renamePacked = 'UPDATE tasks SET repo = @to WHERE project_id = @projectId AND repo = @from AND packed = 1';

/** Tasks, their wake-ups and their dollars. Each function is one statement. */
export const tasks = {
  *find(id: TaskId): Query<StoredTask | null> {
    const row = yield* one<TaskColumns>('SELECT * FROM tasks WHERE id = @id', { id });
    return row === null ? null : decodeTask(row);
  },
  *ofItem(itemId: ItemId): Query<TaskId | null> {
    return (yield* one<{ id: TaskId }>('SELECT id FROM tasks WHERE item_id = @itemId', { itemId }))?.id ?? null;
  },
  *list({ active, stage, projectId }: TaskFilter): Query<StoredTask[]> {
    const conditions = [
      ...(active === true ? [notEnded] : []),
      ...(stage === undefined ? [] : ['stage = @stage']),
      ...(projectId === undefined ? [] : ['project_id = @projectId']),
    ];
    const where = conditions.length === 0 ? '' : ` WHERE ${conditions.join(' AND ')}`;
    const text = `SELECT * FROM tasks${where} ORDER BY project_id, number`;
    const params = { ...(stage === undefined ? {} : { stage }), ...(projectId === undefined ? {} : { projectId }) };
    return (yield* all<TaskColumns>(text, params)).map(decodeTask);
  },
  /** Tasks that ended before this moment and are not packed, oldest first. */
  *ended(before: number, limit: number): Query<Task[]> {
    return (yield* all<TaskColumns>(endedTasks, { before, limit })).map((row) => decodeTask(row).task);
  },
  *renamePacked(projectId: ProjectId, from: RepoSlug, to: RepoSlug): Query<void> {
    yield* run(renamePacked, { projectId, from, to });
  },
  *exists({ id, itemId }: Pick<Task, 'id' | 'itemId'>): Query<boolean> {
    return (yield* one('SELECT 1 FROM tasks WHERE id = @id OR item_id = @itemId', { id, itemId })) !== null;
  },
  /** A new task is awake at once; one whose id or item is known is left alone. */
  *insert(task: Task, now: number): Query<boolean> {
    return (yield* run(insertTask, { ...encodeTask(task), now })) === 1;
  },
  /** Writes the task under the version it was read at, raises it, and leaves the task due. */
  *update(task: Task, version: number, now: number): Query<boolean> {
    return (yield* run(updateTask, { ...encodeTask(task), version, now })) === 1;
  },
  /** Its repository has another name; a decision that read the former one is stale. */
  *rename(id: TaskId, repo: RepoSlug, now: number): Query<void> {
    yield* run(`UPDATE tasks SET repo = @repo, version = version + 1, ${awaken} WHERE id = @id`, { id, repo, now });
  },
  /** Makes the task due. */
  *wake(id: TaskId, now: number): Query<void> {
    yield* run(wakeTask, { id, now });
  },
  /** Sleeps until `wakeAt`, unless something woke the task after `seenWake`. */
  *rest(id: TaskId, seenWake: number, wakeAt: number | null): Query<void> {
    yield* run(restTask, { id, seenWake, wakeAt });
  },
  /** Whatever woke the task: it is not looked at any more until something else does. */
  *sleep(id: TaskId): Query<void> {
    yield* run('UPDATE tasks SET awake = 0, wake_at = NULL WHERE id = @id', { id });
  },
  /** Whether something woke the task that no decision has looked at yet. */
  *isAwake(id: TaskId): Query<boolean> {
    return (yield* one('SELECT 1 FROM tasks WHERE id = @id AND awake = 1', { id })) !== null;
  },
  *due(now: number, limit: number, projects?: readonly ProjectId[]): Query<TaskId[]> {
    const { text, params } = among('project_id', projects);
    return (yield* all<{ id: TaskId }>(dueTasks(text), { now, limit, ...params })).map((row) => row.id);
  },
  *asleep(): Query<TaskId[]> {
    return (yield* all<{ id: TaskId }>(asleepTasks)).map((row) => row.id).sort();
  },
  /** A run starts: it is counted and its dollars are set aside before any process exists (spec 3.3). */
  *reserve(id: TaskId, micros: number): Query<void> {
    const text = 'UPDATE tasks SET runs = runs + 1, reserved_micros = reserved_micros + @micros WHERE id = @id';
    yield* run(text, { id, micros });
  },
  /** A run that never started: it does not count. */
  *giveBack(id: TaskId): Query<void> {
    yield* run('UPDATE tasks SET runs = runs - 1 WHERE id = @id AND runs > 0', { id });
  },
  /** A run ended: its reservation becomes what it spent. */
  *spend(id: TaskId, reserved: number, spent: number): Query<void> {
    const text = `UPDATE tasks SET reserved_micros = reserved_micros - @reserved, spent_micros = spent_micros + @spent
      WHERE id = @id`;
    yield* run(text, { id, reserved, spent });
  },
};
