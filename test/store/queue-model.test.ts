import { spawn, type ChildProcess } from 'node:child_process';
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import Database from 'better-sqlite3';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Store } from '../../src/core/model/index.ts';
import { bootId, readProcess } from '../../src/core/platform/processes.ts';
import { openStore } from '../../src/core/store/open.ts';
import { findAdoptable } from '../../src/core/worker/adopt.ts';
import type { Model, Ticket } from '../support/queue-model.ts';
import { actOf, leaseOf, takeOverAct } from '../support/queue-play.ts';
import type { Act, Table } from '../support/queue-play.ts';
import { leaseMs, limits, sequences, taskIds } from '../support/queue-steps.ts';
import type { Pair, Step } from '../support/queue-steps.ts';
import { itemMirror, start, task, testClock, type TestClock } from './bench.ts';
import { testSeeds } from '../support/seed.ts';

/*
 * Random games on a real database file through two connections, each step compared row by row with a model written from
 * the specification. Workers are real processes, because the liveness of a lease's owner is asked of the kernel.
 */

const runsPerSeed = Number(process.env['ORCH_QUEUE_RUNS'] ?? 90);

let folder: string;
let template: string;
const pool: ChildProcess[] = [];

beforeAll(async () => {
  folder = mkdtempSync(path.join(tmpdir(), 'orch-queue-'));
  template = path.join(folder, 'template.db');
  const store = await openStore({ database: { file: template }, clock: testClock(), mode: 'service' });
  for (const id of taskIds) await store.addTask(task({ id: id as never }), itemMirror());
  await store.close();
});
afterAll(() => {
  for (const child of pool) child.kill('SIGKILL');
  rmSync(folder, { recursive: true, force: true });
});

/** A process that lives until it is killed, as a worker would. */
async function spawnBody(): Promise<ChildProcess> {
  const child = spawn('sleep', ['600'], { stdio: 'ignore' });
  await new Promise((resolve) => child.once('spawn', resolve));
  pool.push(child);
  return child;
}

async function kill(child: ChildProcess): Promise<void> {
  const ended = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGKILL');
  await ended;
  pool.splice(pool.indexOf(child), 1);
}

interface Game extends Table {
  clock: TestClock;
  stores: [Store, Store];
  rows: Database.Database;
  /** Which process each worker is; a dead one's place is taken by a new process. */
  bodies: ChildProcess[];
  /** Highest token of every job that anybody was given. */
  tokens: Map<number, number>;
}

let games = 0;

async function newGame(): Promise<Game> {
  const file = path.join(folder, `${(games += 1)}.db`);
  copyFileSync(template, file);
  const clock = testClock();
  const open = () => openStore({ database: { file }, clock, mode: 'service' });
  const stores: [Store, Store] = [await open(), await open()];
  const bodies: ChildProcess[] = [];
  for (let n = 0; n < 4; n += 1) bodies.push(pool[n] ?? (await spawnBody()));
  const tasks = Object.fromEntries(taskIds.map((id) => [id, { paused: false, runs: 0, spent: 0, reserved: 0 }]));
  const model: Model = { now: start, jobs: [], runs: [], tasks, messages: [] };
  const workers = bodies.map((child, n) => ({ host: n % 2 === 0 ? 'h1' : 'h2', owner: ownerOf(child, n) }));
  return {
    clock,
    stores,
    rows: new Database(file, { readonly: true }),
    bodies,
    tokens: new Map(),
    model,
    tickets: [],
    workers,
  };
}

function ownerOf(child: ChildProcess, worker: number): string {
  const pid = child.pid ?? 0;
  return [worker % 2 === 0 ? 'h1' : 'h2', bootId(), pid, readProcess(pid)?.start ?? ''].join('|');
}

