import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import Database from 'better-sqlite3';
import { expect, test } from 'vitest';
import { connect } from '../../src/core/store/sqlite/connection.ts';
import { migrations, newestSchema } from '../../src/core/store/sqlite/migrate.ts';
import { openStore } from '../../src/core/store/open.ts';
import { createStore } from '../../src/core/store/store.ts';
import { claimOn, itemMirror, newJob, present, settlement, task, taskId, testClock } from './bench.ts';

/** How SQLite carries a statement out; parameters are left empty. */
function plan(db: Database.Database, text: string): string[] {
  const names = Object.fromEntries([...text.matchAll(/@(\w+)/g)].map(([, name]) => [name, null]));
  const places = [...text.matchAll(/\?/g)].map(() => null);
  const rows = db.prepare(`EXPLAIN QUERY PLAN ${text}`).all(...(places.length > 0 ? places : [names]));
  return (rows as { detail: string }[]).map((row) => row.detail);
}

test('nothing that is asked all day long reads a table from end to end, however many jobs and runs have finished', async () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'orch-plans-'));
  const file = path.join(folder, 'orch.db');
  const clock = testClock();
  await (await openStore({ database: { file }, clock, mode: 'command' })).close();
  const db = new Database(file);
  const texts = new Set<string>();
  const prepare = db.prepare.bind(db);
  db.prepare = ((text: string) => (texts.add(text), prepare(text))) as typeof db.prepare;
  const store = createStore(connect(db, file, 1000, newestSchema(migrations())), clock);

  await store.addTask(task(), itemMirror());
  await store.enqueue(newJob());
  await store.hasDueJob();
  const claim = present(await claimOn(store));
  await store.renew(claim.lease, 1000);
  await store.patchRun(claim.lease, { phase: 'running' });
  await store.runningJobs('h1');
  const taken = present(await store.takeOver(claim.lease, 'h1|boot|2|2', 1000));
  await store.settle(taken.lease, settlement());
  await store.dueTasks(10);
  await store.load(taskId);
  await store.claimEffect('me', 1000);

  expect(texts.size).toBeGreaterThan(25);
  db.prepare = prepare;
  const whole = [...texts].filter((text) => plan(db, text).some((step) => /^SCAN (\w+)( AS \w+)?$/.test(step)));
  expect(whole).toEqual([]);
  await store.close();
  rmSync(folder, { recursive: true });
});
