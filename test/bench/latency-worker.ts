import { pathToFileURL } from 'node:url';
import Database from 'better-sqlite3';
import { systemClock } from '../../src/core/platform/clock.ts';
import { watchDatabase } from '../../src/core/store/sqlite/watch.ts';
import { createNotifier } from '../../src/core/worker/watching.ts';
import { settlement } from '../store/bench.ts';
import { serveCalls } from './calls.ts';
import type { Durability } from './contestants/contestant.ts';
import { openAt } from './store-at.ts';

// The process that waits for jobs: orch's store, notifier and watch as its worker has them, or plainjob's own worker.
const [entry = ''] = process.argv.slice(2);

/** The service's slow poll behind the watch. */
const pollMs = 2000;

/** Microseconds on the clock that all processes of the machine share. */
const now = (): number => Number(process.hrtime.bigint() / 1000n);

const started: { id: string; at: number }[] = [];
const stopping = new AbortController();

async function orch(file: string, durability: Durability): Promise<void> {
  const { store } = openAt(file, durability);
  const notifier = createNotifier((ms, signal) => systemClock.sleep(ms, signal));
  watchDatabase(file, notifier.notify);
  void (async () => {
    const request = { host: 'bench', owner: 'bench|boot|1|1', leaseMs: 60_000, maxConcurrency: 10 };
    while (!stopping.signal.aborted) {
      // As a worker's round: asked with a read first, claimed when something is due.
      const claim = (await store.hasDueJob()) ? await store.claim(request) : null;
      if (claim === null) {
        await notifier.wait(pollMs, stopping.signal);
        continue;
      }
      started.push({ id: claim.job.id, at: now() });
      await store.settle(claim.lease, settlement());
    }
  })();
  await Promise.resolve();
}

interface Plainjob {
  better(db: Database.Database): unknown;
  defineQueue(options: object): unknown;
  defineWorker(type: string, work: (job: { id: number }) => void, options: object): { start(): Promise<void> };
}

async function plainjob(file: string, durability: Durability, pollIntervall: number): Promise<void> {
  const { better, defineQueue, defineWorker } = (await import(pathToFileURL(entry).href)) as Plainjob;
  const quiet = { error: () => {}, warn: () => {}, info: () => {}, debug: () => {} };
  const db = new Database(file);
  const queue = defineQueue({ connection: better(db), logger: quiet });
  db.pragma(`synchronous = ${durability}`);
  const work = ({ id }: { id: number }): void => void started.push({ id: String(id), at: now() });
  void defineWorker('job', work, { queue, logger: quiet, pollIntervall }).start();
}

serveCalls({
  orch,
  plainjob,
  started: () => started,
});
