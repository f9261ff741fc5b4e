import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { TaskId } from '../../src/core/model/index.ts';
import { createWorker } from '../../src/core/worker/worker.ts';
import { workerWorld, type WorkerWorld } from '../support/worker-world.ts';

let world: WorkerWorld;
let task: TaskId;
beforeEach(async () => {
  world = await workerWorld('claude');
  task = await world.addTask(12);
});
afterEach(() => world.remove());

const prints = (...events: Record<string, unknown>[]): string =>
  events.map((event) => `cat <<'EOF'\n${JSON.stringify(event)}\nEOF`).join('\n');

const result = { type: 'result', subtype: 'success', is_error: false, result: 'done', num_turns: 1, session_id: 's-1' };

describe('numbers of an agent', () => {
  it.each([
    ['a cost of 1e300', { ...result, total_cost_usd: 1e300 }],
    ['a cost below zero', { ...result, total_cost_usd: -5 }],
    ['turns and tokens without bounds', { ...result, num_turns: 1e300, usage: { input_tokens: 1e300 } }],
  ])('%s settles like any other, and the slot is free', async (_name, event) => {
    world.agent(prints(event));
    const job = await world.addJob(task);
    expect(await createWorker(world.deps()).runOnce()).toBe('ran');
    expect((await world.job(job)).state).toBe('done');
    expect(await world.store.runningJobs(null)).toEqual([]);
  });

  it.each([1_700_003_600.123, 1e20, 4_102_444_800])(
    'a limit that resets at %d pauses for minutes',
    async (resetsAt) => {
      const failed = { ...result, is_error: true, result: 'no', api_error_status: 429 };
      const limit = { type: 'rate_limit_event', rate_limit_info: { status: 'rejected', resetsAt, rateLimitType: 'x' } };
      world.agent(prints(limit, failed));
      const job = await world.addJob(task);
      expect(await createWorker(world.deps()).runOnce()).toBe('ran');
      expect(['queued', 'delayed']).toContain((await world.job(job)).state);
      expect((await world.job(job)).availableAt).toBeLessThan(Date.now() + 600_000);
      expect((await world.store.agentBreaker()).until).toBeLessThan(Date.now() + 600_000);
    },
  );
});

describe('a settlement that fails', () => {
  it('ends the run as its own fault, and the slot is free', async () => {
    world.agent(prints({ ...result, total_cost_usd: 1 }));
    const job = await world.addJob(task, { maxAttempts: 1 });
    const { store } = world;
    let failures = 0;
    const broken = Object.assign(Object.create(store) as typeof store, {
      settle: (...[lease, settlement]: Parameters<typeof store.settle>) => {
        if (settlement.outcome.cause === 'not_settled') return store.settle(lease, settlement);
        failures++;
        return Promise.reject(new Error('cannot store REAL value in INTEGER column'));
      },
    });
    expect(await createWorker(world.deps({ store: broken })).runOnce()).toBe('ran');
    expect(failures).toBe(3);
    expect(await world.job(job)).toMatchObject({
      state: 'failed',
      lastError: 'not_settled: it could not be brought to its end: cannot store REAL value in INTEGER column',
    });
    expect(await world.store.runningJobs(null)).toEqual([]);
    expect((await world.finished(task))?.exhausted).toBe('attempts');
  });
});
