import { setTimeout as wait } from 'node:timers/promises';
import type { Database, Statement } from 'better-sqlite3';
import { OrchError } from '../model/index.ts';
import { databaseError, isBusy } from './errors.ts';

/** A prepared statement of this text, made at its first use: a short command prepares only what it needs. */
export type Sql = <Row = unknown>(text: string) => Statement<unknown[], Row>;

/** One connection, and the only two ways into it. */
export interface Connection {
  file: string;
  sql: Sql;
  /** Runs `work` on one consistent view. */
  read<T>(work: () => T): Promise<T>;
  /** Runs `work` as one write transaction: all of it is stored, or nothing. `work` may be run again after a lock wait. */
  write<T>(work: () => T): Promise<T>;
  close(): void;
}

/**
 * Longest wait inside SQLite, during which the event loop stands still: 25 ms bounded the stall to 56 ms with eight
 * writing processes, 5 s to 832 ms, at equal throughput.
 */
export const busyTimeoutMs = 25;

const shortestPauseMs = 2;
const longestPauseMs = 60;

/**
 * Repeats `attempt` while another process holds the lock, pausing asynchronously with jitter, so that timers and
 * heartbeats go on. Real time, not the store's clock: the lock is held by a real process.
 * @param limitMs gives up with `database_busy` after this long
 * @throws OrchError `database_*`
 */
export async function patiently<T>(file: string, limitMs: number, attempt: () => T): Promise<T> {
  const deadline = performance.now() + limitMs;
  for (let pause = shortestPauseMs; ; pause = Math.min(pause * 2, longestPauseMs)) {
    try {
      return attempt();
    } catch (error) {
      if (!isBusy(error) || performance.now() >= deadline) throw databaseError(error, file);
    }
    await wait(shortestPauseMs + Math.random() * pause);
  }
}

/**
 * @param schema newest schema this program knows: a write into a database that another, newer program has migrated
 *   meanwhile is refused, so that an old process left running drains instead of writing rows it does not understand
 */
export function connect(db: Database, file: string, patienceMs: number, schema: number): Connection {
  const prepared = new Map<string, Statement>();
  const sql = (text: string): Statement => {
    let statement = prepared.get(text);
    if (statement === undefined) {
      statement = db.prepare(text);
      prepared.set(text, statement);
    }
    return statement;
  };
  const inTransaction = db.transaction((work: () => unknown) => work());
  const guarded = db.transaction((work: () => unknown) => {
    const found = sql(`SELECT value FROM meta WHERE key = 'schema'`).get() as { value: string };
    if (Number(found.value) > schema) throw newerSchema(file, Number(found.value), schema, 'tryAgain');
    return work();
  });
  return {
    file,
    sql: sql as Sql,
    read: <T>(work: () => T) => patiently(file, patienceMs, () => inTransaction.deferred(work) as T),
    // IMMEDIATE takes the write lock before the first read: a deferred read-then-write loses its snapshot to any other
    // writer (SQLITE_BUSY_SNAPSHOT), which no waiting can cure.
    write: <T>(work: () => T) => patiently(file, patienceMs, () => guarded.immediate(work) as T),
    close: () => {
      db.close();
    },
  };
}

/**
 * @param exit a process that was running when the database was migrated ends with `tryAgain`: started again by its service
 *   manager it may be the new version, and if it is not, it ends for good
 */
export function newerSchema(file: string, found: number, known: number, exit?: 'tryAgain'): OrchError {
  return new OrchError(`The database ${file} has schema ${found}; this orch knows up to ${known}.`, {
    code: 'database_newer',
    ...(exit === undefined ? {} : { exit }),
    hint: 'A newer orch has used this database: install that version here, or restart the service if it was upgraded.',
  });
}
