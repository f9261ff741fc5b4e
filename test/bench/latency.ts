import path from 'node:path';
import { pathToFileURL } from 'node:url';
import Database from 'better-sqlite3';
import { systemClock } from '../../src/core/platform/clock.ts';
import { openStore } from '../../src/core/store/open.ts';
import { adhoc } from '../store/bench.ts';
import { startRemote, type Remote } from './calls.ts';
import type { Durability } from './contestants/contestant.ts';
import { figure, quantile } from './numbers.ts';
import { peerTitle } from './peers.ts';
import type { Aim, BenchContext, Section } from './section.ts';
import { openAt } from './store-at.ts';

const plainjobPollMs = 20;
const aimed = 20;

interface Lane {
  name: string;
  /** Queues one job; answers its id. */
  add: () => Promise<string> | string;
  waiter: Remote;
  sent: Map<string, { called: number; returned: number }>;
  close: () => Promise<void>;
}

const now = (): number => Number(process.hrtime.bigint() / 1000n);

async function orchLane(folder: string, durability: Durability): Promise<Lane> {
  const file = path.join(folder, `orch-${durability}`, 'orch.db');
  await (await openStore({ database: { file }, clock: systemClock, mode: 'service' })).close();
  const { store } = openAt(file, durability);
  const waiter = startRemote('latency-worker.ts');
  await waiter.call('orch', file, durability);
  let n = 0;
  return {
    name: 'orch',
    add: async () => (await store.enqueue(adhoc((n += 1)))).job.id,
    waiter,
    sent: new Map(),
    close: () => store.close(),
  };
}

async function plainjobLane(folder: string, durability: Durability, entry: string): Promise<Lane> {
  const { better, defineQueue } = (await import(pathToFileURL(entry).href)) as {
    better(db: Database.Database): unknown;
    defineQueue(options: object): { add(type: string, data: unknown): { id: number }; close(): void };
  };
  const file = path.join(folder, `plainjob-${durability}.db`);
  const db = new Database(file);
  const queue = defineQueue({ connection: better(db) });
  db.pragma(`synchronous = ${durability}`);
  const waiter = startRemote('latency-worker.ts', [entry]);
  await waiter.call('plainjob', file, durability, plainjobPollMs);
  return {
    name: `${peerTitle('plainjob')}, poll ${plainjobPollMs} ms`,
    add: () => String(queue.add('job', {}).id),
    waiter,
    sent: new Map(),
    close: () => {
      queue.close();
      return Promise.resolve();
    },
  };
}

/** Both in turns, at moments that have nothing to do with either's clock. */
async function measure(lanes: Lane[], enqueues: number): Promise<void> {
  for (let n = 0; n < enqueues; n += 1) {
    for (const lane of lanes) {
      const called = now();
      const id = await lane.add();
      lane.sent.set(id, { called, returned: now() });
      await systemClock.sleep(25 + Math.random() * 25);
    }
  }
  await systemClock.sleep(500);
}

/** Milliseconds from the call that queued a job to its start in the other process, lost ones left out. */
async function latencies(lane: Lane): Promise<number[]> {
  const started = await lane.waiter.call<{ id: string; at: number }[]>('started');
  const at = new Map(started.map((row) => [row.id, row.at]));
  return [...lane.sent].flatMap(([id, { called }]) => {
    const start = at.get(id);
    return start === undefined ? [] : [(start - called) / 1000];
  });
}

/** (b) From the call that queues a job in one process to its start in another, which waits for it. */
export async function latency({ form, folder, say, peers }: BenchContext): Promise<Section> {
  const rows: string[][] = [];
  const aims: Aim[] = [];
  for (const durability of ['NORMAL', 'FULL'] as const) {
    say(`latency at synchronous=${durability}`);
    const lanes = [await orchLane(folder, durability)];
    if (peers.plainjob !== null) lanes.push(await plainjobLane(folder, durability, peers.plainjob));
    await measure(lanes, form.enqueues);
    const medians: number[] = [];
    for (const lane of lanes) {
      const ms = await latencies(lane);
      medians.push(quantile(ms, 0.5));
      rows.push([lane.name, durability, figure(quantile(ms, 0.5)), figure(quantile(ms, 0.99)), String(ms.length)]);
      await lane.waiter.close();
      await lane.close();
    }
    const ratio = (medians[1] ?? Number.NaN) / (medians[0] ?? Number.NaN);
    aims.push(aimOf(durability, ratio));
  }
  return {
    title: 'Enqueue to start in another process',
    text: [
      'One process queues a job, another one that waits claims it: orch woken by its watch on the database’s folder, plainjob by ' +
        `its poll. From the call that queues (its commit is part of it) to the return of the claim, ${form.enqueues} times each in ` +
        'turns, 25 to 50 ms apart at random.',
    ],
    tables: [{ head: ['', 'synchronous', 'p50, ms', 'p99, ms', 'samples'], rows }],
    aims,
  };
}

function aimOf(durability: Durability, ratio: number): Aim {
  const met = Number.isNaN(ratio) ? null : ratio >= aimed;
  return {
    what: `Enqueue-to-start latency, p50, below plainjob’s ${plainjobPollMs} ms poll, at ${durability}`,
    aim: `≥ ${aimed}×`,
    measured: Number.isNaN(ratio) ? 'not measured' : `${figure(ratio)}×`,
    met,
    missedBy: met === false ? `${figure(aimed / ratio)}× slower than aimed` : '',
    why:
      'The poll waits 10 ms on average, whatever is done; a twentieth of that is half a millisecond, in which two processes ' +
      'commit once each and the kernel wakes the second one. At FULL each of the two commits also waits for the disk.',
  };
}
