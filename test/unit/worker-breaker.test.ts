import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { AgentBreaker, TaskId } from '../../src/core/model/index.ts';
import { createWorker } from '../../src/core/worker/worker.ts';
import { until } from '../support/until.ts';
import { failing, livingOwner, workerWorld, type WorkerWorld } from '../support/worker-world.ts';

let world: WorkerWorld;
let task: TaskId;
beforeEach(async () => {
  world = await workerWorld();
  task = await world.addTask(12);
});
afterEach(() => world.remove());

const events = (): string[] =>
  world.notices.map((notice) => notice.body.event).filter((event) => event !== 'agent_started');
const never = { backoff: { baseMs: 0, maxMs: 0 } };

async function setBreaker(change: Partial<AgentBreaker>): Promise<void> {
  expect(await world.store.setAgentBreaker({ ...(await world.store.agentBreaker()), ...change })).toBe('ok');
}

describe('circuit breaker of a worker', () => {
  it('opens at the third transient failure in a row; jobs wait unspent, and people hear of it once', async () => {
    world.agent(failing.transient ?? '');
    const job = await world.addJob(task);
    const worker = createWorker(world.deps({ config: never }));
    expect(await worker.runUntilEmpty()).toBe(3);
    expect(await world.store.agentBreaker()).toMatchObject({ state: 'open', reason: 'transient', failures: 3 });
    expect(await world.job(job)).toMatchObject({ state: 'queued', transient: 3, attempts: 0 });
    expect(await worker.runOnce()).toBe('idle');
    expect(events()).toEqual(['agents_paused']);
  });

  it('lets one probe through after the pause, and closes when it is good', async () => {
    const other = await world.addTask(13);
    const job = await world.addJob(task);
    await world.addJob(other);
    await setBreaker({ state: 'open', reason: 'transient', failures: 3, until: Date.now() - 1 });
    // While the probe works nobody else is let in, although there are slots.
    world.agent('sleep 0.5');
    const worker = createWorker(world.deps({ config: { maxConcurrency: 4 } }));
    const running = worker.runUntilEmpty();
    await until('the probe', async () => (await world.runsOf(job))[0]?.phase === 'running');
    const [run] = await world.runsOf(job);
    expect(await world.store.agentBreaker()).toMatchObject({ state: 'half_open', probe: run?.id });
    const second = createWorker(world.deps({ owner: livingOwner(), config: { maxConcurrency: 4 } }));
    expect(await second.runOnce()).toBe('idle');
    expect(await running).toBe(2);
    expect(await world.store.agentBreaker()).toMatchObject({ state: 'closed', failures: 0 });
    expect(events()).toEqual(['agents_resumed']);
  });

  it('opens again after a bad probe', async () => {
    world.agent(failing.transient ?? '');
    await world.addJob(task);
    await setBreaker({ state: 'open', reason: 'transient', failures: 3, until: Date.now() - 1 });
    expect(await createWorker(world.deps({ config: never })).runUntilEmpty()).toBe(1);
    const breaker = await world.store.agentBreaker();
    expect(breaker).toMatchObject({ state: 'open', probe: null });
    expect(breaker.until).toBeGreaterThan(Date.now() + 200_000);
    expect(events()).toEqual([]);
  });

  it('does not reserve a probe that nothing is queued for', async () => {
    await setBreaker({ state: 'open', reason: 'transient', until: Date.now() - 1 });
    const before = await world.store.agentBreaker();
    expect(await createWorker(world.deps()).runOnce()).toBe('idle');
    expect(await world.store.agentBreaker()).toEqual(before);
  });

  it('gives the probe back when it could not be started', async () => {
    await world.addJob(task, { branch: 'feature/gone', maxAttempts: 1 });
    await setBreaker({ state: 'open', reason: 'transient', until: Date.now() - 1 });
    expect(await createWorker(world.deps()).runOnce()).toBe('ran');
    const breaker = await world.store.agentBreaker();
    expect(breaker).toMatchObject({ state: 'open', probe: null });
    expect(breaker.until).toBeGreaterThan(Date.now());
    expect(await world.finished(task)).toMatchObject({ outcome: { kind: 'own_fault' } });
  });

  it('stays open without a login, and closes by itself once the login check says yes', async () => {
    await world.addJob(task);
    await setBreaker({ state: 'open', reason: 'authentication', until: null });
    let loggedIn = false;
    const launcher = { ...world.deps().launcher, loggedIn: () => Promise.resolve(loggedIn) };
    expect(await createWorker(world.deps({ launcher })).runOnce()).toBe('idle');
    expect((await world.store.agentBreaker()).state).toBe('open');
    loggedIn = true;
    expect(await createWorker(world.deps({ launcher })).runOnce()).toBe('ran');
    expect((await world.store.agentBreaker()).state).toBe('closed');
    expect(events()).toEqual(['agents_resumed']);
  });

  it('is not moved by a check, which asks no service', async () => {
    await world.addJob(task, { kind: 'check', cause: 'check:t', command: ['sh', '-c', 'echo 529 overloaded; exit 1'] });
    await setBreaker({ failures: 2 });
    await createWorker(world.deps()).runOnce();
    expect(await world.store.agentBreaker()).toMatchObject({ state: 'closed', failures: 2 });
  });

  it('is not moved by git trouble before the agent started', async () => {
    await setBreaker({ failures: 2 });
    const job = await world.addJob(task);
    world.git.down();
    await createWorker(world.deps()).runOnce();
    expect(await world.job(job)).toMatchObject({ state: 'delayed', transient: 0, attempts: 0 });
    expect(await world.store.agentBreaker()).toMatchObject({ state: 'closed', failures: 2 });
  });
});
