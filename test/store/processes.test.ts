import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import Database from 'better-sqlite3';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openStore } from '../../src/core/store/open.ts';
import type { Store, TaskId } from '../../src/core/model/index.ts';
import { builtPart } from '../support/build.ts';
import { copyTask } from '../support/copy-task.ts';
import {
  adhoc,
  claimOn,
  commitNow,
  itemMirror,
  newJob,
  outcome,
  present,
  settlement,
  task,
  testClock,
  visit,
} from './bench.ts';

let folder: string;

/** Long after every task has ended. */
const later = 1_800_000_000_000;

const worker = `
import { openStore } from '${builtPart('src/core/store/open.ts')}';
const [file, host] = process.argv.slice(2);
const clock = { now: () => Date.now(), sleep: () => Promise.resolve() };
const store = await openStore({ database: { file }, clock, mode: 'service' });
const settlement = JSON.parse(process.env.SETTLEMENT);
for (;;) {
  const claim = await store.claim({ host, owner: host + '|boot|' + process.pid + '|1', leaseMs: 60000, maxConcurrency: 9 });
  if (claim === null) break;
  console.log(claim.job.id);
  await store.patchRun(claim.lease, { phase: 'running', pid: process.pid });
  if (await store.settle(claim.lease, settlement) !== 'ok') throw new Error('lost ' + claim.job.id);
}
await store.close();
`;

const packer = `
import { openStore } from '${builtPart('src/core/store/open.ts')}';
const clock = { now: () => ${later}, sleep: () => Promise.resolve() };
const store = await openStore({ database: { file: process.argv[2] }, clock, mode: 'service' });
for (const { id } of await store.endedTasks(${later}, 1000)) if (await store.packTask(id, ${later})) console.log(id);
await store.close();
`;

interface Ended {
  lines: string[];
  code: number | null;
  errors: string;
}

/** Starts a worker; `onLine` sees every job it claimed. */
function work(
  file: string,
  host: string,
  onLine: (count: number, kill: () => void) => void = () => {},
  script = 'worker.mjs',
): Promise<Ended> {
  const env = { ...process.env, SETTLEMENT: JSON.stringify(settlement()) };
  const child = spawn(process.execPath, [path.join(folder, script), file, host], { env });
  let output = '';
  let errors = '';
  child.stderr.on('data', (chunk: Buffer) => (errors += chunk.toString()));
  child.stdout.on('data', (chunk: Buffer) => {
    output += chunk.toString();
    onLine(output.split('\n').length - 1, () => child.kill('SIGKILL'));
  });
  return new Promise((resolve) => {
    child.on('close', (code) => resolve({ lines: output.split('\n').filter((line) => line !== ''), code, errors }));
  });
}

beforeAll(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'orch-processes-'));
  writeFileSync(path.join(folder, 'worker.mjs'), worker);
  writeFileSync(path.join(folder, 'packer.mjs'), packer);
});
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