async function play(game: Game, step: Step | Pair): Promise<void> {
  switch (step.do) {
    case 'clock':
      game.clock.at += step.by;
      game.model.now = game.clock.at;
      break;
    case 'die':
      await die(game, step.worker % game.workers.length);
      break;
    case 'reclaim':
      await reclaim(game, step.worker % game.workers.length);
      break;
    case 'both':
      await together(game, actOf(step.one, game), actOf(step.two, game));
      break;
    default:
      await alone(game, actOf(step, game), game.stores[game.tickets.length % 2] as Store);
  }
  compare(game);
}

async function alone(game: Game, act: Act | null, store: Store): Promise<void> {
  if (act === null) return;
  const answer = await act.real(store);
  expect(answer).toEqual(act.model(game.model));
  remember(game, answer);
}

/** Two at once: what came out must be what one order of them gives (linearizable), rows included. */
async function together(game: Game, one: Act | null, two: Act | null): Promise<void> {
  if (one === null || two === null) return;
  const answers = await Promise.all([one.real(game.stores[0]), two.real(game.stores[1])]);
  const orders = [[one, two] as const, [two, one] as const].map((order, n) => {
    const model = structuredClone(game.model);
    const said = order.map((act) => act.model(model));
    return { model, said: n === 0 ? said : said.toReversed() };
  });
  const rows = look(game);
  const fits = orders.find(({ model, said }) => same(said, answers) && same(shown(model), rows));
  expect(fits, JSON.stringify({ answers, rows, orders })).toBeDefined();
  game.model = fits?.model ?? game.model;
  answers.forEach((answer) => remember(game, answer));
}

