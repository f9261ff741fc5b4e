import { existsSync, statSync } from 'node:fs';
import Database from 'better-sqlite3';
import type { DatabaseInspection, DatabasePlace } from '../../model/index.ts';
import { busyTimeoutMs, newerSchema, patiently } from './connection.ts';
import { damageAdvice } from './errors.ts';
import { migrations, newestSchema, schemaOf } from './migrate.ts';
import { refuseForeign } from './open.ts';

/** `quick_check` reads the whole file: about a second for this many bytes on a slow disk. */
const largestChecked = 256 * 1024 * 1024;
const patienceMs = 5_000;
/** Lines of damage that are shown; one is enough to act. */
const maxDamage = 5;

/** Whether there is a database: opening a store that may write makes it. */
export function isDatabaseMade({ file }: DatabasePlace): boolean {
  return existsSync(file);
}

/**
 * Looks at a database without writing to it, also at one that cannot be opened as a store: whose it is, its schema, and
 * whether its pages are sound.
 * @throws OrchError `database_foreign`, `database_newer`, `database_corrupt`, `database_busy`, `database_unwritable`
 */
export async function inspectDatabase({ file }: DatabasePlace): Promise<DatabaseInspection> {
  const size = statSync(file, { throwIfNoEntry: false })?.size;
  if (size === undefined) return { name: file, found: null };
  const known = newestSchema(migrations());
  return patiently(file, patienceMs, () => {
    refuseForeign(file);
    const db = new Database(file, { readonly: true, fileMustExist: true, timeout: busyTimeoutMs });
    try {
      const schema = schemaOf(db);
      if (schema > known) throw newerSchema(file, schema, known);
      const damage = size > largestChecked ? null : damageOf(db);
      return { name: file, found: { schema, known, size, damage, advice: damageAdvice } };
    } finally {
      db.close();
    }
  });
}

function damageOf(db: Database.Database): string[] {
  const rows = db.pragma(`quick_check(${maxDamage})`) as { quick_check: string }[];
  return rows.map((row) => row.quick_check).filter((line) => line !== 'ok');
}
