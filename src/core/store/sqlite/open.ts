import { closeSync, openSync, statSync } from 'node:fs';
import path from 'node:path';
import Database from 'better-sqlite3';
import { OrchError } from '../../model/index.ts';
import type { DatabasePlace, Store } from '../../model/index.ts';
import type { Clock } from '../../platform/clock.ts';
import { privateFolder } from '../../platform/files.ts';
import { createStore } from '../store.ts';
import { busyTimeoutMs, connect, newerSchema, patiently } from './connection.ts';
import { sqliteCode, unwritable } from './errors.ts';
import { migrate, migrations, newestSchema, schemaOf } from './migrate.ts';

interface OpenOptions {
  database: DatabasePlace;
  clock: Clock;
  /** How long a lock is waited for before `database_busy`: a service has time, a person at a terminal less. */
  mode: 'service' | 'command';
  /** Only reads; the database must exist and have this program's schema. */
  readonly?: boolean;
}

/** `orch` in ASCII, in the file's header: distinguishes an orch database from any other (sqlite.org/pragma.html#pragma_application_id). */
export const applicationId = 0x6f726368;

const patience = { service: 10_000, command: 5_000 };

/**
 * Opens the database, makes it when there is none, and brings its schema up to date. A database that is not orch's is
 * refused before anything is written to it.
 * @throws OrchError `database_missing`, `database_foreign`, `database_newer`, `database_older`, `database_corrupt`,
 *   `database_unwritable`, `database_full`, `database_busy`
 */
export async function openStore(options: OpenOptions): Promise<Store> {
  const file = path.resolve(options.database.file);
  const patienceMs = patience[options.mode];
  const readonly = options.readonly ?? false;
  const steps = migrations();
  ensureFile(file, readonly);
  await patiently(file, patienceMs, () => refuseForeign(file));
  const db = await patiently(
    file,
    patienceMs,
    () => new Database(file, { readonly, fileMustExist: true, timeout: busyTimeoutMs }),
  );
  try {
    if (readonly) {
      checkSchema(file, await patiently(file, patienceMs, () => schemaOf(db)), newestSchema(steps));
    } else {
      await patiently(file, patienceMs, () => configure(db));
      await migrate(db, file, patienceMs, steps);
    }
    return createStore(connect(db, file, patienceMs, newestSchema(steps)), options.clock);
  } catch (error) {
    db.close();
    throw error;
  }
}

function ensureFile(file: string, readonly: boolean): void {
  if (look(file) === 'file') return;
  if (readonly) {
    throw new OrchError(`There is no database at ${file}.`, {
      code: 'database_missing',
      hint: 'Start `orch serve-poller` once, or check `stateDir` and ORCH_DB_PATH.',
    });
  }
  try {
    privateFolder(path.dirname(file));
    // Only a file that this call made is closed here: closing a database file would drop the locks of every other
    // connection of this process (fcntl locks belong to the process, sqlite.org/howtocorrupt.html 2.2).
    closeSync(openSync(file, 'wx', 0o600));
  } catch (error) {
    if (!isExists(error)) throw unwritable(file, error);
  }
}

function look(file: string): 'file' | 'nothing' {
  let isFile: boolean | undefined;
  try {
    isFile = statSync(file, { throwIfNoEntry: false })?.isFile();
  } catch (error) {
    throw unwritable(file, error);
  }
  if (isFile === false) throw unwritable(file, new Error('not a regular file'));
  return isFile === true ? 'file' : 'nothing';
}

function isExists(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'EEXIST';
}

/** Looks through a connection that cannot write, so that a foreign file and its journal stay as they were, byte by byte. */
export function refuseForeign(file: string): void {
  const db = new Database(file, { readonly: true, fileMustExist: true, timeout: busyTimeoutMs });
  try {
    if (isOurs(db)) return;
  } catch (error) {
    // A journal that only a writer can roll back: orch's own files never have one (see configure), another program's may.
    if (!/^SQLITE_READONLY_(ROLLBACK|RECOVERY)/.test(sqliteCode(error))) throw error;
  } finally {
    db.close();
  }
  throw new OrchError(`The database ${file} belongs to another program.`, {
    code: 'database_foreign',
    hint: 'orch keeps its own database: choose another path in `stateDir` or ORCH_DB_PATH. The file was not touched.',
  });
}

/** Marked as orch's, or still empty. */
function isOurs(db: Database.Database): boolean {
  const id = db.pragma('application_id', { simple: true });
  if (id === applicationId) return true;
  return id === 0 && db.prepare('SELECT 1 FROM sqlite_master LIMIT 1').get() === undefined;
}

function configure(db: Database.Database): void {
  if (db.pragma('application_id', { simple: true }) !== applicationId) {
    // Marked before the first table exists, and without a rollback journal that a kill could leave behind: the file is
    // one page, which is written or not.
    db.pragma('journal_mode = MEMORY');
    db.pragma(`application_id = ${applicationId}`);
  }
  db.pragma('journal_mode = WAL');
  db.pragma('synchronous = FULL');
  db.pragma('fullfsync = ON');
  db.pragma('foreign_keys = ON');
}

function checkSchema(file: string, found: number, known: number): void {
  if (found > known) throw newerSchema(file, found, known);
  if (found === known) return;
  throw new OrchError(`The database ${file} has schema ${found}; this orch needs ${known}.`, {
    code: 'database_older',
    hint: 'Start `orch serve-poller` or `orch run-worker` once: it brings the schema up to date.',
  });
}
