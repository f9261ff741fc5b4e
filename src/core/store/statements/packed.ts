import { brotliCompressSync, brotliDecompressSync, constants } from 'node:zlib';
import type { RunId, TaskId } from '../../model/index.ts';
import { liveStates } from '../../queue/claim.ts';
import { inList, rowId } from '../codec.ts';
import { all, one, run, type Query, type Value } from '../query.ts';

type Row = Record<string, Value>;

/** The tables that have rows of a task, in an order in which they may be written: a run points at its job. */
const tables = ['visits', 'mirrors', 'messages', 'jobs', 'runs', 'decisions', 'outbox'] as const;
type Table = (typeof tables)[number];
export type Packed = Record<Table, Row[]>;

/** Tables whose rows are numbered: the newest row of each stays where it is, or its number would be given out again. */
const numbered: readonly Table[] = ['messages', 'jobs', 'runs', 'decisions', 'outbox'];

/** Runs have no index of tasks; their jobs have. */
const ofTask = (table: Table): string =>
  table === 'runs' ? 'job_id IN (SELECT id FROM jobs WHERE task_id = @taskId)' : 'task_id = @taskId';

/** About as small as the best quality makes it, in a tenth of its time. */
const quality = 5;

/** Ended, looked at, and with nothing that still has to happen. */
const atRest = `stage IN ('done', 'cancelled') AND packed = 0 AND awake = 0 AND wake_at IS NULL AND reserved_micros = 0
  AND NOT EXISTS (SELECT 1 FROM jobs WHERE task_id = tasks.id AND state IN (${inList(liveStates)}))
  AND NOT EXISTS (SELECT 1 FROM messages WHERE task_id = tasks.id AND handled_at IS NULL)
  AND NOT EXISTS (SELECT 1 FROM outbox WHERE task_id = tasks.id AND state IN ('pending', 'in_flight', 'dead'))`;

const mayPack = `SELECT 1 FROM tasks WHERE id = @taskId AND updated_at < @before AND ${atRest}`;
const putPacked = 'INSERT INTO packed_tasks (task_id, packed_at, body) VALUES (@taskId, @now, @body)';
const putRun = 'INSERT INTO packed_runs (id, task_id, ended_at) VALUES (@id, @taskId, @endedAt)';
const mark = 'UPDATE tasks SET packed = @packed WHERE id = @taskId';
const take = 'DELETE FROM packed_tasks WHERE task_id = @taskId RETURNING body';
const bodyOf = 'SELECT body FROM packed_tasks WHERE task_id = @taskId';

const unpackBody = (body: Uint8Array): Packed => JSON.parse(brotliDecompressSync(body).toString()) as Packed;

/** Rows of tasks that ended long ago, as one compressed value each. */
export const packed = {
  /**
   * Packs a task that ended before this moment. The caller's transaction makes it one step: killed at any instruction, the rows are
   * where they were or packed.
   * @returns false, and nothing changed, when something has still to happen for the task, or a row of it is the newest of its table
   */
  *pack(taskId: TaskId, before: number, now: number): Query<boolean> {
    if ((yield* one(mayPack, { taskId, before })) === null) return false;
    const rows = {} as Packed;
    for (const table of tables)
      rows[table] = yield* all<Row>(`SELECT * FROM ${table} WHERE ${ofTask(table)} ORDER BY rowid`, { taskId });
    for (const table of numbered) {
      const newest = yield* one<{ id: number | null }>(`SELECT max(id) AS id FROM ${table}`);
      if (rows[table].some(({ id }) => id === newest?.id)) return false;
    }
    const params = { [constants.BROTLI_PARAM_QUALITY]: quality };
    yield* run(putPacked, { taskId, now, body: brotliCompressSync(JSON.stringify(rows), { params }) });
    for (const row of rows.runs)
      yield* run(putRun, { id: row['id'] as number, taskId, endedAt: row['ended_at'] as number });
    for (const table of [...tables].reverse()) yield* run(`DELETE FROM ${table} WHERE ${ofTask(table)}`, { taskId });
    yield* run(mark, { taskId, packed: 1 });
    return true;
  },
  /** Brings the rows back, before anything happens to the task; one that is not packed stays as it is. */
  *unpack(taskId: TaskId): Query<void> {
    const found = yield* one<{ body: Uint8Array }>(take, { taskId });
    if (found === null) return;
    const rows = unpackBody(found.body);
    for (const table of tables) for (const row of rows[table]) yield* insert(table, row);
    for (const { id } of rows.runs) yield* run('DELETE FROM packed_runs WHERE id = @id', { id: id as number });
    yield* run(mark, { taskId, packed: 0 });
  },
  /** The rows of a task that is packed, for a reader; null when it is not. */
  *of(taskId: TaskId): Query<Packed | null> {
    const found = yield* one<{ body: Uint8Array }>(bodyOf, { taskId });
    return found === null ? null : unpackBody(found.body);
  },
  /** The row of a run that is packed. */
  *run(id: RunId): Query<Row | null> {
    const found = yield* one<{ task_id: TaskId }>('SELECT task_id FROM packed_runs WHERE id = @id', { id: rowId(id) });
    const rows = found === null ? null : yield* packed.of(found.task_id);
    return rows?.runs.find((row) => row['id'] === rowId(id)) ?? null;
  },
};

function* insert(table: Table, row: Row): Query<void> {
  const columns = Object.keys(row);
  const values = columns.map((column) => `@${column}`);
  yield* run(`INSERT INTO ${table} (${columns.join(', ')}) VALUES (${values.join(', ')})`, row);
}
