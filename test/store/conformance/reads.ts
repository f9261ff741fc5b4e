import { describe, expect, it } from 'vitest';
import type { ItemId, JobId, ProjectId, RepoSlug, RunId, TaskId } from '../../../src/core/model/index.ts';
import type { Bench } from '../bench.ts';
import {
  adhoc,
  claimOn,
  comment,
  commitNow,
  itemMirror,
  message,
  holdOn,
  newJob,
  outcome,
  present,
  settlement,
  start,
  task,
  taskId,
  visit,
} from '../bench.ts';

export function readSuite(get: () => Bench): void {
  describe('read models', () => {
    it('show a task with its live job, run, effects and messages', async () => {
      const { store } = get();
      await store.addTask(task(), itemMirror());
      await commitNow(store, { jobs: [newJob()], effects: [comment('c1')], visit: visit(1), task: task({ visit: 1 }) });
      await commitNow(store, { visit: visit(2), task: task({ visit: 2 }) });
      await store.post(message('m1'));
      const claim = present(await claimOn(store));
      const row = present(await store.task(taskId));
      expect(row).toMatchObject({
        pendingEffects: 1,
        queuedMessages: 1,
        liveJob: { id: claim.job.id },
        run: { id: claim.run.id },
      });
      expect((await store.visits(taskId)).map((v) => v.n)).toEqual([1, 2]);
      await store.settle(claim.lease, settlement());
      expect(present(await store.task(taskId))).toMatchObject({ liveJob: null, run: null });
      expect(await store.taskOfItem(task().itemId)).toBe(taskId);
      expect(await store.taskOfItem('nothing' as ItemId)).toBeNull();
    });

    it('filter tasks', async () => {
      const { store } = get();
      const make = async (id: string, stage: 'review' | 'done', projectId: string, number: number) =>
        store.addTask(task({ id: id as TaskId, stage, projectId: projectId as ProjectId, number }), itemMirror());
      await make('ET-010', 'review', 'p1', 10);
      await make('ET-002', 'done', 'p1', 2);
      await make('XX-001', 'review', 'p2', 1);
      const ids = async (filter: Parameters<typeof store.tasks>[0]) =>
        (await store.tasks(filter)).map((row) => row.task.id);
      expect(await ids({})).toEqual(['ET-002', 'ET-010', 'XX-001']);
      expect(await ids({ active: true })).toEqual(['ET-010', 'XX-001']);
      expect(await ids({ stage: 'review', projectId: 'p1' as ProjectId })).toEqual(['ET-010']);
    });

    it('tell of many runs at once how they stand, without their contents', async () => {
      const { store } = get();
      await store.addTask(task(), itemMirror());
      await store.enqueue(newJob());
      const first = present(await claimOn(store));
      const next = { kind: 'again' as const, availableAt: start + 60_000, spend: 'nothing' as const, error: '' };
      await store.settle(first.lease, settlement({ next }));
      await store.enqueue(adhoc(1));
      const second = present(await claimOn(store));
      await store.settle(second.lease, settlement());
      await store.enqueue(adhoc(2));
      const third = present(await claimOn(store));
      const asked = [first.run.id, second.run.id, third.run.id, '4711' as RunId, 'x' as RunId];
      const ends = await store.runEnds(asked);
      expect(ends.toSorted((a, b) => Number(a.id) - Number(b.id))).toEqual([
        { id: first.run.id, taskId, jobLive: true, endedAt: store.now() },
        { id: second.run.id, taskId: null, jobLive: false, endedAt: store.now() },
        { id: third.run.id, taskId: null, jobLive: true, endedAt: null },
      ]);
    });

    it('list decisions, jobs and runs, newest first', async () => {
      const { store } = get();
      await store.addTask(task(), itemMirror());
      for (const n of [1, 2, 3]) {
        await commitNow(store, { jobs: [newJob({ cause: `v${n}` })] });
        await store.settle(present(await claimOn(store)).lease, settlement());
      }
      await store.enqueue(adhoc(1, { repo: 'acme/other' as RepoSlug }));
      await claimOn(store);
      expect((await store.decisions({ limit: 2 })).map((row) => row.version)).toEqual([3, 2]);
      expect(await store.decisions({ taskId: 'ZZ-404' as TaskId, limit: 2 })).toEqual([]);
      const jobs = await store.recentJobs(3);
      expect(jobs.map((job) => job.cause)).toEqual(['adhoc:1', 'v3', 'v2']);
      expect((await store.runs({ taskId, limit: 2 })).map((run) => run.jobId)).toEqual([jobs[1]?.id, jobs[2]?.id]);
      expect(await store.runs({ repo: 'acme/other' as RepoSlug, branch: 'b1', limit: 9 })).toHaveLength(1);
      expect(await store.runs({ repo: 'acme/other' as RepoSlug, branch: 'b2', limit: 9 })).toEqual([]);
      expect(await store.runs({ jobId: present(jobs[1]).id, limit: 9 })).toHaveLength(1);
    });

    it('count the queue', async () => {
      const { store } = get();
      expect(await store.queueCounts()).toMatchObject({ running: 0, oldestQueuedAt: null });
      for (const n of [1, 2]) await store.enqueue(adhoc(n));
      await store.enqueue(adhoc(3, { availableAt: start + 1 }));
      await claimOn(store);
      expect(await store.queueCounts()).toEqual({
        byState: { queued: 1, delayed: 1, running: 1, done: 0, failed: 0, cancelled: 0 },
        running: 1,
        oldestQueuedAt: start,
      });
    });

    it('sum up tasks, settled runs and effects', async () => {
      const { store, clock } = get();
      expect(await store.totals()).toEqual({ tasks: [], runs: [], effects: [] });
      const hold = holdOn('ci');
      await store.addTask(task({ hold, paused: true }), itemMirror());
      const ended = task({ id: 'ET-002' as TaskId });
      await store.addTask(ended, itemMirror());
      await commitNow(store, { task: { ...ended, stage: 'done' } }, ended.id);
      await commitNow(store, { effects: [comment('c1'), comment('c2')], task: task({ hold, paused: true }) });
      await store.claimEffect('p1', 1000);
      for (const n of [1, 2, 3]) await store.enqueue(adhoc(n));
      const used = { input: 1, output: 2, cacheRead: 300, cacheWrite: 40 };
      for (const [kind, tokens] of [
        ['success', used],
        ['success', used],
        ['timeout', null],
      ] as const) {
        const claim = present(await claimOn(store, 'h1', { maxConcurrency: 1 }));
        clock.at += 1000;
        await store.settle(claim.lease, settlement({ outcome: outcome({ kind, costMicros: 5, tokens }) }));
      }
      const adhocRuns = { role: 'analyst', kind: 'adhoc' };
      expect(await store.totals()).toEqual({
        tasks: [
          { stage: 'created', holdCause: 'ci', blocking: true, paused: true, n: 1 },
          { stage: 'done', holdCause: null, blocking: false, paused: false, n: 1 },
        ],
        runs: [
          {
            ...adhocRuns,
            result: 'success',
            n: 2,
            ms: 2000,
            costMicros: 10,
            input: 2,
            output: 4,
            cacheRead: 600,
            cacheWrite: 80,
          },
          {
            ...adhocRuns,
            result: 'timeout',
            n: 1,
            ms: 1000,
            costMicros: 5,
            input: 0,
            output: 0,
            cacheRead: 0,
            cacheWrite: 0,
          },
        ],
        effects: [{ state: 'pending', n: 2 }],
      });
    });

    it('answer null for ids that are none', async () => {
      const { store } = get();
      for (const id of ['1', 'abc', '1; DROP TABLE jobs', '', '-1', '9'.repeat(40)]) {
        expect([await store.job(id as JobId), await store.run(id as RunId)]).toEqual([null, null]);
      }
    });
  });
}
