import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import Database from 'better-sqlite3';
import { expect, test } from 'vitest';
import { connect } from '../../src/core/store/sqlite/connection.ts';
import { migrations, newestSchema } from '../../src/core/store/sqlite/migrate.ts';
import { openStore } from '../../src/core/store/open.ts';
import { createStore } from '../../src/core/store/store.ts';
import type { Config } from '../../src/core/config/config.ts';
import { readMetrics } from '../../src/commands/metrics/metrics-text.ts';
import { readAlive } from '../../src/commands/shared/alive.ts';
import { readOverview } from '../../src/commands/shared/overview.ts';
import { readQueue } from '../../src/commands/status/status-queue.ts';
import {
  claimOn,
  comment,
  commitNow,
  itemMirror,
  lead,
  message,
  newJob,
  present,
  projectId,
  repo,
  settlement,
  stateEffect,
  task,
  taskId,
  testClock,
} from './bench.ts';

/** How SQLite carries a statement out; parameters are left empty. */
function plan(db: Database.Database, text: string): string[] {
  const names = Object.fromEntries([...text.matchAll(/@(\w+)/g)].map(([, name]) => [name, null]));
  const places = [...text.matchAll(/\?/g)].map(() => null);
  const rows = db.prepare(`EXPLAIN QUERY PLAN ${text}`).all(...(places.length > 0 ? places : [names]));
  return (rows as { detail: string }[]).map((row) => row.detail);
}

/** Indexes that hold open rows only: a scan of one of them does not grow with what has finished. */
const openOnly =
  /USING (COVERING )?INDEX (tasks_(active|awake|timer)|messages_queued|jobs_(live|branch|ready|delayed)|runs_open|outbox_(sender|lane|order|dead))/;
/** Tables that have a row for each process, lease, project or kind of end. */
const small = /^SCAN (finished|leases|processes|projects)$/;
/** The newest rows of a table in the order of its key: read as far as the limit. */
const newest = /^SELECT \* FROM \w+ +ORDER BY id DESC LIMIT @limit$/;

/** Steps that read more, the more has finished. */
function growing(db: Database.Database, text: string): string[] {
  if (newest.test(text)) return [];
  return plan(db, text)
    .filter((step) => step.startsWith('SCAN') && !openOnly.test(step) && !small.test(step))
    .filter((step) => !/CONSTANT|SUBQUERY|^SCAN json_each|^SCAN \w+ VIRTUAL/.test(step))
    .map((step) => `${step}: ${text}`);
}

test('ticks, claims, status, metrics, why and the start of a worker read nothing that has finished', async () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'orch-plans-'));
  const file = path.join(folder, 'orch.db');
  const clock = testClock();
  await (await openStore({ database: { file }, clock, mode: 'command' })).close();
  const db = new Database(file);
  const texts = new Set<string>();
  const prepare = db.prepare.bind(db);
  db.prepare = ((text: string) => (texts.add(text), prepare(text))) as typeof db.prepare;
  const store = createStore(connect(db, file, 1000, newestSchema(migrations())), clock);

  // A tick.
  const lease = await lead(store);
  await store.effectsInFlight();
  await store.asleep();
  await store.runs({ limit: 200 });
  await store.project(projectId);
  await store.addTask(task(), itemMirror());
  await store.tasks({ active: true, projectId });
  await store.observe({
    leader: lease,
    project: null,
    newTasks: [],
    mirrors: [{ taskId, mirror: itemMirror({ name: 'Another title' }) }],
    messages: [message('command:1')],
  });
  await store.dueTasks(10);
  await store.dueTasks(10, [projectId]);
  await store.load(taskId);
  await commitNow(store, { jobs: [newJob()], effects: [comment('c1'), stateEffect('s1')] });
  const sent = present(await store.claimEffect('me', 1000));
  await store.settleEffect(sent.effect.id, sent.token, { kind: 'dead', error: 'refused' });
  await store.rest(taskId, 0, null);
  await store.processes();
  await store.heartbeat({
    name: 'poller',
    owner: 'p',
    kind: 'poller',
    detail: { behind: [], problems: [], outages: [] },
  });
  // A run.
  await store.hasDueJob();
  await store.recentJobs(200);
  const claim = present(await claimOn(store));
  await store.renew(claim.lease, 1000);
  await store.patchRun(claim.lease, { phase: 'running' });
  await store.runs({ repo, branch: claim.job.branch, limit: 200 });
  await store.runningJobs('h1');
  await store.run(claim.run.id);
  await store.job(claim.job.id);
  await store.agentBreaker();
  const taken = present(await store.takeOver(claim.lease, 'h1|boot|2|2', 1000));
  await store.settle(taken.lease, settlement());
  // What people and scripts ask for all day.
  const config = { projects: [{ projectId, name: 'Shop' }], worker: { maxConcurrency: 1, leaseMs: 1000 } } as Config;
  await readOverview(store, config, false);
  await readQueue(store, config);
  await readMetrics(store, await readAlive(store, 1000, []), '1');
  await store.task(taskId);
  await store.taskOfItem(task().itemId);
  await store.visits(taskId);
  await store.runs({ taskId, limit: 10 });
  await store.decisions({ taskId, limit: 10 });
  await store.decisions({ limit: 10 });
  await store.reviveEffects(taskId);
  await store.post(message('command:2'));

  expect(texts.size).toBeGreaterThan(60);
  db.prepare = prepare;
  expect([...texts].flatMap((text) => growing(db, text))).toEqual([]);
  await store.close();
  rmSync(folder, { recursive: true });
});
