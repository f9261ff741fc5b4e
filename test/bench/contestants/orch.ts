import Database from 'better-sqlite3';
import type { Decision, Store, TaskId } from '../../../src/core/model/index.ts';
import { systemClock } from '../../../src/core/platform/clock.ts';
import { openStore } from '../../../src/core/store/open.ts';
import { comment, decision, newJob, present, repo, settlement, stateEffect, task, visit } from '../../store/bench.ts';
import { serveCalls } from '../calls.ts';
import { openAt } from '../store-at.ts';
import { delayMs, payload, type Contestant, type Durability } from './contestant.ts';

/**
 * `job`: jobs that belong to no task, a bare queue as the others have one. `task`: jobs of tasks, one each, as the line
 * has them: a claim also counts and reserves on the task, a settlement also queues its message and wakes it.
 */
const shape = process.argv[2] === 'task' ? 'task' : 'job';
/** The least that the same promises cost, instead of the store's port. */
const isBound = process.argv[2] === 'bound';
const host = 'bench';
const request = { host, owner: `${host}|boot|1|1`, leaseMs: 60_000, maxConcurrency: 10 };

let db: Database.Database;
let store: Store;
let seeded = 0;
let decided = 0;

async function open(file: string, durability: Durability): Promise<void> {
  await close();
  ({ db, store } = openAt(file, durability));
  seeded = (db.prepare('SELECT count(*) AS n FROM jobs').get() as { n: number }).n;
  decided = (db.prepare('SELECT count(*) AS n FROM decisions').get() as { n: number }).n;
}

async function close(): Promise<void> {
  await (store as Store | undefined)?.close();
}

// The driver binds every number as a real one; the cast keeps `T-1` from becoming `T-1.0`.
const numbers = `WITH RECURSIVE s(n) AS (
  SELECT CAST(@from AS INTEGER) UNION ALL SELECT n + 1 FROM s WHERE n + 1 < @from + @count)`;

function addTasks(to: Database.Database, prefix: string, from: number, count: number): void {
  const sample = task();
  to.prepare(
    `INSERT INTO tasks (id, project_id, item_id, number, title, repo, branch, base_branch, pipeline, pipeline_stages, stage,
       visit, paused, counters, progress, created_at, updated_at, stage_since, awake)
     ${numbers} SELECT @prefix || '-' || n, 'p', @prefix || 'item-' || n, n, 'A title of the usual length', @repo,
       'feature/' || @prefix || '-' || n, 'main', 'default', @stages, 'development', 1, 0, @counters, '{}', 0, 0, 0, 0 FROM s`,
  ).run({
    prefix,
    from,
    count,
    repo,
    stages: JSON.stringify(sample.pipelineStages),
    counters: JSON.stringify(sample.counters),
  });
}

function addJobs(to: Database.Database, from: number, count: number, state: 'queued' | 'delayed'): void {
  if (count === 0) return;
  if (shape === 'task') addTasks(to, 'T', from, count);
  const at = state === 'queued' ? Date.now() : Date.now() + delayMs;
  to.prepare(
    `INSERT INTO jobs (kind, role, task_id, cause, repo, branch, visit, orders, state, available_at, max_attempts,
       max_transient, max_interruptions, created_at)
     ${numbers} SELECT @kind, 'developer', CASE @kind WHEN 'adhoc' THEN NULL ELSE 'T-' || n END, 'cause:' || n, @repo,
       'feature/T-' || n, 1, @orders, @state, @at, 2, 5, 3, @at FROM s`,
  ).run({
    from,
    count,
    repo,
    state,
    at,
    kind: shape === 'task' ? 'agent' : 'adhoc',
    orders: JSON.stringify(payload),
  });
}

async function seed(file: string, queued: number, delayed: number): Promise<void> {
  await (await openStore({ database: { file }, clock: systemClock, mode: 'service' })).close();
  const raw = new Database(file);
  raw.pragma('synchronous = OFF');
  raw.transaction(() => {
    addJobs(raw, 1, queued, 'queued');
    addJobs(raw, queued + 1, delayed, 'delayed');
  })();
  raw.pragma('wal_checkpoint(TRUNCATE)');
  raw.close();
}

async function take(n: number): Promise<number> {
  if (isBound) return takeBound(n);
  const started = performance.now();
  for (let done = 0; done < n; done += 1) {
    const claim = present(await store.claim(request));
    const { taskId } = claim.job;
    const body = { kind: 'command', name: 'resume', by: 'bench' } as const;
    const message = taskId === null ? null : { taskId, sourceKey: `run:${claim.run.id}`, body };
    if ((await store.settle(claim.lease, settlement({ message }))) !== 'ok') throw new Error('the lease was lost');
  }
  return performance.now() - started;
}

function refill(n: number): void {
  db.transaction(() => addJobs(db, seeded + 1, n, 'queued'))();
  seeded += n;
}

