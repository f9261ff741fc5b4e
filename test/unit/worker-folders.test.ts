import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Hold, NewJob, RunId, Stage, Store, TaskId } from '../../src/core/model/index.ts';
import type { Recovery } from '../../src/core/worker/repairs.ts';
import { retain } from '../../src/core/worker/retention.ts';
import { adhoc, commitNow, holdOn, newJob, present, repo, settlement } from '../store/bench.ts';
import { workerWorld, type WorkerWorld } from '../support/worker-world.ts';

let world: WorkerWorld;
beforeEach(async () => {
  world = await workerWorld();
});
afterEach(() => world.remove());

let causes = 0;

/** A settled run with a folder, of a job that ended or that is due again. */
async function settledRun(job: NewJob, next: 'done' | 'again' = 'done'): Promise<RunId> {
  const { store, deps } = { store: world.store, deps: world.deps() };
  await store.enqueue({ ...job, cause: `cause:${(causes += 1)}` });
  const { host, owner } = deps;
  const claim = present(await store.claim({ host, owner, leaseMs: 60_000, maxConcurrency: 10 }));
  const folder = path.join(deps.runsDir, claim.run.id);
  mkdirSync(folder, { recursive: true });
  await store.patchRun(claim.lease, { folder });
  await store.settle(
    claim.lease,
    settlement({
      next:
        next === 'done'
          ? { kind: 'done' }
          : { kind: 'again', availableAt: store.now() + 600_000, spend: 'nothing', error: '' },
    }),
  );
  return claim.run.id;
}

const jobOf = (taskId: TaskId): NewJob => newJob({ taskId, branch: `feature/${taskId}` });
const here = (id: RunId): boolean => existsSync(path.join(world.deps().runsDir, id));
const repaired = (over: object = { runRetentionMs: 0 }): Promise<Recovery> =>
  retain({ ...world.deps(), ...over }, { dryRun: false, when: 'now' });

async function become(id: TaskId, stage: Stage, hold: Hold | null = null): Promise<void> {
  const { task } = present(await world.store.task(id));
  await commitNow(world.store, { task: { ...task, stage, hold } }, id);
}

describe('run folders', () => {
  it('of finished tasks are removed after the retention, never before it', async () => {
    const task = await world.addTask(12);
    const runs = [await settledRun(jobOf(task)), await settledRun(jobOf(task)), await settledRun(adhoc(1))];
    await become(task, 'done');
    expect((await repaired({})).found).toEqual([]);
    expect(runs.map(here)).toEqual([true, true, true]);
    const dry = await retain({ ...world.deps(), runRetentionMs: 0 }, { dryRun: true, when: 'now' });
    expect(dry).toMatchObject({ found: ['run folders older than 0 days that nothing needs: 3'], fixed: [] });
    expect(runs.map(here)).toEqual([true, true, true]);
    expect((await repaired()).fixed).toEqual(['run folders older than 0 days removed: 3']);
    expect(runs.map(here)).toEqual([false, false, false]);
    expect((await repaired()).found).toEqual([]);
  });

  it('of an open task stay where they are its newest, or hold a patch that was not published', async () => {
    const task = await world.addTask(12);
    const [first, patched, newest] = [
      await settledRun(jobOf(task)),
      await settledRun(jobOf(task)),
      await settledRun(jobOf(task)),
    ];
    writeFileSync(path.join(world.deps().runsDir, patched, 'out-of-scope.patch'), 'diff');
    await repaired();
    expect([first, patched, newest].map(here)).toEqual([false, true, true]);
    await become(task, 'done');
    await repaired();
    expect([patched, newest].map(here)).toEqual([false, false]);
  });

  it('of a task on hold all stay', async () => {
    const task = await world.addTask(12);
    const runs = [await settledRun(jobOf(task)), await settledRun(jobOf(task))];
    await become(task, 'development', holdOn('attempts_used'));
    expect((await repaired()).found).toEqual([]);
    expect(runs.map(here)).toEqual([true, true]);
  });

  it('of a job that goes on, and of a run that is not settled, stay', async () => {
    const again = await settledRun(adhoc(1), 'again');
    await world.store.enqueue(adhoc(2));
    const { host, owner, runsDir } = world.deps();
    const claim = present(await world.store.claim({ host, owner, leaseMs: 60_000, maxConcurrency: 10 }));
    mkdirSync(path.join(runsDir, claim.run.id));
    expect((await repaired()).fixed).toEqual([]);
    expect([again, claim.run.id].map(here)).toEqual([true, true]);
  });

  it('are asked for with one query, however many there are', async () => {
    const asked: string[] = [];
    const counted = new Proxy(world.store, {
      get: (store, name, receiver) => {
        if (name === 'run' || name === 'runEnds') asked.push(name);
        return Reflect.get(store, name, receiver) as Store[keyof Store];
      },
    });
    const known = await settledRun(adhoc(1));
    for (let n = 5000; n < 5050; n += 1) mkdirSync(path.join(world.deps().runsDir, String(n)));
    const { needsPerson } = await repaired({ store: counted });
    expect(needsPerson).toHaveLength(50);
    expect(needsPerson[0]).toMatch(/5000 belongs to no run of this database/);
    expect(asked).toEqual(['runEnds']);
    expect(here(known)).toBe(true);
  });
});

