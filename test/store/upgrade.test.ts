import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import Database from 'better-sqlite3';
import { expect, test } from 'vitest';
import type { TaskId, TaskRow } from '../../src/core/model/index.ts';
import { systemClock } from '../../src/core/platform/clock.ts';
import { openStore } from '../../src/core/store/open.ts';

const fixture = (name: string) =>
  readFileSync(path.resolve(import.meta.dirname, '../fixtures/orch-0.1.0', name), 'utf8');

function shown({ task, liveJob: job, queuedMessages }: TaskRow) {
  return {
    what: task.title,
    stage: task.stage,
    visit: task.visit,
    hold: task.hold?.cause ?? null,
    paused: task.paused,
    counters: task.counters,
    job: job === null ? null : `${job.role} ${job.state}`,
    messages: queuedMessages,
  };
}

test('a database of version 0.1.0 is migrated, whole, and says of every task what it said before', async () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'orch-upgrade-'));
  const file = path.join(folder, 'orch.db');
  const db = new Database(file);
  db.exec(fixture('database.sql'));
  const store = await openStore({ database: { file }, clock: systemClock, mode: 'command' });
  try {
    expect(db.pragma('integrity_check', { simple: true })).toBe('ok');
    expect(db.pragma('foreign_key_check')).toEqual([]);
    const rows = await store.tasks({});
    expect(Object.fromEntries(rows.map((row) => [row.task.id, shown(row)]))).toEqual(JSON.parse(fixture('tasks.json')));
    for (const { task } of rows) {
      const taskId: TaskId = task.id;
      const snapshot = await store.load(taskId);
      expect(snapshot?.task).toEqual(task);
      expect(await store.taskOfItem(task.itemId)).toBe(taskId);
      expect((await store.visits(taskId)).length).toBeGreaterThanOrEqual(Math.min(task.visit, 1));
      expect((await store.decisions({ taskId, limit: 500 })).length).toBe(snapshot?.meta.version);
      expect((await store.runs({ taskId, limit: 500 })).length).toBe(snapshot?.meta.runs);
    }
    // What was summed up by a migration is what the runs say.
    const runs = await store.runs({ limit: 10_000 });
    const said = runs.filter(({ phase }) => phase === 'settled').map(({ outcome }) => outcome?.tokens?.input ?? 0);
    expect((await store.totals()).runs.reduce((sum, { input }) => sum + input, 0)).toBe(
      said.reduce((a, b) => a + b, 0),
    );
    expect(Math.max(...said)).toBeGreaterThan(0);
    const phases = (await store.runningJobs(null)).map(({ run }) => run.phase);
    expect(phases.toSorted()).toEqual([
      ...['preparing', 'preparing', 'preparing', 'publishing', 'publishing', 'publishing'],
      'running',
    ]);
    expect(await store.agentBreaker()).toMatchObject({ state: 'open', reason: 'usage_limit' });
    expect(await store.effectsInFlight()).toHaveLength(1);
    expect((await store.totals()).effects.map(({ state }) => state)).toEqual(['dead', 'done', 'pending']);
  } finally {
    await store.close();
    db.close();
    rmSync(folder, { recursive: true, force: true });
  }
});