function same(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

/** Keeps what somebody was given; its token is higher than any that this job's holders were given before. */
function remember(game: Game, answer: unknown): void {
  if (typeof answer !== 'object' || answer === null || !('token' in answer)) return;
  const { jobId, runId, owner, token } = answer as Ticket;
  expect(token).toBeGreaterThan(game.tokens.get(jobId) ?? 0);
  game.tokens.set(jobId, token);
  game.tickets.push({ jobId, runId, owner, token });
}

/** The process ends; another takes its place under its own name. What the dead one held is left behind. */
async function die(game: Game, worker: number): Promise<void> {
  const body = game.bodies[worker];
  if (body !== undefined) await kill(body);
  const child = await spawnBody();
  game.bodies[worker] = child;
  game.workers[worker] = { host: worker % 2 === 0 ? 'h1' : 'h2', owner: ownerOf(child, worker) };
}

/**
 * Looks for runs to take over, as workers do: no living owner of this host loses one, lapsed or not; of another host they
 * are taken when no lease of that host runs any more.
 */
async function reclaim(game: Game, worker: number): Promise<void> {
  const { host, owner } = game.workers[worker] ?? { host: '', owner: '' };
  const living = game.workers.map((one) => one.owner);
  const store = game.stores[worker % 2] as Store;
  const mine = game.model.runs.filter(
    (run) => game.model.jobs.find((job) => job.id === run.jobId)?.owner === owner && run.phase !== 'settled',
  );
  const found = await findAdoptable(
    { store, host, owner, config: { leaseMs } },
    new Set(mine.map((run) => String(run.id) as never)),
  );
  const dead = game.model.jobs.filter((job) => {
    if (job.state !== 'running') return false;
    const home = hostOf(job.owner);
    if (home === host) return !living.includes(job.owner ?? '');
    const there = game.model.jobs.filter((one) => one.state === 'running' && hostOf(one.owner) === home);
    return there.every((one) => (one.expires ?? 0) <= game.model.now);
  });
  expect(found.map(({ job }) => Number(job.id))).toEqual(dead.map((job) => job.id));
  for (const { lease } of found) {
    const ticket = { jobId: Number(lease.jobId), runId: Number(lease.runId), owner: lease.owner, token: lease.token };
    expect(leaseOf(ticket)).toEqual(lease);
    await alone(game, takeOverAct(ticket, owner), store);
  }
}

const hostOf = (owner: string | null): string => owner?.split('|')[0] ?? '';

/** The rows as the database has them. */
function look(game: Game): unknown {
  const all = (sql: string): unknown[] => game.rows.prepare(sql).all();
  return {
    jobs: all(`SELECT id, state, available_at AS availableAt, attempts, transient, interruptions,
      cancel_requested AS cancel, lease_owner AS owner, lease_token AS token, lease_expires_at AS expires FROM jobs ORDER BY id`),
    runs: all(
      `SELECT id, job_id AS jobId, attempt, lease_token AS token, host, phase, budget_micros AS budget FROM runs ORDER BY id`,
    ),
    tasks: all(`SELECT id, paused, runs, spent_micros AS spent, reserved_micros AS reserved FROM tasks ORDER BY id`),
    messages: all('SELECT source_key AS key FROM messages ORDER BY id').map((row) => (row as { key: string }).key),
  };
}

/** The model in the same form. */
function shown(model: Model): unknown {
  return {
    jobs: model.jobs.map(
      ({ id, state, availableAt, attempts, transient, interruptions, cancel, owner, token, expires }) => ({
        ...{ id, state, availableAt, attempts, transient, interruptions },
        ...{ cancel: Number(cancel), owner, token, expires },
      }),
    ),
    runs: model.runs,
    tasks: Object.entries(model.tasks).map(([id, row]) => ({ id, ...row, paused: Number(row.paused) })),
    messages: model.messages,
  };
}

function compare(game: Game): void {
  expect(look(game)).toEqual(shown(game.model));
  const broken = (sql: string): unknown[] => game.rows.prepare(sql).all();
  expect(
    broken(`SELECT task_id FROM jobs WHERE state IN ('queued', 'delayed', 'running') AND task_id IS NOT NULL
    GROUP BY task_id HAVING count(*) > 1`),
  ).toEqual([]);
  expect(broken(`SELECT branch FROM jobs WHERE state = 'running' GROUP BY repo, branch HAVING count(*) > 1`)).toEqual(
    [],
  );
  for (const [host, limit] of Object.entries(limits)) {
    const slots = game.rows.prepare(
      `SELECT count(*) AS n FROM runs WHERE host = ? AND phase IN ('preparing', 'running')`,
    );
    expect((slots.get(host) as { n: number }).n).toBeLessThanOrEqual(limit);
  }
}

/** Whatever happened: once everybody is resumed and workers go on, every job comes to an end. */
async function drain(game: Game): Promise<void> {
  const end = { do: 'settle', lease: 0, kind: 'success', sawCancel: true, cost: null, wait: null } as const;
  for (let task = 0; task < taskIds.length; task += 1) await play(game, { do: 'pause', task, paused: false });
  for (let worker = 0; worker < 4; worker += 1) await play(game, { do: 'die', worker });
  for (let round = 0; round < 40; round += 1) {
    for (const worker of [0, 1]) {
      await play(game, { do: 'reclaim', worker });
      await play(game, { do: 'claim', worker });
    }
    while (game.model.jobs.some((job) => job.state === 'running')) await play(game, end);
    if (game.model.jobs.every((job) => ['done', 'failed', 'cancelled'].includes(job.state))) return;
    await play(game, { do: 'clock', by: 3_600_000 });
  }
  expect(game.model.jobs.filter((job) => !['done', 'failed', 'cancelled'].includes(job.state))).toEqual([]);
}

async function whole(steps: (Step | Pair)[]): Promise<void> {
  const game = await newGame();
  try {
    for (const step of steps) await play(game, step);
    await drain(game);
    expect(game.rows.pragma('integrity_check', { simple: true })).toBe('ok');
  } finally {
    game.rows.close();
    for (const store of game.stores) await store.close();
    rmSync(path.join(folder, `${games}.db`), { force: true });
  }
}

test.each(testSeeds([1, 2, 3, Date.now() % 1_000_000]))(
  'random games of the queue agree with the model, seed %i',
  async (seed) => {
    await fc.assert(fc.asyncProperty(sequences, whole), {
      seed,
      numRuns: runsPerSeed,
      interruptAfterTimeLimit: 90_000,
    });
  },
  120_000,
);
