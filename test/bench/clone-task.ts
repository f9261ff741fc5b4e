import { execFileSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import Database from 'better-sqlite3';
import { taskIdOf, type TaskId } from '../../src/core/model/index.ts';
import type { Repo } from '../../src/sandbox/gitea/state.ts';
import type { Project, WorkItem } from '../../src/sandbox/plane/state.ts';

/** A Plane project and the repository it maps to. */
export interface Site {
  project: Project;
  repo: Repo;
}

type Row = Record<string, unknown>;

/** Older than anything a poll looks at again. */
const agesAgoMicros = 24 * 3_600_000_000;

/**
 * Copies a task that waits, with its visits and mirrors, its work item and its branch, so often: what a thousand tasks
 * came to by themselves would take hours. The copies are at rest as the original is.
 */
export function cloneTask(dbPath: string, { project, repo }: Site, items: WorkItem[], id: TaskId, times: number): void {
  const item = items.find((row) => row.project === project.id && taskIdOf(project.identifier, row.sequence) === id);
  const db = new Database(dbPath, { timeout: 5000 });
  const task = db.prepare('SELECT * FROM tasks WHERE id = ?').get(id) as Row | undefined;
  if (item === undefined || task === undefined) throw new Error(`${id} is not there`);
  const branch = String(task['branch']);
  const head = repo.heads.get(branch) ?? '';
  const rest = ['visits', 'mirrors'].map((table) => ({
    table,
    rows: db.prepare(`SELECT * FROM ${table} WHERE task_id = ?`).all(id) as Row[],
  }));
  const refs: string[] = [];
  db.transaction(() => {
    for (let n = 0; n < times; n += 1) {
      const copy = { ...item, id: randomUUID(), sequence: (project.lastSequence += 1) };
      copy.updatedAt -= agesAgoMicros;
      items.push(copy);
      const newId = taskIdOf(project.identifier, copy.sequence);
      const rename = (row: Row): Row => renamed(row, { [item.id]: copy.id, [id]: newId });
      insert(db, 'tasks', { ...rename(task), number: copy.sequence });
      for (const { table, rows } of rest) for (const row of rows) insert(db, table, rename(row));
      const newBranch = branch.replaceAll(id, newId);
      repo.heads.set(newBranch, head);
      refs.push(`create refs/heads/${newBranch} ${head}\n`);
    }
  })();
  db.close();
  execFileSync('git', ['-C', repo.dir, 'update-ref', '--stdin'], { input: refs.join('') });
}

function renamed(row: Row, names: Record<string, string>): Row {
  const change = (value: unknown): unknown => {
    if (typeof value !== 'string') return value;
    return Object.entries(names).reduce((text, [from, to]) => text.replaceAll(from, to), value);
  };
  return Object.fromEntries(Object.entries(row).map(([column, value]) => [column, change(value)]));
}

function insert(db: Database.Database, table: string, row: Row): void {
  const columns = Object.keys(row);
  const places = columns.map((column) => `@${column}`);
  db.prepare(`INSERT INTO ${table} (${columns.join(', ')}) VALUES (${places.join(', ')})`).run(row);
}
