import { describe, expect, it } from 'vitest';
import type { JobNext } from '../../../src/core/model/index.ts';
import type { Bench } from '../bench.ts';
import {
  adhoc,
  cancelJob,
  claimOn,
  commitNow,
  itemMirror,
  message,
  newJob,
  outcome,
  present,
  settlement,
  sha,
  start,
  task,
  taskId,
} from '../bench.ts';

export function leasedSuite(get: () => Bench): void {
  const claimed = async () => {
    const bench = get();
    await bench.store.addTask(task(), itemMirror());
    await commitNow(bench.store, { jobs: [newJob()] });
    return { ...bench, claim: present(await claimOn(bench.store)) };
  };

  describe('lease', () => {
    it('is renewed by its owner', async () => {
      const { store, clock, claim } = await claimed();
      clock.at += 5;
      expect(await store.renew(claim.lease, 100)).toEqual({ cancelRequested: false });
      expect((await store.runningJobs('h1')).map((row) => [row.lease, row.leaseExpiresAt])).toEqual([
        [claim.lease, start + 105],
      ]);
      expect(await store.runningJobs('h2')).toEqual([]);
      expect(await store.runningJobs(null)).toHaveLength(1);
    });

    it('an old token changes nothing', async () => {
      const { store, claim } = await claimed();
      const taken = present(await store.takeOver(claim.lease, 'h1|boot|2|2', 100));
      const before = [await store.job(claim.job.id), await store.run(claim.run.id), await store.task(taskId)];
      expect(await store.renew(claim.lease, 999)).toBe('lost');
      expect(await store.patchRun(claim.lease, { pid: 99 })).toBe('lost');
      expect(await store.settle(claim.lease, settlement({ message: message('run') }))).toBe('lost');
      expect(await store.takeOver(claim.lease, 'h1|boot|3|3', 100)).toBeNull();
      expect([await store.job(claim.job.id), await store.run(claim.run.id), await store.task(taskId)]).toEqual(before);
      expect(await store.settle(taken.lease, settlement())).toBe('ok');
      expect(await store.settle(taken.lease, settlement())).toBe('lost');
      expect(await store.renew(taken.lease, 999)).toBe('lost');
    });

    it('is taken over for the same run under the next token', async () => {
      const { store, claim } = await claimed();
      await store.patchRun(claim.lease, { phase: 'running', pid: 7 });
      const taken = present(await store.takeOver(claim.lease, 'h1|boot|2|2', 100));
      expect(taken.lease).toEqual({ ...claim.lease, owner: 'h1|boot|2|2', token: 2 });
      expect(taken.run).toMatchObject({ id: claim.run.id, phase: 'running', pid: 7, leaseToken: 2, attempt: 1 });
      expect(taken.task).toEqual(task());
      expect(present(await store.load(taskId)).meta.runs).toBe(1);
    });
  });

  describe('patchRun', () => {
    it('writes what it is given and keeps the rest', async () => {
      const { store, claim } = await claimed();
      await store.patchRun(claim.lease, {
        phase: 'running',
        folder: '/runs/1',
        workspace: '/ws',
        pid: 5,
        pidStart: '77',
        baseSha: sha('a'),
      });
      await store.patchRun(claim.lease, { sessionId: 's', outcome: outcome() });
      const patched = {
        phase: 'running',
        folder: '/runs/1',
        workspace: '/ws',
        pid: 5,
        pidStart: '77',
        sessionId: 's',
        baseSha: sha('a'),
        outcome: outcome(),
      };
      expect(await store.run(claim.run.id)).toMatchObject(patched);
    });

    it('cannot settle a run past the lease', async () => {
      const { store, claim } = await claimed();
      await expect(store.patchRun(claim.lease, { phase: 'settled' })).rejects.toThrow(/CHECK/i);
    });
  });

  describe('settle', () => {
    it('ends run and job, queues the message and wakes the task, once', async () => {
      const { store, clock, claim } = await claimed();
      await store.rest(taskId, present(await store.load(taskId)).meta.wakeSeq, null);
      clock.at += 1000;
      const done = settlement({
        outcome: outcome({ sessionId: 's' }),
        publishedSha: sha('c'),
        message: message('run:1'),
      });
      expect(await store.settle(claim.lease, done)).toBe('ok');
      expect(await store.run(claim.run.id)).toMatchObject({
        phase: 'settled',
        endedAt: clock.at,
        sessionId: 's',
        publishedSha: sha('c'),
        outcome: done.outcome,
      });
      expect(await store.job(claim.job.id)).toMatchObject({
        state: 'done',
        finishedAt: clock.at,
        leaseOwner: null,
        leaseExpiresAt: null,
      });
      expect(present(await store.load(taskId)).message?.sourceKey).toBe('run:1');
      expect(await store.dueTasks(5)).toEqual([taskId]);
    });

    const again = (spend: Extract<JobNext, { kind: 'again' }>['spend']): JobNext => ({
      kind: 'again',
      availableAt: start + 50,
      spend,
      error: 'e',
    });
    it.each([
      ['attempt', [1, 0, 0]],
      ['transient', [0, 1, 0]],
      ['interruption', [0, 0, 1]],
      ['nothing', [0, 0, 0]],
    ] as const)('again spends the budget it names: %s', async (spend, counters) => {
      const { store, claim } = await claimed();
      await store.settle(claim.lease, settlement({ outcome: outcome({ kind: 'own_fault' }), next: again(spend) }));
      const job = present(await store.job(claim.job.id));
      expect([job.attempts, job.transient, job.interruptions]).toEqual(counters);
      expect(job).toMatchObject({ state: 'delayed', availableAt: start + 50, lastError: 'e', finishedAt: null });
    });

    it('a failed job shows what its last run spent', async () => {
      const { store, claim } = await claimed();
      await store.settle(
        claim.lease,
        settlement({ outcome: outcome({ kind: 'timeout' }), next: { kind: 'failed', error: 'slow' } }),
      );
      expect(await store.job(claim.job.id)).toMatchObject({
        state: 'failed',
        attempts: 1,
        lastError: 'slow',
        finishedAt: start,
      });
    });

    it('a job that was cancelled while its run ended does not run again', async () => {
      const { store, claim } = await claimed();
      await cancelJob(store, claim.job.id);
      await store.settle(
        claim.lease,
        settlement({ outcome: outcome({ kind: 'transient' }), next: again('transient') }),
      );
      expect(await store.job(claim.job.id)).toMatchObject({ state: 'cancelled', finishedAt: start });
    });
  });

  describe('resume', () => {
    const second = async (first: Parameters<typeof outcome>[0], host = 'h1') => {
      const { store, claim } = await claimed();
      await store.patchRun(claim.lease, { sessionId: 'session-1' });
      const next: JobNext = { kind: 'again', availableAt: start, spend: 'interruption', error: 'e' };
      await store.settle(claim.lease, settlement({ outcome: outcome(first), next }));
      return present(await claimOn(store, host));
    };
    it('goes on with the session after an interruption or max turns', async () => {
      const claim = await second({ kind: 'interrupted', cause: 'worker_died' });
      expect([claim.resumeSession, claim.run.attempt, claim.lease.token]).toEqual(['session-1', 2, 2]);
    });
    it('goes on after max turns', async () => {
      expect((await second({ kind: 'own_fault', cause: 'max_turns' })).resumeSession).toBe('session-1');
    });
    it('starts a new session after its own fault', async () => {
      expect((await second({ kind: 'own_fault', cause: 'exit_status' })).resumeSession).toBeNull();
    });
    it('starts a new session on another host', async () => {
      expect((await second({ kind: 'interrupted' }, 'h2')).resumeSession).toBeNull();
    });
  });

  it('adhoc jobs settle without a task', async () => {
    const { store } = get();
    await store.enqueue(adhoc(1));
    const claim = present(await claimOn(store));
    expect(await store.settle(claim.lease, settlement({ outcome: outcome({ costMicros: 5 }) }))).toBe('ok');
    expect(await store.queueCounts()).toMatchObject({ running: 0, byState: { done: 1, running: 0 } });
  });
}
