import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Hold, NewJob, RunId, Stage, Store, TaskId } from '../../src/core/model/index.ts';
import { recover, type Recovery } from '../../src/core/worker/repairs.ts';
import { adhoc, commitNow, holdOn, newJob, present, settlement } from '../store/bench.ts';
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
  recover({ ...world.deps(), ...over }, { dryRun: false });

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
    const dry = await recover({ ...world.deps(), runRetentionMs: 0 }, { dryRun: true });
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
