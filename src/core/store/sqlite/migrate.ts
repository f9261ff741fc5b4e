import { readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';
import type { Database } from 'better-sqlite3';
import { OrchError } from '../../model/index.ts';
import { newerSchema, patiently } from './connection.ts';

export interface Migration {
  number: number;
  sql: string;
}

/** The numbered files next to this one, in order; they lie there in the source tree and in `dist` alike. */
export function migrations(): Migration[] {
  const folder = path.join(import.meta.dirname, 'migrations');
  const steps = readdirSync(folder)
    .filter((name) => /^\d{4}_\w+\.sql$/.test(name))
    .sort()
    .map((name) => ({ number: Number(name.slice(0, 4)), sql: readFileSync(path.join(folder, name), 'utf8') }));
  // The second of two files with one number would be skipped in silence.
  const gap = steps.findIndex(({ number }, at) => number !== at + 1);
  if (gap >= 0) throw new Error(`the migrations are not numbered 1 to ${steps.length}: look at number ${gap + 1}`);
  return steps;
}

export function newestSchema(steps: Migration[]): number {
  return steps.at(-1)?.number ?? 0;
}

/** Number of the last migration in the database; 0 when it has none. */
export function schemaOf(db: Database): number {
  const exists = db.prepare(`SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'meta'`).get();
  if (exists === undefined) return 0;
  const row = db.prepare(`SELECT value FROM meta WHERE key = 'schema'`).get() as { value: string } | undefined;
  return Number(row?.value ?? 0);
}

/**
 * Brings the schema up to date, one transaction per file. The number is read again under the write lock, so of several
 * processes that start at once each file is run by one, and a kill between any two statements leaves whole files only.
 *
 * Foreign keys are off meanwhile: with them on, a table that others point at cannot be dropped, so it could not be rebuilt
 * (sqlite.org/lang_altertable.html, "Making Other Kinds Of Table Schema Changes"), and SQLite ignores the pragma inside a
 * transaction. All references are checked before a file is committed.
 * @throws OrchError `database_newer` when a newer program has used this database; `database_references` when a row would
 *   be left that points at no row; any other error of a file passes as it is. The database is then as the last whole file left it
 */
export async function migrate(db: Database, file: string, patienceMs: number, steps: Migration[]): Promise<void> {
  const known = newestSchema(steps);
  const found = await patiently(file, patienceMs, () => schemaOf(db));
  if (found > known) throw newerSchema(file, found, known);
  const missing = steps.filter(({ number }) => number > found);
  if (missing.length === 0) return;
  const step = db.transaction((migration: Migration) => {
    runStep(db, file, migration);
  });
  db.pragma('foreign_keys = OFF');
  try {
    for (const migration of missing) await patiently(file, patienceMs, () => step.immediate(migration));
  } finally {
    db.pragma('foreign_keys = ON');
  }
}

function runStep(db: Database, file: string, { number, sql }: Migration): void {
  if (schemaOf(db) >= number) return;
  db.exec(sql);
  const broken = db.pragma('foreign_key_check') as { table: string; parent: string }[];
  if (broken.length > 0) throw brokenReferences(file, number, broken);
  db.prepare(
    `INSERT INTO meta (key, value) VALUES ('schema', ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value`,
  ).run(String(number));
}

function brokenReferences(file: string, number: number, broken: { table: string; parent: string }[]): OrchError {
  const places = [...new Set(broken.map(({ table, parent }) => `${table} → ${parent}`))].join(', ');
  return new OrchError(
    `Migration ${number} of the database ${file} would leave ${broken.length} rows that point at no row (${places}).`,
    {
      code: 'database_references',
      hint: 'Nothing was changed: go on with the version of orch that ran before, or restore a backup.',
    },
  );
}
