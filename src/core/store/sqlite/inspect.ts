import { statSync } from 'node:fs';
import Database from 'better-sqlite3';
import { busyTimeoutMs, newerSchema, patiently } from './connection.ts';
import { migrations, newestSchema, schemaOf } from './migrate.ts';
import { refuseForeign } from './open.ts';

export interface DatabaseInspection {
  schema: number;
  /** Newest schema this program knows; a smaller one in the file is brought up to date by the next service. */
  known: number;
  /** Bytes of the file without its log. */
  size: number;
  /** What `PRAGMA quick_check` found; null when the file is too large to be read through while somebody waits. */
  damage: string[] | null;
}

/** `quick_check` reads the whole file: about a second for this many bytes on a slow disk. */
const largestChecked = 256 * 1024 * 1024;
const patienceMs = 5_000;
/** Lines of damage that are told; one is enough to act. */
const mostDamage = 5;

/**
 * Looks at a database without writing to it: whose it is, its schema, and whether its pages are sound. Null when there is
 * no such file.
 * @throws OrchError `database_foreign`, `database_newer`, `database_corrupt`, `database_busy`, `database_unwritable`
 */
export async function inspectDatabase(file: string): Promise<DatabaseInspection | null> {
  const found = statSync(file, { throwIfNoEntry: false });
  if (found === undefined) return null;
  const known = newestSchema(migrations());
  return patiently(file, patienceMs, () => {
    refuseForeign(file);
    const db = new Database(file, { readonly: true, fileMustExist: true, timeout: busyTimeoutMs });
    try {
      const schema = schemaOf(db);
      if (schema > known) throw newerSchema(file, schema, known);
      return { schema, known, size: found.size, damage: found.size > largestChecked ? null : damageOf(db) };
    } finally {
      db.close();
    }
  });
}

function damageOf(db: Database.Database): string[] {
  const rows = db.pragma(`quick_check(${mostDamage})`) as { quick_check: string }[];
  return rows.map((row) => row.quick_check).filter((line) => line !== 'ok');
}
