import { createRequire } from 'node:module';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import type Database from 'better-sqlite3';
import { present } from '../../store/bench.ts';
import { serveCalls } from '../calls.ts';
import { delayMs, payload, type Contestant, type Durability } from './contestant.ts';

interface Row {
  id: number;
  allocationId: string;
}

interface Queue {
  enqueue(payload: unknown): Promise<unknown>;
  attemptDequeue(options: { timeoutSecs: number }): Promise<Row | null>;
  finalize(id: number, allocationId: string, status: 'completed'): Promise<void>;
}

interface Liteque {
  SqliteQueue: new (name: string, db: unknown, options: unknown) => Queue;
  migrateDB(db: unknown): void;
}

// It runs with a driver of its own (no better-sqlite3 from 11.10 on), which is installed next to it, as is drizzle.
const entry = process.argv[2] ?? '';
const requireNextTo = createRequire(entry);
const { SqliteQueue, migrateDB } = (await import(pathToFileURL(entry).href)) as Liteque;
const Driver = requireNextTo('better-sqlite3') as typeof Database;
const { drizzle } = requireNextTo('drizzle-orm/better-sqlite3') as { drizzle: (db: Database.Database) => unknown };

let db: Database.Database | null = null;
let queue: Queue;

/** As its `buildDBClient` does it, with the durability that is wanted. */
function open(file: string, durability: Durability): void {
  close();
  db = new Driver(path.resolve(file));
  db.pragma('journal_mode = WAL');
  db.pragma(`synchronous = ${durability}`);
  db.pragma('cache_size = -65536');
  db.pragma('foreign_keys = ON');
  db.pragma('temp_store = MEMORY');
  const client = drizzle(db);
  migrateDB(client);
  queue = new SqliteQueue('bench', client, { defaultJobArgs: { numRetries: 2 }, keepFailedJobs: false });
}

function close(): void {
  db?.close();
  db = null;
}

function insert(n: number, at: number): void {
  present(db)
    .prepare(
      `INSERT INTO tasks (queue, payload, createdAt, availableAt, status, allocationId, numRunsLeft, maxNumRuns, priority)
       WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < @n)
       SELECT 'bench', @data, @at / 1000, @at, 'pending', 'allocation' || n, 3, 3, 0 FROM s`,
    )
    .run({ n, data: JSON.stringify(payload), at });
}

function seed(file: string, queued: number, delayed: number): void {
  open(file, 'NORMAL');
  if (queued > 0) insert(queued, Date.now());
  if (delayed > 0) insert(delayed, Date.now() + delayMs);
  close();
}

async function take(n: number): Promise<number> {
  const started = performance.now();
  for (let done = 0; done < n; done += 1) {
    const { id, allocationId } = present(await queue.attemptDequeue({ timeoutSecs: 60 }));
    await queue.finalize(id, allocationId, 'completed');
  }
  return performance.now() - started;
}

/** It has no transaction that holds more than one call: the job and the two effects are three of them, and no other row. */
async function decide(n: number): Promise<number> {
  const started = performance.now();
  for (let i = 0; i < n; i += 1) {
    await queue.enqueue(payload);
    await queue.enqueue(payload);
    await queue.enqueue(payload);
  }
  const ms = performance.now() - started;
  present(db)
    .prepare('DELETE FROM tasks WHERE id IN (SELECT id FROM tasks ORDER BY id DESC LIMIT ?)')
    .run(3 * n);
  return ms;
}

serveCalls({
  seed,
  open,
  take,
  refill: (n: number) => insert(n, Date.now()),
  decide,
  close,
} satisfies Contestant & Record<string, unknown>);
