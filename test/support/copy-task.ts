import type Database from 'better-sqlite3';

/** Tables with rows of a task, those that others point at first, and which of their columns are numbers of rows of which table. */
const tables: Record<string, Record<string, string>> = {
  tasks: {},
  visits: {},
  mirrors: {},
  messages: { id: 'messages' },
  jobs: { id: 'jobs' },
  runs: { id: 'runs', job_id: 'jobs' },
  decisions: { id: 'decisions' },
  outbox: { id: 'outbox' },
};

/**
 * Copies a task with all its rows, so often: what ten thousand tasks came to by themselves would take days. Whatever names the task
 * or its item names the copy; rows that are numbered get numbers of their own. Counts of what has finished are made again.
 * @param prefix of the copies' ids: `T` makes `T-2`, `T-3` and so on
 */
export function copyTask(db: Database.Database, id: string, prefix: string, times: number): void {
  const one = <T>(sql: string): T => db.prepare(sql).pluck().get() as T;
  const item = one<string>(`SELECT item_id FROM tasks WHERE id = '${id}'`);
  const number = new Map<string, string>();
  for (const table of new Set(Object.values(tables).flatMap((columns) => Object.values(columns)))) {
    const [low, high] = db.prepare(`SELECT min(id), max(id) FROM ${table} WHERE task_id = ?`).raw().get(id) as (
      number | null
    )[];
    const newest = one<number | null>(`SELECT max(id) FROM ${table}`) ?? 0;
    const span = (high ?? 0) - (low ?? 0) + 1;
    // Columns may be called otherwise, so the name is put in where it is used.
    number.set(table, `${newest} + (copies.n - 2) * ${span} + 1 - ${low ?? 0} +`);
  }
  db.transaction(() => {
    for (const [table, numbers] of Object.entries(tables)) {
      const columns = db.prepare(`SELECT name FROM pragma_table_info('${table}')`).pluck().all() as string[];
      const values = columns.map((column) => {
        const of = numbers[column];
        if (of !== undefined) return `${number.get(of) ?? ''} t.${column}`;
        if (table === 'tasks' && column === 'number') return '1000000 + copies.n';
        const text = `replace(replace(t.${column}, '${item}', '${item}' || '-' || copies.n), '${id}', '${prefix}-' || copies.n)`;
        return `CASE typeof(t.${column}) WHEN 'text' THEN ${text} ELSE t.${column} END`;
      });
      db.prepare(
        `WITH RECURSIVE copies(n) AS (SELECT 2 UNION ALL SELECT n + 1 FROM copies WHERE n < ${times + 1})
         INSERT INTO ${table} (${columns.join(', ')}) SELECT ${values.join(', ')} FROM copies CROSS JOIN
           (SELECT * FROM ${table} WHERE ${table === 'tasks' ? 'id' : 'task_id'} = '${id}') AS t`,
      ).run();
    }
    countAgain(db);
  })();
}

/** Makes the counts of what has finished again, as the migration that brought them did. */
function countAgain(db: Database.Database): void {
  db.exec(`DELETE FROM finished WHERE what = 'runs';
    UPDATE finished SET n = CASE what WHEN 'tasks' THEN (SELECT count(*) FROM tasks WHERE stage = finished.state)
      WHEN 'jobs' THEN (SELECT count(*) FROM jobs WHERE jobs.state = finished.state)
      ELSE (SELECT count(*) FROM outbox WHERE outbox.state = finished.state) END;
    INSERT INTO finished (what, state, role, kind, n, ms, cost_micros)
      SELECT 'runs', outcome ->> 'kind', role, kind, count(*), sum(max(ended_at - started_at, 0)),
        sum(coalesce(CAST(outcome ->> 'costMicros' AS INTEGER), 0))
      FROM runs WHERE phase = 'settled' GROUP BY 2, 3, 4;`);
}