/** A decision as the line makes it: the task moves on, a visit begins, a job is queued, Plane gets a comment and a state. */
function decisionFor(snapshotTask: Parameters<typeof decision>[0]): Decision {
  const { id, branch } = snapshotTask;
  const job = newJob({ taskId: id, branch, cause: 'visit:2', orders: payload });
  return decision(
    { ...snapshotTask, visit: 2 },
    {
      visit: visit(2, { stage: 'development' }),
      jobs: [job],
      effects: [comment(`comment:${id}`), stateEffect(`state:${id}`, id)],
    },
  );
}

async function decide(n: number): Promise<number> {
  db.transaction(() => addTasks(db, 'D', decided + 1, n))();
  const prepared = [];
  for (let i = decided + 1; i <= decided + n; i += 1) {
    const snapshot = present(await store.load(`D-${i}` as TaskId));
    prepared.push({ meta: snapshot.meta, decision: decisionFor(snapshot.task) });
  }
  decided += n;
  const started = performance.now();
  for (const { meta, decision: made } of prepared) {
    const answer = await store.commit(made.task.id, meta.version, made);
    if (answer !== 'ok') throw new Error('a decision was stale');
  }
  const ms = performance.now() - started;
  // The next round meets the same queue: what these decisions put into it is taken out again.
  db.exec(`UPDATE jobs SET state = 'cancelled', finished_at = 0 WHERE cause = 'visit:2' AND state = 'queued';
    UPDATE outbox SET state = 'done' WHERE state = 'pending'`);
  return ms;
}

/**
 * The least that the same promises cost: the same database with its indexes, constraints and triggers, and one prepared statement for each
 * thing that is promised – no newer program has migrated the database, what was delayed and is due takes part, the host's slots, one
 * running job a branch, a lease with a rising token, a row of the history; then the fenced end of both. Nothing is decoded or decided.
 */
function boundStatements(of: Database.Database) {
  const schema = of.prepare(`SELECT value FROM meta WHERE key = 'schema'`);
  const promote = of.prepare(`UPDATE jobs SET state = 'queued' WHERE state = 'delayed' AND available_at <= ?`);
  const slots = of.prepare(
    `SELECT count(*) FROM runs WHERE phase <> 'settled' AND phase IN ('preparing', 'running') AND host = ?`,
  );
  const take =
    of.prepare(`UPDATE jobs SET state = 'running', lease_token = lease_token + 1, lease_owner = ?, lease_expires_at = ?
    WHERE id = (SELECT j.id FROM jobs AS j LEFT JOIN tasks AS t ON t.id = j.task_id
      WHERE j.state = 'queued' AND coalesce(t.paused, 0) = 0 AND NOT EXISTS (
        SELECT 1 FROM jobs AS r WHERE r.state = 'running' AND r.repo = j.repo AND r.branch = j.branch)
      ORDER BY j.available_at, j.id LIMIT 1) RETURNING *`);
  const begin =
    of.prepare(`INSERT INTO runs (job_id, task_id, role, kind, repo, attempt, lease_token, host, phase, started_at)
    VALUES (?, NULL, ?, ?, ?, (SELECT count(*) + 1 FROM runs WHERE job_id = ?), ?, ?, 'preparing', ?) RETURNING *`);
  const endRun = of.prepare(
    `UPDATE runs SET phase = 'settled', outcome = ?, ended_at = ? WHERE id = ? AND phase <> 'settled'`,
  );
  const endJob =
    of.prepare(`UPDATE jobs SET state = 'done', finished_at = ?, lease_owner = NULL, lease_expires_at = NULL
    WHERE id = ? AND lease_token = ? AND state = 'running'`);
  const claim = of.transaction((now: number) => {
    schema.get();
    promote.run(now);
    slots.get(host);
    const job = take.get(request.owner, now + request.leaseMs) as Record<
      'id' | 'role' | 'kind' | 'repo' | 'lease_token',
      never
    >;
    const { id, role, kind, repo: slug, lease_token: token } = job;
    const run = begin.get(id, role, kind, slug, id, token, host, now) as { id: number };
    return { job: id as number, run: run.id, token: token as number };
  });
  const settle = of.transaction((held: { job: number; run: number; token: number }, outcome: string, now: number) => {
    schema.get();
    if (endJob.run(now, held.job, held.token).changes !== 1) throw new Error('the lease was lost');
    endRun.run(outcome, now, held.run);
  });
  return { claim, settle };
}

function takeBound(n: number): number {
  const { claim, settle } = boundStatements(db);
  const started = performance.now();
  for (let done = 0; done < n; done += 1) {
    const held = claim.immediate(Date.now());
    settle.immediate(held, JSON.stringify(settlement().outcome), Date.now());
  }
  return performance.now() - started;
}

serveCalls({ seed, open, take, refill, decide, close } satisfies Contestant & Record<string, unknown>);
