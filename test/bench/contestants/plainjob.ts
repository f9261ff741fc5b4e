import { pathToFileURL } from 'node:url';
import Database from 'better-sqlite3';
import { present } from '../../store/bench.ts';
import { serveCalls } from '../calls.ts';
import { delayMs, payload, type Contestant, type Durability } from './contestant.ts';

interface Queue {
  add(type: string, data: unknown): { id: number };
  getAndMarkJobAsProcessing(type: string): { id: number } | undefined;
  getJobById(id: number): { id: number } | undefined;
  markJobAsDone(id: number): void;
  close(): void;
}

interface Worker {
  start(): Promise<void>;
  stop(): Promise<void>;
}

interface Plainjob {
  better(db: Database.Database): unknown;
  defineQueue(options: { connection: unknown; logger: unknown }): Queue;
  defineWorker(
    type: string,
    work: (job: { id: number }) => void | Promise<void>,
    options: { queue: Queue; logger: unknown; pollIntervall?: number },
  ): Worker;
}

const quiet = { error: () => {}, warn: () => {}, info: () => {}, debug: () => {} };
/** `queue`: its queue's calls in a loop, the least it can be asked for. `worker`: its own worker's loop. */
const [entry = '', how] = process.argv.slice(2);
const { better, defineQueue, defineWorker } = (await import(pathToFileURL(entry).href)) as Plainjob;
const type = 'job';

let db: Database.Database;
let queue: Queue | null = null;
let decided = 0;

function open(file: string, durability: Durability): void {
  close();
  db = new Database(file);
  queue = defineQueue({ connection: better(db), logger: quiet });
  db.pragma(`synchronous = ${durability}`);
  db.exec(`CREATE TABLE IF NOT EXISTS tasks (id TEXT PRIMARY KEY, stage TEXT, visit INTEGER, version INTEGER DEFAULT 0);
    CREATE TABLE IF NOT EXISTS visits (task_id TEXT, n INTEGER, body TEXT, PRIMARY KEY (task_id, n));
    CREATE TABLE IF NOT EXISTS decisions (id INTEGER PRIMARY KEY, task_id TEXT, at INTEGER, why TEXT)`);
  decided = (db.prepare('SELECT count(*) AS n FROM decisions').get() as { n: number }).n;
}

function close(): void {
  queue?.close();
  queue = null;
}

function insert(to: Database.Database, n: number, at: number): void {
  to.prepare(
    `INSERT INTO plainjob_jobs (type, data, created_at, next_run_at)
     WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < @n) SELECT @type, @data, @at, @at FROM s`,
  ).run({ n, type, data: JSON.stringify(payload), at });
}

function seed(file: string, queued: number, delayed: number): void {
  const raw = new Database(file);
  const made = defineQueue({ connection: better(raw), logger: quiet });
  raw.transaction(() => {
    if (queued > 0) insert(raw, queued, Date.now());
    if (delayed > 0) insert(raw, delayed, Date.now() + delayMs);
  })();
  raw.pragma('wal_checkpoint(TRUNCATE)');
  made.close();
}

async function take(n: number): Promise<number> {
  return how === 'worker' ? takeByWorker(n) : takeByQueue(n);
}

function takeByQueue(n: number): number {
  const own = present(queue);
  const started = performance.now();
  for (let done = 0; done < n; done += 1) {
    const { id } = present(own.getAndMarkJobAsProcessing(type));
    present(own.getJobById(id));
    own.markJobAsDone(id);
  }
  return performance.now() - started;
}

async function takeByWorker(n: number): Promise<number> {
  let done = 0;
  const started = performance.now();
  const worker = defineWorker(
    type,
    () => {
      done += 1;
      if (done === n) void worker.stop();
    },
    { queue: present(queue), logger: quiet },
  );
  await worker.start();
  return performance.now() - started;
}

/** The same as a decision of orch, the way an application on this queue would do it: its own rows and three jobs, one transaction. */
function decide(n: number): number {
  const own = present(queue);
  const task = db.prepare('INSERT INTO tasks (id, stage, visit) VALUES (?, ?, 1)');
  for (let i = 1; i <= n; i += 1) task.run(`D-${decided + i}`, 'development');
  const move = db.prepare('UPDATE tasks SET visit = 2, version = version + 1 WHERE id = ? AND version = 0');
  const visit = db.prepare('INSERT INTO visits (task_id, n, body) VALUES (?, 2, ?)');
  const journal = db.prepare('INSERT INTO decisions (task_id, at, why) VALUES (?, ?, ?)');
  const commit = db.transaction((id: string) => {
    move.run(id);
    visit.run(id, JSON.stringify(payload));
    journal.run(id, Date.now(), JSON.stringify(payload));
    own.add(type, payload);
    own.add('effect', payload);
    own.add('effect', payload);
  });
  const started = performance.now();
  for (let i = 1; i <= n; i += 1) commit.immediate(`D-${decided + i}`);
  const ms = performance.now() - started;
  decided += n;
  db.prepare(`DELETE FROM plainjob_jobs WHERE id IN (SELECT id FROM plainjob_jobs ORDER BY id DESC LIMIT ?)`).run(
    3 * n,
  );
  return ms;
}

serveCalls({
  seed,
  open,
  take,
  refill: (n: number) => insert(db, n, Date.now()),
  decide: (n: number) => Promise.resolve(decide(n)),
  close,
} satisfies Contestant & Record<string, unknown>);
