import { afterEach, beforeEach, expect, it } from 'vitest';
import { writeFileSync } from 'node:fs';
import type { Store, TaskId } from '../../src/core/model/index.ts';
import { systemClock } from '../../src/core/platform/clock.ts';
import { openStore } from '../../src/core/store/open.ts';
import { createWorker } from '../../src/core/worker/worker.ts';
import { movedClock, startCoding } from '../support/coding.ts';
import { until } from '../support/until.ts';
import { deadOwner, workerWorld, type WorkerWorld } from '../support/worker-world.ts';

const hour = 3_600_000;
const leaseMs = 60_000;
const host = 'test-host';

let world: WorkerWorld;
let store: Store;
/** The wall clock, and the one that no change touches; both stop unless they are moved. */
const time = { wall: 0, steady: 0 };
const pass = (ms: number): void => {
  time.wall += ms;
  time.steady += ms;
};

beforeEach(async () => {
  Object.assign(time, { wall: Date.now(), steady: 5_000 });
  world = await workerWorld();
  const clock = { now: () => time.wall, sleep: systemClock.sleep };
  store = await openStore({ database: { file: world.path('state/orch.db') }, clock, mode: 'service' });
});
afterEach(async () => {
  await store.close();
  await world.remove();
});

/** The store, with the names of the methods that were called, oldest first. */
function listened(calls: string[]): Store {
  return new Proxy(store, {
    get: (target, name, receiver) => {
      const value: unknown = Reflect.get(target, name, receiver);
      if (typeof value !== 'function') return value;
      return (...given: unknown[]): unknown => {
        calls.push(String(name));
        return Reflect.apply(value, target, given);
      };
    },
  });
}

async function leaseEnd(task: TaskId): Promise<number> {
  const found = (await store.runningJobs(host)).find(({ job }) => job.taskId === task);
  return found?.leaseExpiresAt ?? 0;
}

/** A running clock cannot tell a jump ahead from a machine that slept; the rule is one. */
it.each([
  ['an hour ahead, or a machine that slept', hour],
  ['an hour back', -hour],
])(
  'the clock jumps %s: own leases first, nobody else is judged for one lease period, nothing is early or left',
  async (_what, jump) => {
    const [mine, lost, later] = [await world.addTask(1), await world.addTask(2), await world.addTask(3)];
    world.agent(`while [ ! -e ${world.path('go')} ]; do sleep 0.05; done`);
    const job = await world.addJob(mine);
    const calls: string[] = [];
    const stop = new AbortController();
    // Only the rule renews: no heartbeat comes by itself.
    const config = { leaseMs, heartbeatMs: 10 * hour, pollIntervalMs: 20 };
    const deps = world.deps({ store: listened(calls), monotonic: () => time.steady, config });
    const serving = createWorker(deps).serve(stop.signal);
    await until('the agent', async () => (await world.runsOf(job))[0]?.phase === 'running');
    // A run of a dead worker, and a job that is not due for two hours.
    const orphan = await world.addJob(lost);
    const dead = await store.claim({ host, owner: deadOwner(), leaseMs, maxConcurrency: 9 });
    expect(dead?.job.id).toBe(orphan);
    const delayed = await world.addJob(later, { availableAt: time.wall + 2 * hour });

    calls.length = 0;
    time.wall += jump;
    time.steady += 6_000;
    await until('the renewal', async () => (await leaseEnd(mine)) === time.wall + leaseMs);
    expect(calls.find((name) => ['renew', 'takeOver', 'claim', 'hasDueJob'].includes(name))).toBe('renew');

    const turns = (): number => calls.filter((name) => name === 'hasDueJob').length;
    const someTurns = async (): Promise<void> => {
      const before = turns();
      await until('some turns', () => turns() >= before + 5);
    };
    pass(leaseMs - 1);
    await someTurns();
    expect(calls).not.toContain('takeOver');
    expect((await world.job(orphan)).leaseOwner).toBe(dead?.lease.owner);
    expect((await world.job(delayed)).state).toBe('delayed');

    // One lease period later the living have renewed theirs, and the dead are dead.
    pass(1);
    await until('the adoption', () => calls.includes('takeOver'));
    writeFileSync(world.path('go'), '');
    const ended = async (id: typeof job): Promise<boolean> => (await world.job(id)).state === 'done';
    await until('both jobs', async () => (await ended(job)) && (await ended(orphan)));
    expect(await world.runsOf(delayed)).toEqual([]);
    // Two hours are two hours: a clock that was set back makes nothing wait longer.
    pass(2 * hour);
    await until('the delayed job', () => ended(delayed));
    expect([await world.runsOf(job), await world.runsOf(delayed)].map((runs) => runs.length)).toEqual([1, 1]);
    stop.abort();
    await serving;
  },
);

it('a line whose clock jumps an hour ahead and back with every tick comes to its end, each step once', async () => {
  const appClock = movedClock();
  const coding = await startCoding({ stages: ['development', 'review', 'testing'], ci: () => 'success', appClock });
  try {
    let ahead = false;
    await coding.reach('the end', (row) => {
      appClock.skip(ahead ? -hour : hour);
      ahead = !ahead;
      return row.task.stage === 'done';
    });
    expect(['developer', 'reviewer', 'tester'].map((role) => coding.calls(role).length)).toEqual([1, 1, 1]);
    expect(coding.line.world.repo.pulls).toHaveLength(1);
    const keys = coding.line.world.plane.state.comments.map((row) => row.externalId).filter((key) => key !== null);
    expect(new Set(keys).size).toBe(keys.length);
  } finally {
    await coding.line.close();
  }
});
