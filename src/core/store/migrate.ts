import { readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';
import type { Database } from 'better-sqlite3';
import { newerSchema, patiently } from './connection.ts';

export interface Migration {
  number: number;
  sql: string;
}

/** The numbered files beside this one, in order; they lie there in the source tree and in `dist` alike. */
export function migrations(): Migration[] {
  const folder = path.join(import.meta.dirname, 'migrations');
  return readdirSync(folder)
    .filter((name) => /^\d{4}_\w+\.sql$/.test(name))
    .sort()
    .map((name) => ({ number: Number(name.slice(0, 4)), sql: readFileSync(path.join(folder, name), 'utf8') }));
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
 * Brings the schema up to date, one transaction a step. The number is read again under the write lock, so of several
 * processes that start at once each step is done by one, and a kill between any two statements leaves whole steps only.
 * @throws OrchError `database_newer` when a newer program has been here
 */
export async function migrate(db: Database, file: string, patienceMs: number, steps: Migration[]): Promise<void> {
  const known = newestSchema(steps);
  const found = await patiently(file, patienceMs, () => schemaOf(db));
  if (found > known) throw newerSchema(file, found, known);
  const step = db.transaction((migration: Migration) => {
    if (schemaOf(db) >= migration.number) return;
    db.exec(migration.sql);
    db.prepare(
      `INSERT INTO meta (key, value) VALUES ('schema', ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value`,
    ).run(String(migration.number));
  });
  for (const migration of steps.filter(({ number }) => number > found)) {
    await patiently(file, patienceMs, () => step.immediate(migration));
  }
}
