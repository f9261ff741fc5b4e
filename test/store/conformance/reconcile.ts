import { describe, expect, it } from 'vitest';
import type { PrMirror, TaskId } from '../../../src/core/model/index.ts';
import { noProgress } from '../../../src/core/model/index.ts';
import type { Bench } from '../bench.ts';
import {
  branchMirror,
  claimOn,
  comment,
  commitNow,
  decision,
  itemMirror,
  lead,
  message,
  newJob,
  observation,
  outcome,
  present,
  settlement,
  sha,
  start,
  stateEffect,
  task,
  taskId,
  visit,
} from '../bench.ts';

export function reconcileSuite(get: () => Bench): void {
  const withTask = async () => {
    const bench = get();
    await bench.store.addTask(task(), itemMirror());
    return bench;
  };

  describe('commit', () => {
    it('writes task, visit, job, effect and journal as one', async () => {
      const { store } = await withTask();
      const next = task({
        stage: 'analysis',
        visit: 1,
        prNumber: 4,
        paused: true,
        progress: { ...noProgress(), approvedCode: { review: 'x' } },
        phase: 'in_progress',
      });
      const made = { task: next, visit: visit(1), jobs: [newJob()], effects: [comment('c1')] };
      expect(await commitNow(store, made)).toBe('ok');
      const snapshot = present(await store.load(taskId));
      expect(snapshot.task).toEqual(next);
      expect(snapshot.visit).toEqual(visit(1));
      expect(snapshot.meta.version).toBe(1);
      expect(present(await store.task(taskId)).pendingEffects).toBe(1);
      const { availableAt: _at, ...asked } = newJob();
      expect(snapshot.liveJob).toMatchObject({
        ...asked,
        state: 'queued',
        availableAt: start,
        attempts: 0,
        cancelRequested: false,
      });
      expect(await store.decisions({ taskId, limit: 5 })).toMatchObject([
        {
          taskId,
          at: start,
          fromStage: 'created',
          toStage: 'analysis',
          version: 1,
          holdCause: null,
          why: { rule: 'test.rule' },
        },
      ]);
    });

    it('is stale when the version moved, and then writes nothing', async () => {
      const { store } = await withTask();
      const snapshot = present(await store.load(taskId));
      await commitNow(store);
      const late = decision(task({ title: 'late' }), { jobs: [newJob()], effects: [comment('c1')] });
      expect(await store.commit(taskId, snapshot.meta.version, late)).toBe('stale');
      const now = present(await store.task(taskId));
      expect([now.task.title, now.liveJob, now.pendingEffects, now.meta.version]).toEqual(['A title', null, 0, 1]);
      expect(await store.commit('ZZ-404' as TaskId, 0, decision(task()))).toBe('stale');
    });

    it('handles messages in order, each once', async () => {
      const { store } = await withTask();
      for (const key of ['m1', 'm2']) await store.post(message(key));
      const first = present(present(await store.load(taskId)).message);
      expect(first.sourceKey).toBe('m1');
      expect(await commitNow(store, { handled: first.id })).toBe('ok');
      const second = present(present(await store.load(taskId)).message);
      expect(second.sourceKey).toBe('m2');
      expect(await commitNow(store, { handled: first.id })).toBe('stale');
      expect(await commitNow(store, { handled: second.id })).toBe('ok');
      expect(present(await store.load(taskId)).message).toBeNull();
    });

    it('knows a cause without end', async () => {
      const { store } = await withTask();
      await commitNow(store, { jobs: [newJob()] });
      await commitNow(store, { jobs: [newJob()] });
      const claim = present(await claimOn(store));
      await store.settle(claim.lease, settlement());
      await commitNow(store, { jobs: [newJob()] });
      expect(present(await store.load(taskId)).liveJob).toBeNull();
      expect(await store.recentJobs(10)).toHaveLength(1);
    });

    it('refuses a second live job, whole', async () => {
      const { store } = await withTask();
      await commitNow(store, { jobs: [newJob()] });
      await expect(
        commitNow(store, { task: task({ title: 'new' }), jobs: [newJob({ cause: 'other' })] }),
      ).rejects.toThrow(/live job/);
      expect(present(await store.load(taskId)).task.title).toBe('A title');
    });

    it('cancels a waiting job at once and asks a running one to stop', async () => {
      const { store } = await withTask();
      await commitNow(store, { jobs: [newJob()] });
      const waiting = present(present(await store.load(taskId)).liveJob);
      await commitNow(store, { cancelJobs: [waiting.id], jobs: [newJob({ cause: 'visit:2' })] });
      expect(present(await store.job(waiting.id)).state).toBe('cancelled');
      const claim = present(await claimOn(store));
      expect(claim.job.cause).toBe('visit:2');
      await commitNow(store, { cancelJobs: [claim.job.id] });
      expect(present(await store.job(claim.job.id)).state).toBe('running');
      expect(await store.renew(claim.lease, 1000)).toEqual({ cancelRequested: true });
    });

    it('sends an effect key once and supersedes older wanted states', async () => {
      const { store } = await withTask();
      await commitNow(store, { effects: [stateEffect('s1'), comment('c1'), stateEffect('s9', 'other')] });
      // A state waits until its task rests.
      await store.rest(taskId, present(await store.load(taskId)).meta.wakeSeq, null);
      const flying = present(await store.claimEffect('w', 1000));
      expect(flying.effect.key).toBe('s1');
      await commitNow(store, { effects: [stateEffect('s2'), comment('c1')] });
      await commitNow(store, { effects: [stateEffect('s3')] });
      await commitNow(store, { effects: [stateEffect('s2')] });
      const states = (await store.effects({ taskId, limit: 10 })).map((e) => [e.key, e.state]);
      expect(Object.fromEntries(states)).toEqual({
        s1: 'in_flight',
        c1: 'pending',
        s9: 'pending',
        s2: 'superseded',
        s3: 'pending',
      });
      expect(present(await store.load(taskId)).message).toBeNull();
    });
  });

  describe('wake and rest', () => {
    it('a commit leaves the task due; rest puts it to sleep until its time', async () => {
      const { store, clock } = await withTask();
      await store.rest(taskId, 1, null);
      expect(await store.dueTasks(5)).toEqual([]);
      await commitNow(store, { wakeAt: start + 9999 });
      expect(await store.dueTasks(5)).toEqual([taskId]);
      await store.rest(taskId, present(await store.load(taskId)).meta.wakeSeq, start + 1000);
      expect(await store.dueTasks(5)).toEqual([]);
      clock.at += 1000;
      expect(await store.dueTasks(5)).toEqual([taskId]);
    });

    it.each(['message', 'mirror', 'commit'])('a %s between load and rest is not lost', async (what) => {
      const { store, connect } = await withTask();
      const other = await connect();
      const seen = present(await store.load(taskId)).meta.wakeSeq;
      if (what === 'message') await other.post(message('m1'));
      if (what === 'commit') await commitNow(other);
      if (what === 'mirror') {
        await other.observe(observation(await lead(other), { mirrors: [{ taskId, mirror: branchMirror(sha('b')) }] }));
      }
      await store.rest(taskId, seen, null);
      expect(await store.dueTasks(5)).toEqual([taskId]);
      await store.rest(taskId, present(await store.load(taskId)).meta.wakeSeq, null);
      expect(await store.dueTasks(5)).toEqual([]);
    });

    it('what was woken stays due when the clock is set back, oldest first', async () => {
      const { store, clock } = await withTask();
      clock.at += 10;
      await store.addTask(task({ id: 'ET-002' as TaskId }), itemMirror());
      clock.at -= 3_600_000;
      expect(await store.dueTasks(5)).toEqual([taskId, 'ET-002']);
      expect(await store.dueTasks(1)).toEqual([taskId]);
    });
  });

  describe('load', () => {
    it('answers null for a task that is not there', async () => {
      expect(await get().store.load(taskId)).toBeNull();
    });

    it('holds the mirrors of the task: its pull request and its branch; reviews and statuses wake it once', async () => {
      const { store } = await withTask();
      const pr: PrMirror = {
        kind: 'pr',
        number: 4,
        state: 'open',
        merged: false,
        mergedSha: null,
        headBranch: 'b',
        headSha: sha('a'),
        baseBranch: 'main',
        author: 'bot',
        title: 't',
      };
      const reviews = { kind: 'reviews' as const, number: 4, reviews: [] };
      const statuses = ['b', 'a'].map((digit) => ({ kind: 'statuses' as const, sha: sha(digit), statuses: [] }));
      const all = [pr, { ...pr, number: 3 }, reviews, ...statuses, branchMirror(sha('a'))];
      const leader = await lead(store);
      for (const mirror of all) {
        const seen = observation(leader, { mirrors: [{ taskId, mirror }] });
        expect(await store.observe(seen)).toEqual({ woken: [taskId] });
        expect(await store.observe(seen)).toEqual({ woken: [] });
      }
      expect(present(await store.load(taskId)).pr).toBeNull();
      await commitNow(store, { task: task({ prNumber: 4 }) });
      const after = present(await store.load(taskId));
      expect([after.pr, after.branch]).toEqual([pr, branchMirror(sha('a'))]);
    });

    it('judges finished checks by their last run', async () => {
      const { store } = await withTask();
      const run = async (cause: string, over: Parameters<typeof outcome>[0], next: 'done' | 'failed') => {
        await commitNow(store, { jobs: [newJob({ kind: 'check', cause, command: ['make', 'test'] })] });
        const claim = present(await claimOn(store));
        expect(claim.job.command).toEqual(['make', 'test']);
        await store.settle(
          claim.lease,
          settlement({ outcome: outcome(over), next: next === 'done' ? { kind: next } : { kind: next, error: 'e' } }),
        );
      };
      await run('check:tree1', { kind: 'own_fault', cause: 'exit_status', detail: 'exit 2', tail: 'log' }, 'failed');
      await run('check:tree2', {}, 'done');
      // Lost, and run again under a cause of its own; one that could not be run says nothing about its code.
      await run('check:tree4', { kind: 'transient', cause: 'network', detail: 'no answer' }, 'failed');
      await run('check:tree4#1', { kind: 'timeout', cause: 'wall_clock', detail: 'too long' }, 'failed');
      await run('check:tree5', { kind: 'own_fault', cause: 'launch_failed', detail: 'no folder' }, 'failed');
      await commitNow(store, { jobs: [newJob({ kind: 'check', cause: 'check:tree3' })] });
      expect(present(await store.load(taskId)).checks).toEqual([
        { codeTree: 'tree4', passed: false, detail: 'too long', tail: '' },
        { codeTree: 'tree2', passed: true, detail: 'fine', tail: '' },
        { codeTree: 'tree1', passed: false, detail: 'exit 2', tail: 'log' },
      ]);
    });

    it('knows how long the first agent usually takes', async () => {
      const { store, clock } = await withTask();
      expect(present(await store.load(taskId)).usualMinutes).toBeNull();
      for (const [n, minutes] of [3, 50, 8].entries()) {
        await store.enqueue(newJob({ cause: `v${n}` }));
        const claim = present(await claimOn(store));
        clock.at += minutes * 60_000;
        await store.settle(claim.lease, settlement());
      }
      expect(present(await store.load(taskId)).usualMinutes).toBe(8);
    });
  });
}
