import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import Database from 'better-sqlite3';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openStore } from '../../src/core/store/open.ts';
import { builtPart } from '../support/build.ts';
import { adhoc, present, settlement, testClock } from './bench.ts';

let folder: string;

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
): Promise<Ended> {
  const env = { ...process.env, SETTLEMENT: JSON.stringify(settlement()) };
  const child = spawn(process.execPath, [path.join(folder, 'worker.mjs'), file, host], { env });
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
});
