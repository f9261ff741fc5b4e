import { describe, expect, it } from 'vitest';
import {
  noProgress,
  nothingResolved,
  type ItemId,
  type NewEffect,
  type ProjectId,
  type RepoSlug,
  type TaskId,
} from '../../../src/core/model/index.ts';
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
  present,
  projectId,
  repo,
  sha,
  start,
  task,
  taskId,
} from '../bench.ts';

export function observeSuite(get: () => Bench): void {
  describe('observe', () => {
    it('makes a new task, awake, with its first mirror', async () => {
      const { store } = get();
      const seen = observation(await lead(store), { newTasks: [{ task: task(), mirror: itemMirror(), messages: [] }] });
      expect(await store.observe(seen)).toEqual({ woken: [taskId] });
      expect(await store.dueTasks(10)).toEqual([taskId]);
      const snapshot = present(await store.load(taskId));
      expect(snapshot.task).toEqual(task());
      expect(snapshot.item).toEqual(itemMirror());
      expect(snapshot.meta).toEqual({
        version: 0,
        wakeSeq: 1,
        wakeAt: start,
        runs: 0,
        spentMicros: 0,
        reservedMicros: 0,
      });
    });

    it('leaves a known task as it is', async () => {
      const { store } = get();
      const leader = await lead(store);
      await store.addTask(task(), itemMirror());
      const again = observation(leader, {
        newTasks: [{ task: task({ title: 'other' }), mirror: itemMirror({ name: 'other' }), messages: [] }],
      });
      expect(await store.observe(again)).toEqual({ woken: [] });
      const sameItem = observation(leader, {
        newTasks: [
          { task: task({ id: 'XX-009' as TaskId, itemId: task().itemId }), mirror: itemMirror(), messages: [] },
        ],
      });
      expect(await store.observe(sameItem)).toEqual({ woken: [] });
      expect(present(await store.load(taskId)).item?.name).toBe('A title');
      expect(await store.tasks({})).toHaveLength(1);
    });

    it('writes nothing when nothing differs', async () => {
      const { store, writes } = get();
      const leader = await lead(store);
      const project = {
        projectId,
        firstNumber: 3,
        itemWatermark: 5,
        prWatermark: null,
        resolved: { ...nothingResolved, recent: { a: 1, b: 2 } },
      };
      const full = observation(leader, {
        project,
        newTasks: [{ task: task(), mirror: itemMirror(), messages: [] }],
        mirrors: [{ taskId, mirror: branchMirror(sha('a')) }],
        messages: [message('m1')],
      });
      await store.observe(full);
      await store.rest(taskId, present(await store.load(taskId)).meta.wakeSeq, null);
      const before = writes();
      const { kind, ...rest } = itemMirror();
      // The same content, keys in another order.
      const reordered = observation(leader, {
        ...full,
        project: { ...project, resolved: { ...nothingResolved, recent: { b: 2, a: 1 } } },
        mirrors: [...full.mirrors, { taskId, mirror: { ...rest, kind } }],
      });
      expect(await store.observe(reordered)).toEqual({ woken: [] });
      expect(writes()).toBe(before);
      expect(await store.dueTasks(10)).toEqual([]);
    });

    it('wakes the task of a changed mirror, and only that one', async () => {
      const { store } = get();
      const leader = await lead(store);
      const other = 'ET-002' as TaskId;
      await store.addTask(task(), itemMirror());
      await store.addTask(task({ id: other }), itemMirror());
      for (const id of [taskId, other]) await store.rest(id, 1, null);
      const mirrors = [
        { taskId, mirror: itemMirror({ name: 'changed' }) },
        { taskId: other, mirror: itemMirror() },
      ];
      expect(await store.observe(observation(leader, { mirrors }))).toEqual({ woken: [taskId] });
      expect(await store.dueTasks(10)).toEqual([taskId]);
      expect(present(await store.load(taskId)).item?.name).toBe('changed');
    });

    it('queues a message once, and passes over tasks it does not know', async () => {
      const { store } = get();
      const leader = await lead(store);
      await store.addTask(task(), itemMirror());
      const unknown = 'ZZ-404' as TaskId;
      const messages = [message('m1'), message('m1'), message('m2', { taskId: unknown })];
      const mirrors = [{ taskId: unknown, mirror: itemMirror() }];
      expect(await store.observe(observation(leader, { messages, mirrors }))).toEqual({ woken: [taskId] });
      expect(await store.observe(observation(leader, { messages, mirrors }))).toEqual({ woken: [] });
      expect(present(await store.task(taskId)).queuedMessages).toBe(1);
    });

    it('keeps the watermarks of a project', async () => {
      const { store } = get();
      expect(await store.project(projectId)).toEqual({
        projectId,
        firstNumber: null,
        itemWatermark: null,
        prWatermark: null,
        resolved: nothingResolved,
      });
      const project = {
        projectId,
        firstNumber: 7,
        itemWatermark: 1,
        prWatermark: 2,
        resolved: {
          facts: {
            at: start,
            states: [{ id: 's', name: 'Blocked', group: 'started' as const }],
            labels: { l: 'bug' },
            members: [{ id: 'm', email: '', displayName: 'Ann', role: null }],
          },
          recent: { i: 4 },
          repository: { id: 3, slug: 'acme/shop' },
          pulls: { 7: { updatedAt: 4, seenAt: 5 } },
          sweptAt: 6,
          sweepFrom: 12,
          gap: { since: 1, below: 2, cursor: '100:7:0', startedAt: 3, again: true },
          watermarkSeenAt: 4,
          settled: 5,
          troubled: { i: { number: 3, kind: 'id_taken' as const, why: 'taken', tries: 3, at: 9 } },
        },
      };
      await store.observe(observation(await lead(store), { project }));
      expect(await store.project(projectId)).toEqual(project);
    });

    it('refuses what was seen under a lease that is gone', async () => {
      const { store, clock } = get();
      const old = await lead(store, 'p1');
      clock.at += 60_000;
      const seen = { newTasks: [{ task: task(), mirror: itemMirror(), messages: [] }] };
      expect(await store.observe(observation(old, seen))).toBe('lost');
      const next = await lead(store, 'p2');
      expect(await store.observe(observation(old, seen))).toBe('lost');
      expect(await store.observe(observation({ ...next, owner: 'p1' }, seen))).toBe('lost');
      expect(await store.task(taskId)).toBeNull();
      expect(await store.observe(observation(next, seen))).toEqual({ woken: [taskId] });
    });
  });

  describe('post and addTask', () => {
    it('post wakes, knows its source keys and its tasks', async () => {
      const { store } = get();
      expect(await store.post(message('m1'))).toBe(false);
      expect(await store.addTask(task(), itemMirror())).toBe(true);
      expect(await store.addTask(task(), itemMirror())).toBe(false);
      await store.rest(taskId, 1, null);
      expect(await store.post(message('m1'))).toBe(true);
      expect(await store.dueTasks(1)).toEqual([taskId]);
      await store.rest(taskId, 2, null);
      expect(await store.post(message('m1'))).toBe(false);
      expect(await store.dueTasks(1)).toEqual([]);
    });
  });

  describe('moveRepository', () => {
    const to = 'acme/store' as RepoSlug;
    const post: NewEffect = {
      ...comment('r1'),
      lane: `review:${repo}#b`,
      body: { kind: 'forge.post_review', repo, number: 7, head: sha('1'), vote: 'approved', body: 'good' },
    };

    it('renames tasks, what waits for them, and nothing of another project; the tasks are woken and it is written down', async () => {
      const { store } = get();
      const other = { id: 'OT-001' as TaskId, projectId: 'p2' as ProjectId, itemId: 'item-2' as ItemId };
      const postedVerdict = { verdict: 'approved', sha: sha('1') } as const;
      await store.addTask(task({ progress: { ...noProgress(), postedVerdict } }), itemMirror());
      await store.addTask(task(other), itemMirror({ itemId: other.itemId }));
      await commitNow(store, { jobs: [newJob()], effects: [post, comment('c1')] });
      const before = present(await store.load(taskId));
      await store.rest(taskId, before.meta.wakeSeq, null);
      expect(await store.moveRepository(projectId, repo, to)).toBe('ok');
      const after = present(await store.load(taskId));
      expect(after).toMatchObject({ task: { repo: to }, liveJob: { repo: to } });
      expect(after.meta.version).toBe(before.meta.version + 1);
      expect((await store.effects({ limit: 9 })).map(({ key, lane, body }) => [key, lane, 'repo' in body])).toEqual([
        ['c1', comment('c1').lane, false],
        ['r1', `review:${to}#b`, true],
      ]);
      expect(await store.dueTasks(9)).toContain(taskId);
      expect((await store.decisions({ taskId, limit: 1 }))[0]).toMatchObject({
        why: { rule: 'world.repository-renamed', sentence: 'the repository acme/shop is now called acme/store' },
      });
      expect(present(await store.load(other.id)).task.repo).toBe(repo);
      // A decision that read the former name is late.
      expect(await store.commit(taskId, before.meta.version, decision(before.task))).toBe('stale');
    });

    it('waits for the run that works in it', async () => {
      const { store } = get();
      await store.addTask(task(), itemMirror());
      await commitNow(store, { jobs: [newJob()] });
      present(await claimOn(store));
      expect(await store.moveRepository(projectId, repo, to)).toBe('busy');
      expect(present(await store.load(taskId)).task.repo).toBe(repo);
    });
  });
}
