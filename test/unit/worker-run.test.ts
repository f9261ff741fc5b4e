import { writeFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { RepoSlug, TaskId } from '../../src/core/model/index.ts';
import { createWorker } from '../../src/core/worker/worker.ts';
import { cancelJob } from '../store/bench.ts';
import { until } from '../support/until.ts';
import { branchOf, failing, workerWorld, type WorkerWorld } from '../support/worker-world.ts';
import { projectId } from '../store/bench.ts';

let world: WorkerWorld;
let task: TaskId;
beforeEach(async () => {
  world = await workerWorld();
  task = await world.addTask(12);
});
afterEach(() => world.remove());

/** Shell text that ends once the test lets it. */
const waitFor = (name: string): string => `while [ ! -e ${world.path(name)} ]; do sleep 0.05; done`;
const go = (): void => writeFileSync(world.path('go'), '');

describe('one run', () => {
  it('publishes what the agent made, with trailers, and tells the task', async () => {
    world.agent('echo code > basket.txt');
    const job = await world.addJob(task);
    expect(await createWorker(world.deps()).runOnce()).toBe('ran');
    const [run] = await world.runsOf(job);
    expect(await world.git.message(branchOf(task))).toBe(
      `feat(ET-012): developer, run ${run?.id}\n\nOrch-Task: ET-012\nOrch-Run: ${run?.id}\nOrch-Item: item-ET-012\nOrch-Database: 0123abcd`,
    );
    const message = await world.finished(task);
    expect(message).toMatchObject({
      outcome: { kind: 'success' },
      exhausted: null,
      unpushed: false,
      role: 'developer',
    });
    expect(message?.published).toEqual({ sha: world.git.head(branchOf(task)), committed: true, outOfScope: [] });
    expect(run).toMatchObject({ phase: 'settled', publishedSha: world.git.head(branchOf(task)) });
    expect((await world.job(job)).state).toBe('done');
    expect(world.woken).toEqual([task]);
  });

  it('is idle without a due job', async () => {
    expect(await createWorker(world.deps()).runOnce()).toBe('idle');
    await world.addJob(task, { availableAt: Date.now() + 3_600_000 });
    expect(await createWorker(world.deps()).runOnce()).toBe('idle');
  });

  it('names the head and pushes nothing when the agent changed nothing', async () => {
    const before = world.git.head(branchOf(task));
    await world.addJob(task);
    await createWorker(world.deps()).runOnce();
    expect((await world.finished(task))?.published).toEqual({ sha: before, committed: false, outOfScope: [] });
    expect(world.git.head(branchOf(task))).toBe(before);
  });

  it('writes documents of other roles as docs', async () => {
    world.agent('mkdir -p docs/work-items/ET-012 && echo text > docs/work-items/ET-012/note.md');
    await world.addJob(task, { role: 'analyst' });
    await createWorker(world.deps()).runOnce();
    expect(await world.git.message(branchOf(task))).toMatch(/^docs\(ET-012\): analyst, run /);
  });

  it('repeats an own fault at once, then gives up, and keeps what is not pushed', async () => {
    world.agent(`echo half >> half.txt; ${failing.own_fault}`);
    const before = world.git.head(branchOf(task));
    const job = await world.addJob(task);
    const worker = createWorker(world.deps());
    expect(await worker.runOnce()).toBe('ran');
    expect(await world.job(job)).toMatchObject({ state: 'queued', attempts: 1, transient: 0 });
    expect(await world.finished(task)).toBeNull();
    expect(await worker.runOnce()).toBe('ran');
    expect(await world.finished(task)).toMatchObject({ exhausted: 'attempts', unpushed: true, published: null });
    expect((await world.job(job)).state).toBe('failed');
    expect(world.git.head(branchOf(task))).toBe(before);
    expect(await worker.runOnce()).toBe('idle');
  });

  it('publishes what a failed attempt left once the next one succeeds', async () => {
    world.agent(`if [ -e half.txt ]; then exit 0; fi; echo half > half.txt; exit 1`);
    await world.addJob(task);
    expect(await createWorker(world.deps()).runUntilEmpty()).toBe(2);
    expect((await world.finished(task))?.published?.committed).toBe(true);
  });

  it('delays a transient failure without spending an attempt', async () => {
    world.agent(failing.transient ?? '');
    const job = await world.addJob(task);
    await createWorker(world.deps({ config: { backoff: { baseMs: 60_000, maxMs: 600_000 } } })).runOnce();
    const after = await world.job(job);
    expect(after).toMatchObject({ state: 'delayed', attempts: 0, transient: 1 });
    expect(after.availableAt).toBeGreaterThan(Date.now() + 100_000);
  });

  it('fails a run that cannot be prepared, and the slot is free for the next', async () => {
    const other = await world.addTask(13);
    await world.addJob(task, { repo: 'acme/missing' as RepoSlug, maxTransient: 0 });
    await world.addJob(other);
    expect(await createWorker(world.deps()).runUntilEmpty()).toBe(2);
    expect(await world.finished(task)).toMatchObject({
      exhausted: 'transient',
      outcome: { kind: 'transient', cause: 'git_repo_missing', costMicros: 0 },
    });
    expect(await world.finished(other)).toMatchObject({ exhausted: null, outcome: { kind: 'success' } });
  });

  it('judges a check by its exit status and publishes nothing of it', async () => {
    const before = world.git.head(branchOf(task));
    const job = await world.addJob(task, {
      kind: 'check',
      cause: 'check:tree',
      command: ['sh', '-c', 'echo no > left; exit 3'],
    });
    await createWorker(world.deps()).runOnce();
    expect(await world.finished(task)).toMatchObject({
      jobKind: 'check',
      published: null,
      unpushed: false,
      outcome: { exitCode: 3 },
    });
    expect((await world.job(job)).state).toBe('failed');
    expect((await world.store.load(task))?.checks).toMatchObject([{ codeTree: 'tree', passed: false }]);
    expect(world.git.head(branchOf(task))).toBe(before);
  });

  it('runs an ad-hoc job and publishes it to its branch', async () => {
    world.agent('echo x > x.txt');
    const { job } = await world.store.enqueue({
      ...{ kind: 'adhoc', role: 'developer', taskId: null, projectId, cause: 'adhoc:1' },
      ...{
        repo: 'acme/shop' as RepoSlug,
        branch: branchOf(task),
        visit: 0,
        orders: { why: 'asked', sections: [] },
        command: null,
        timeoutMs: null,
      },
      ...{ maxAttempts: 2, maxTransient: 5, maxInterruptions: 3, runCap: null, costCapMicros: null, availableAt: null },
    });
    await createWorker(world.deps()).runOnce();
    expect((await world.job(job.id)).state).toBe('done');
    expect(await world.git.message(branchOf(task))).toMatch(
      /^feat: developer, run \d+\n\nOrch-Run: \d+\nOrch-Database: 0123abcd$/,
    );
  });

  it('starts nothing while the agent is not installed', async () => {
    world.installed(false);
    const job = await world.addJob(task);
    const worker = createWorker(world.deps());
    expect(await worker.runOnce()).toBe('idle');
    expect(await world.job(job)).toMatchObject({ state: 'queued', attempts: 0 });
    world.installed(true);
    expect(await worker.runOnce()).toBe('ran');
  });
});

describe('stopping a run', () => {
  it('ends the agent of a cancelled job and says so, without publishing', async () => {
    world.agent('echo half > half.txt; sleep 600');
    const before = world.git.head(branchOf(task));
    const job = await world.addJob(task);
    // A slow heartbeat: the request is noticed by the database's change, not by the next renewal.
    const running = createWorker(world.deps({ config: { heartbeatMs: 60_000 } })).runOnce();
    await until('the agent', async () => (await world.runsOf(job))[0]?.phase === 'running');
    const [run] = await world.runsOf(job);
    await cancelJob(world.store, job);
    await running;
    expect(await world.finished(task)).toMatchObject({
      exhausted: 'cancelled',
      outcome: { kind: 'cancelled' },
      published: null,
    });
    expect((await world.job(job)).state).toBe('cancelled');
    expect(await world.deps().launcher.alive(run?.folder ?? '')).toBe(false);
    expect(world.git.head(branchOf(task))).toBe(before);
  });

  it('writes nothing after it lost its lease', async () => {
    world.agent(`${waitFor('go')}; echo late > late.txt`);
    const before = world.git.head(branchOf(task));
    const job = await world.addJob(task);
    const running = createWorker(world.deps()).runOnce();
    await until('the agent', async () => (await world.runsOf(job))[0]?.phase === 'running');
    const [held] = await world.store.runningJobs(null);
    if (held === undefined) throw new Error('nothing runs');
    const taken = await world.store.takeOver(held.lease, 'somebody|else|1|1', 60_000);
    await running;
    const now = await world.store.runningJobs(null);
    expect(now).toMatchObject([
      { lease: { owner: 'somebody|else|1|1', token: taken?.lease.token }, run: { phase: 'running', outcome: null } },
    ]);
    expect(await world.deps().launcher.alive(held.run.folder)).toBe(true);
    expect(await world.finished(task)).toBeNull();
    expect(world.git.head(branchOf(task))).toBe(before);
  });
});

describe('publishing', () => {
  it('waits out a server that is down, without holding the slot', async () => {
    const other = await world.addTask(13);
    world.agent(`echo code > code.txt; ${waitFor('go')}`);
    const job = await world.addJob(task);
    const stop = new AbortController();
    const serving = createWorker(world.deps()).serve(stop.signal);
    await until('the agent', async () => (await world.runsOf(job))[0]?.phase === 'running');
    expect(await world.store.processes()).toMatchObject([
      { name: 'worker', kind: 'worker', detail: { concurrency: 1 } },
    ]);
    world.git.down();
    go();
    await until('publishing', async () => (await world.runsOf(job))[0]?.phase === 'publishing');
    // The only slot is free: the next job is claimed and ends; it cannot be prepared while the server is down.
    const second = await world.addJob(other, { maxTransient: 0 });
    await until('the other job', async () => (await world.job(second)).state === 'delayed');
    // No agent was started: an outage spends no budget of the job, and no run of the task.
    expect(await world.job(second)).toMatchObject({ attempts: 0, transient: 0, interruptions: 0 });
    expect((await world.store.task(other))?.meta.runs).toBe(0);
    const tried = world.git.requests();
    await until('another try', () => world.git.requests() > tried);
    expect((await world.runsOf(job))[0]?.phase).toBe('publishing');
    world.git.up();
    // A server that was down is asked again after up to a minute.
    await until('settled', async () => (await world.job(job)).state === 'done', 90_000);
    expect((await world.finished(task))?.published?.sha).toBe(world.git.head(branchOf(task)));
    expect(await world.runsOf(job)).toHaveLength(1);
    stop.abort();
    await serving;
  }, 180_000);

  it('keeps the outcome and says so when the branch moved on the server', async () => {
    world.agent(`echo code > code.txt; ${waitFor('go')}`);
    const job = await world.addJob(task);
    const running = createWorker(world.deps()).runOnce();
    await until('the agent', async () => (await world.runsOf(job))[0]?.phase === 'running');
    const theirs = await world.git.pushOther(branchOf(task), 'by-hand.txt');
    go();
    await running;
    const message = await world.finished(task);
    expect(message).toMatchObject({ outcome: { kind: 'success' }, published: null, unpushed: true, exhausted: null });
    expect(message?.notPublished).toMatch(/was moved on the server/);
    expect((await world.job(job)).state).toBe('failed');
    expect(world.git.head(branchOf(task))).toBe(theirs);
  });

  it('can be cancelled while the server is down', async () => {
    world.agent(`echo code > code.txt; ${waitFor('go')}`);
    const job = await world.addJob(task);
    const running = createWorker(world.deps()).runOnce();
    await until('the agent', async () => (await world.runsOf(job))[0]?.phase === 'running');
    world.git.down();
    go();
    await until('publishing', async () => (await world.runsOf(job))[0]?.phase === 'publishing');
    await cancelJob(world.store, job);
    await running;
    expect(await world.finished(task)).toMatchObject({ exhausted: 'cancelled', published: null, unpushed: true });
  });
});
