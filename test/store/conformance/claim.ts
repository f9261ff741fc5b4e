import { describe, expect, it } from 'vitest';
import type { TaskId } from '../../../src/core/model/index.ts';
import type { Bench } from '../bench.ts';
import {
  adhoc,
  cancelJob,
  claimOn,
  commitNow,
  itemMirror,
  newJob,
  outcome,
  present,
  settlement,
  start,
  task,
  taskId,
} from '../bench.ts';

export function claimSuite(get: () => Bench): void {
  describe('claim', () => {
    it('takes nothing from an empty queue, and writes nothing', async () => {
      const { store, writes } = get();
      const before = writes();
      expect(await claimOn(store)).toBeNull();
      expect(writes()).toBe(before);
    });

    it('takes the oldest first, each once, with a lease and a run', async () => {
      const { store, clock } = get();
      await store.enqueue(adhoc(1, { availableAt: start }));
      await store.enqueue(adhoc(2, { availableAt: start - 5 }));
      clock.at += 10;
      const first = present(await claimOn(store));
      expect(first.job).toMatchObject({
        cause: 'adhoc:2',
        state: 'running',
        leaseToken: 1,
        leaseExpiresAt: clock.at + 60_000,
      });
      expect(first.lease).toEqual({ jobId: first.job.id, runId: first.run.id, owner: 'h1|boot|1|1', token: 1 });
      expect(first.run).toMatchObject({
        phase: 'preparing',
        attempt: 1,
        host: 'h1',
        leaseToken: 1,
        startedAt: clock.at,
        endedAt: null,
      });
      expect([first.task, first.budgetMicros, first.resumeSession]).toEqual([null, null, null]);
      expect(present(await claimOn(store)).job.cause).toBe('adhoc:1');
      expect(await claimOn(store)).toBeNull();
    });

    it('leaves delayed jobs until they are due, also when the clock goes back', async () => {
      const { store, clock } = get();
      const { job } = await store.enqueue(adhoc(1, { availableAt: start + 100 }));
      expect(job).toMatchObject({ state: 'delayed', availableAt: start + 100 });
      expect(await store.hasDueJob()).toBe(false);
      expect(await claimOn(store)).toBeNull();
      clock.at += 100;
      const claim = present(await claimOn(store));
      expect((await store.queueCounts()).byState).toMatchObject({ queued: 0, delayed: 0, running: 1 });
      const next = { kind: 'again' as const, availableAt: clock.at, spend: 'attempt' as const, error: 'e' };
      await store.settle(claim.lease, settlement({ outcome: outcome({ kind: 'own_fault' }), next }));
      clock.at -= 3_600_000;
      expect(present(await claimOn(store)).run.attempt).toBe(2);
    });

    it('keeps within the slots of the host; publishing frees one', async () => {
      const { store } = get();
      for (const n of [1, 2, 3]) await store.enqueue(adhoc(n));
      const one = present(await claimOn(store, 'h1', { maxConcurrency: 1 }));
      expect(await claimOn(store, 'h1', { maxConcurrency: 1 })).toBeNull();
      expect(await claimOn(store, 'h2', { maxConcurrency: 1 })).not.toBeNull();
      await store.patchRun(one.lease, { phase: 'publishing' });
      expect(await claimOn(store, 'h1', { maxConcurrency: 1 })).not.toBeNull();
    });

    it('runs one job of a branch at a time', async () => {
      const { store } = get();
      for (const n of [1, 2]) await store.enqueue(adhoc(n, { branch: 'same' }));
      const one = present(await claimOn(store));
      expect(await claimOn(store)).toBeNull();
      await store.settle(one.lease, settlement());
      expect(present(await claimOn(store)).job.cause).toBe('adhoc:2');
    });

    it('passes over paused tasks', async () => {
      const { store } = get();
      await store.addTask(task(), itemMirror());
      await commitNow(store, { task: task({ paused: true }), jobs: [newJob()] });
      expect(await claimOn(store)).toBeNull();
      await commitNow(store, { task: task() });
      expect(present(await claimOn(store)).task).toEqual(task());
    });

    it('counts runs against the cap before they start, and tells the task of a refusal', async () => {
      const { store } = get();
      await store.addTask(task(), itemMirror());
      await commitNow(store, { jobs: [newJob({ runCap: 1 })] });
      const claim = present(await claimOn(store));
      expect(present(await store.load(taskId)).meta.runs).toBe(1);
      await store.settle(claim.lease, settlement());
      await store.enqueue(newJob({ cause: 'v2', runCap: 1 }));
      const other = adhoc(1);
      await store.enqueue(other);
      await store.rest(taskId, present(await store.load(taskId)).meta.wakeSeq, null);
      // The refused job does not stand in the way of the next one.
      expect(present(await claimOn(store)).job.cause).toBe(other.cause);
      const snapshot = present(await store.load(taskId));
      expect(snapshot.liveJob).toBeNull();
      expect(snapshot.message?.body).toMatchObject({ kind: 'job_refused', role: 'analyst', reason: 'run_cap' });
      expect(await store.dueTasks(5)).toEqual([taskId]);
      expect((await store.recentJobs(5)).find((job) => job.cause === 'v2')).toMatchObject({
        state: 'failed',
        lastError: 'run_cap',
      });
      expect(snapshot.meta.runs).toBe(1);
    });
  });

  describe('dollars', () => {
    const cap = 1_000;
    const money = async () => {
      const { runs: _runs, spentMicros, reservedMicros } = present(await get().store.load(taskId)).meta;
      return [spentMicros, reservedMicros];
    };
    const queue = async (cause: string) => {
      const { store } = get();
      await store.enqueue(newJob({ cause, costCapMicros: cap }));
      return claimOn(store);
    };

    it('reserves what is left, and gives back what was not spent', async () => {
      const { store } = get();
      await store.addTask(task(), itemMirror());
      const one = present(await queue('v1'));
      expect(one.budgetMicros).toBe(cap);
      expect(await money()).toEqual([0, cap]);
      await store.settle(one.lease, settlement({ outcome: outcome({ costMicros: 300 }) }));
      expect(await money()).toEqual([300, 0]);
      const two = present(await queue('v2'));
      expect(two.budgetMicros).toBe(700);
      expect(await money()).toEqual([300, 700]);
      // No figure: it may have spent everything.
      await store.settle(
        two.lease,
        settlement({ outcome: outcome({ kind: 'interrupted' }), next: { kind: 'failed', error: 'e' } }),
      );
      expect(await money()).toEqual([cap, 0]);
      expect(await queue('v3')).toBeNull();
      expect(present(await store.load(taskId)).message?.body).toMatchObject({
        kind: 'job_refused',
        reason: 'cost_cap',
      });
    });

    it('counts costs without a cap, and reserves nothing for a check', async () => {
      const { store } = get();
      await store.addTask(task(), itemMirror());
      await store.enqueue(newJob());
      await store.settle(present(await claimOn(store)).lease, settlement({ outcome: outcome({ costMicros: 20 }) }));
      await store.enqueue(newJob({ kind: 'check', cause: 'check:t', costCapMicros: 10 }));
      const check = present(await claimOn(store));
      expect(check.budgetMicros).toBeNull();
      await store.settle(check.lease, settlement());
      expect(await money()).toEqual([20, 0]);
    });
  });

  describe('enqueue', () => {
    it('answers the existing job of a cause, finished ones included', async () => {
      const { store } = get();
      const one = await store.enqueue(adhoc(1));
      expect(one.created).toBe(true);
      await store.settle(present(await claimOn(store)).lease, settlement());
      const again = await store.enqueue(adhoc(1));
      expect([again.created, again.job.id, again.job.state]).toEqual([false, one.job.id, 'done']);
      await store.addTask(task({ id: 'ET-002' as TaskId }), itemMirror());
      expect((await store.enqueue(newJob({ taskId: 'ET-002' as TaskId, cause: 'adhoc:1' }))).created).toBe(true);
    });
  });

  describe('cancelling', () => {
    it('ends a waiting job at once and marks a running one', async () => {
      const { store } = get();
      await store.addTask(task(), itemMirror());
      const { job } = await store.enqueue(newJob({ availableAt: start + 5 }));
      await cancelJob(store, job.id);
      expect(await store.job(job.id)).toMatchObject({ state: 'cancelled', finishedAt: start });
      await store.enqueue(newJob({ cause: 'visit:2' }));
      const claim = present(await claimOn(store));
      await cancelJob(store, claim.job.id);
      expect(await store.job(claim.job.id)).toMatchObject({ state: 'running', cancelRequested: true });
    });
  });
}