describe('several processes', () => {
  it('make one database together when all start at once', async () => {
    const file = path.join(folder, 'fresh', 'orch.db');
    const ended = await Promise.all(['h1', 'h2', 'h3', 'h4'].map((host) => work(file, host)));
    expect(ended).toEqual(ended.map(() => ({ lines: [], code: 0, errors: '' })));
    const store = await openStore({ database: { file }, clock: testClock(), mode: 'command', readonly: true });
    expect(await store.recentJobs(5)).toEqual([]);
    await store.close();
  });

  it('claim 200 jobs without a duplicate, though one is killed on the way', async () => {
    const file = path.join(folder, 'race', 'orch.db');
    const store = await openStore({ database: { file }, clock: testClock(), mode: 'service' });
    for (let n = 0; n < 200; n += 1) await store.enqueue(adhoc(n));
    let others: Promise<Ended>[] = [];
    const victim = await work(file, 'h0', (count, kill) => {
      if (others.length === 0) others = ['h1', 'h2', 'h3'].map((host) => work(file, host));
      if (count >= 30) kill();
    });
    expect(victim.code).toBeNull();
    const ended = await Promise.all(others);
    expect(ended.map(({ code, errors }) => [code, errors])).toEqual(['h1', 'h2', 'h3'].map(() => [0, '']));
    const orphans = await store.runningJobs('h0');
    expect(orphans.length).toBeLessThanOrEqual(1);
    for (const { lease } of orphans) {
      const taken = present(await store.takeOver(lease, 'h0|boot|2|2', 1000));
      expect(await store.settle(taken.lease, settlement())).toBe('ok');
    }
    expect((await store.queueCounts()).byState).toMatchObject({ done: 200, queued: 0, running: 0 });
    const runs = await store.runs({ limit: 1000 });
    expect(new Set(runs.map((run) => run.jobId)).size).toBe(200);
    expect(runs).toHaveLength(200);
    await store.close();
    const db = new Database(file, { readonly: true });
    expect(db.pragma('integrity_check', { simple: true })).toBe('ok');
    db.close();
  });

  it('pack what has ended, killed in the middle and two at a time, and lose nothing; freed pages are used again', async () => {
    const file = path.join(folder, 'packed', 'orch.db');
    const store = await openStore({ database: { file }, clock: testClock(), mode: 'service' });
    const db = new Database(file, { timeout: 5000 });
    await endedTasks(store, db, 'A', 120);
    const read = (prefix: string): Promise<unknown> =>
      Promise.all(
        Array.from({ length: 120 }, async (_, n) => {
          const id = `${prefix}-${n + 1}` as TaskId;
          const [visits, runs] = [await store.visits(id), await store.runs({ taskId: id, limit: 9 })];
          return [await store.task(id), visits, runs, await store.decisions({ taskId: id, limit: 9 })];
        }),
      );
    const before = { rows: await read('A'), totals: await store.totals() };
    const pack = (kill: number): Promise<Ended> =>
      work(file, 'h1', (count, die) => void (count >= kill && die()), 'packer.mjs');
    const victim = await pack(20);
    expect(victim.code).toBeNull();
    const packed = (): number => db.prepare('SELECT count(*) FROM packed_tasks').pluck().get() as number;
    expect(packed()).toBeGreaterThanOrEqual(20);
    expect(packed()).toBeLessThan(119);
    expect({ rows: await read('A'), totals: await store.totals() }).toEqual(before);
    const ended = await Promise.all([pack(Infinity), pack(Infinity)]);
    expect(ended.map(({ code, errors }) => [code, errors])).toEqual([
      [0, ''],
      [0, ''],
    ]);
    // The last one has the newest rows of all.
    expect(packed()).toBe(119);
    expect(ended.flatMap(({ lines }) => lines)).toHaveLength(new Set(ended.flatMap(({ lines }) => lines)).size);
    expect({ rows: await read('A'), totals: await store.totals() }).toEqual(before);
    const size = (): number => db.pragma('page_count', { simple: true }) as number;
    const full = size();
    await endedTasks(store, db, 'B', 60);
    expect(size()).toBeLessThanOrEqual(full);
    expect(db.pragma('integrity_check', { simple: true })).toBe('ok');
    expect(db.pragma('foreign_key_check')).toEqual([]);
    db.close();
    await store.close();
  });
});

/** Tasks that went to their end, one through the store and the others as copies of its rows. */
async function endedTasks(store: Store, db: Database.Database, prefix: string, count: number): Promise<void> {
  const id = `${prefix}-1` as TaskId;
  await store.addTask(task({ id }), itemMirror());
  const orders = {
    why: 'because',
    sections: [{ title: 'Findings', text: 'The quantities are not added up. '.repeat(100) }],
  };
  const why = { rule: 'test', sentence: 'it follows. '.repeat(100), cause: 'mirror', evidence: { head: 'a' } };
  await commitNow(store, { visit: visit(1), jobs: [newJob({ taskId: id, orders })], why }, id);
  const { lease } = present(await claimOn(store));
  await store.settle(lease, settlement({ outcome: outcome({ tail: 'line\n'.repeat(200) }) }));
  const snapshot = present(await store.load(id));
  await commitNow(store, { task: { ...snapshot.task, visit: 1, stage: 'done' } }, id);
  await store.rest(id, present(await store.load(id)).meta.wakeSeq, null);
  copyTask(db, id, prefix, count - 1);
}