describe('tasks that ended long ago', () => {
  const ended = { workspaceRetentionMs: -1, runRetentionMs: -1, taskRetentionMs: -1 };

  async function atEnd(id: TaskId): Promise<void> {
    await settledRun(jobOf(id));
    await become(id, 'done');
    const { meta } = present(await world.store.load(id));
    await world.store.rest(id, meta.wakeSeq, null);
  }

  /** The newest rows of each table, which are never packed. */
  async function younger(): Promise<void> {
    const id = await world.addTask(99);
    await settledRun(jobOf(id));
    await become(id, 'development');
  }

  it('are packed once their workspace is gone; an open one, and one with work that is not pushed, are not', async () => {
    const [old, open, unpushed] = [await world.addTask(12), await world.addTask(13), await world.addTask(14)];
    await atEnd(old);
    await atEnd(unpushed);
    await settledRun(jobOf(open));
    await younger();
    const { workspaces } = world.git;
    mkdirSync(workspaces.pathOf(repo, `feature/${unpushed}-basket`), { recursive: true });
    writeFileSync(path.join(workspaces.pathOf(repo, `feature/${unpushed}-basket`), 'work.txt'), 'not on the server');
    const dry = await retain({ ...world.deps(), ...ended }, { dryRun: true, when: 'now' });
    expect(dry.fixed).toEqual([]);
    expect(await world.store.load(old)).not.toBeNull();
    const { fixed, needsPerson } = await repaired(ended);
    expect(fixed).toContain('tasks that ended more than 0 days ago packed: 1');
    expect(needsPerson).toEqual([expect.stringMatching(/^ET-014 is done, but .* holds work/)]);
    expect(await Promise.all([old, open, unpushed].map(async (id) => (await world.store.load(id)) === null))).toEqual([
      true,
      false,
      false,
    ]);
    expect(await world.store.runs({ taskId: old, limit: 9 })).toHaveLength(1);
    expect(await world.store.decisions({ taskId: old, limit: 9 })).toHaveLength(1);
  });

  it('a folder of a packed run is known, and removed', async () => {
    const old = await world.addTask(12);
    await atEnd(old);
    await younger();
    const [run] = await world.store.runs({ taskId: old, limit: 1 });
    const { needsPerson } = await repaired({ ...ended, runRetentionMs: 86_400_000 });
    expect(await world.store.load(old)).toBeNull();
    expect([here(present(run).id), needsPerson]).toEqual([true, []]);
    await repaired(ended);
    expect(here(present(run).id)).toBe(false);
  });

  it('are looked for once a day, a part at a time until all is done', async () => {
    for (const n of [12, 13]) await atEnd(await world.addTask(n));
    await younger();
    const due = (monotonic: () => number): Promise<Recovery> =>
      retain({ ...world.deps(), ...ended, monotonic }, { dryRun: false, when: 'due' });
    let at = 0;
    // Every look at the clock takes longer than a part may: one task at a time.
    const slow = (): number => (at += 1_500);
    expect((await due(slow)).fixed).toContain('tasks that ended more than 0 days ago packed: 1');
    expect((await due(slow)).fixed).toContain('tasks that ended more than 0 days ago packed: 1');
    expect((await due(() => 0)).found).toEqual([]);
    await atEnd(await world.addTask(14));
    await become('ET-099' as TaskId, 'development');
    await settledRun(adhoc(2));
    expect(await due(() => 0)).toEqual({ found: [], fixed: [], left: [], needsPerson: [] });
    expect((await repaired(ended)).fixed).toContain('tasks that ended more than 0 days ago packed: 1');
  });
});
