import Database from 'better-sqlite3';
import { readMetrics } from '../../src/commands/metrics/metrics-text.ts';
import { readAlive } from '../../src/commands/shared/alive.ts';
import { readOverview } from '../../src/commands/shared/overview.ts';
import type { Store } from '../../src/core/model/index.ts';
import { recover } from '../../src/core/worker/repairs.ts';
import { adhoc, present, settlement } from '../store/bench.ts';
import { copyTask } from '../support/copy-task.ts';
import { startLine, type Line } from '../support/line.ts';
import { planeSide } from '../support/plane-side.ts';
import { figure, median, pairedRatio } from './numbers.ts';
import { localLine, throughTheLine } from './own-time.ts';
import type { BenchContext, Section } from './section.ts';

const few = 100;
const many = 10_000;
const aimed = 1.2;
const warmUp = 3;

/** One installation, with so many tasks that have ended. */
interface Place {
  line: Line;
  db: Database.Database;
  ms: Map<string, number[]>;
}

/** What is measured, in the order in which a round does it. */
const measures: Record<string, (line: Line) => Promise<unknown>> = {
  'idle tick': async (line) => {
    await recover(
      line.app.workerDeps(async () => {}),
      { dryRun: false },
    );
    await line.tick();
  },
  'claim + settle': ({ app: { store } }) => claims(store),
  status: ({ app }) => readOverview(app.store, app.config, false),
  metrics: async ({ app: { store, config } }) => {
    const alive = await readAlive(store, config.worker.leaseMs, await store.runningJobs(null));
    return readMetrics(store, alive, '0');
  },
  'start of a worker': async (line) => {
    await recover(
      line.app.workerDeps(async () => {}),
      { dryRun: false },
    );
    await line.app.store.recentJobs(200);
  },
};

/** Claims of one round; one alone is shorter than what the clock can tell. */
const claimsAtOnce = 20;
let jobs = 0;

async function claims(store: Store): Promise<void> {
  for (let n = 0; n < claimsAtOnce; n += 1) {
    await store.enqueue(adhoc((jobs += 1)));
    const request = { host: 'bench', owner: 'bench|boot|1|1', leaseMs: 60_000, maxConcurrency: 10 };
    await store.settle(present(await store.claim(request)).lease, settlement());
  }
}

/** (e) What the past weighs: the same work next to a hundred tasks that have ended, and next to ten thousand. */
export async function growth({ form, say }: BenchContext): Promise<Section> {
  const places: Place[] = [];
  try {
    for (const count of [few, many]) {
      say(`${figure(count)} tasks that have ended are made`);
      places.push(await place(count));
    }
    for (let round = 0; round < warmUp + form.growthRounds; round += 1)
      for (const [what, work] of Object.entries(measures))
        for (const { line, ms } of round % 2 === 0 ? places : [...places].reverse()) {
          const from = performance.now();
          await work(line);
          if (round >= warmUp) ms.set(what, [...(ms.get(what) ?? []), performance.now() - from]);
        }
    say('the tasks are packed');
    return report(places, await packing(present(places[1])));
  } finally {
    for (const { line, db } of places) {
      db.close();
      await line.close();
    }
  }
}

async function place(count: number): Promise<Place> {
  const line = await startLine({ script: { roles: {} }, configure: localLine });
  const side = planeSide(line);
  await side.tick();
  const worker = { runUntilEmpty: () => line.work() };
  const id = side.id(side.add('Quantities add up'));
  await throughTheLine(line, worker, id);
  const db = new Database(line.app.config.dbPath, { timeout: 5000 });
  copyTask(db, id, 'OLD', count - 1);
  return { line, db, ms: new Map() };
}

interface Packing {
  before: number;
  after: number;
  msEach: number;
}

/** Kilobytes of a task's rows before and after, free pages not counted. */
async function packing({ line, db }: Place): Promise<Packing> {
  const used = (): number =>
    ((db.pragma('page_count', { simple: true }) as number) -
      (db.pragma('freelist_count', { simple: true }) as number)) *
    4.096;
  const before = used() / many;
  const { store } = line.app;
  const ended = await store.endedTasks(Number.MAX_SAFE_INTEGER, many);
  const from = performance.now();
  for (const { id } of ended) await store.packTask(id, Number.MAX_SAFE_INTEGER);
  return { before, after: used() / many, msEach: (performance.now() - from) / many };
}

function report([less, more]: Place[], { before, after, msEach }: Packing): Section {
  const of = (at: Place | undefined, what: string): number[] => at?.ms.get(what) ?? [];
  const rows = Object.keys(measures).map((what) => {
    const ratio = pairedRatio(of(more, what), of(less, what));
    return {
      what,
      ratio,
      cells: [what, figure(median(of(less, what))), figure(median(of(more, what))), figure(ratio)],
    };
  });
  return {
    title: 'What the past weighs',
    text: [
      `One task went through the line on the sandbox to its end; ${figure(few)} and ${figure(many)} copies of it with all their rows stand in two ` +
        'installations, which do the same in turns, in one process. An idle tick includes its repairs and the requests to the sandbox’s servers; ' +
        `claim + settle is ${claimsAtOnce} jobs with their enqueues; status and metrics are read without the start of a program. ` +
        `Packed, as retention does it, a task’s rows take ${figure(after)} KB instead of ${figure(before)} KB; packing takes ${figure(msEach)} ms a task.`,
    ],
    tables: [
      {
        head: ['', `${figure(few)} ended, p50 ms`, `${figure(many)} ended, p50 ms`, 'ratio'],
        rows: rows.map(({ cells }) => cells),
      },
    ],
    aims: rows.map(({ what, ratio }) => ({
      what: `${what}, ${figure(many)} tasks that have ended ÷ ${figure(few)}`,
      aim: `≤ ${aimed}×`,
      measured: `${figure(ratio)}×`,
      met: ratio <= aimed,
      missedBy: ratio <= aimed ? '' : `${figure(ratio / aimed)}× the aim`,
      why: 'What is read is the same; what is left is the depth of the indexes and a larger file in the cache.',
    })),
  };
}
