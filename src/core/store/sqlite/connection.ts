import { setTimeout as wait } from 'node:timers/promises';
import type { Database, Statement as PreparedStatement } from 'better-sqlite3';
import { OrchError } from '../../model/index.ts';
import { one, type Driver, type Query } from '../query.ts';
import { databaseError, isBusy } from './errors.ts';
import { watchDatabase } from './watch.ts';

/**
 * Longest wait inside SQLite, during which the event loop is blocked: 25 ms bounded the stall to 56 ms with eight
 * writing processes, 5 s to 832 ms, at equal throughput.
 */
export const busyTimeoutMs = 25;

const minPauseMs = 2;
const maxPauseMs = 60;

/**
 * Repeats `attempt` while another process holds the lock, pausing asynchronously with jitter, so that timers and
 * heartbeats go on. Real time, not the store's clock: the lock is held by a real process.
 * @param limitMs gives up with `database_busy` after this long
 * @throws OrchError `database_*`
 */
export async function patiently<T>(file: string, limitMs: number, attempt: () => T): Promise<T> {
  const deadline = performance.now() + limitMs;
  for (let pause = minPauseMs; ; pause = Math.min(pause * 2, maxPauseMs)) {
    try {
      return attempt();
    } catch (error) {
      if (!isBusy(error) || performance.now() >= deadline) throw databaseError(error, file);
    }
    await wait(minPauseMs + Math.random() * pause);
  }
}

/**
 * The driver of the statement bodies over one SQLite connection, which answers every statement at once.
 * @param schema newest schema this program knows: a write into a database that another, newer program has migrated
 *   meanwhile is refused, so that an old process left running drains instead of writing rows it does not understand
 */
export function connect(db: Database, file: string, patienceMs: number, schema: number): Driver {
  const perform = performer(db);
  const inTransaction = db.transaction((body: () => Query<unknown>) => perform(body()));
  const guarded = db.transaction((body: () => Query<unknown>) => {
    const found = perform(one<{ value: string }>(`SELECT value FROM meta WHERE key = 'schema'`));
    if (Number(found?.value) > schema) throw newerSchema(file, Number(found?.value), schema, 'tryAgain');
    return perform(body());
  });
  return {
    read: <T>(body: () => Query<T>) => patiently(file, patienceMs, () => inTransaction.deferred(body) as T),
    // IMMEDIATE takes the write lock before the first read: a deferred read-then-write loses its snapshot to any other
    // writer (SQLITE_BUSY_SNAPSHOT), which no waiting can cure.
    write: <T>(body: () => Query<T>) => patiently(file, patienceMs, () => guarded.immediate(body) as T),
    onChange: (listener) => {
      const watching = watchDatabase(file, listener);
      return () => watching.close();
    },
    close: () => {
      db.close();
      return Promise.resolve();
    },
  };
}

/** Runs a body from its first statement to its end. A text is prepared once, at its first use. */
function performer(db: Database): <T>(body: Query<T>) => T {
  const prepared = new Map<string, PreparedStatement>();
  const prepare = (text: string): PreparedStatement => {
    let statement = prepared.get(text);
    if (statement === undefined) {
      statement = db.prepare(text);
      prepared.set(text, statement);
    }
    return statement;
  };
  return (body) => {
    let step = body.next();
    while (step.done !== true) {
      const { text, params, want } = step.value;
      const statement = prepare(text);
      if (want === 'one') step = body.next(statement.get(params));
      else if (want === 'all') step = body.next(statement.all(params));
      else step = body.next(statement.run(params).changes);
    }
    return step.value;
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
