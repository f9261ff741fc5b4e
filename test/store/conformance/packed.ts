import { describe, expect, it } from 'vitest';
import type { Store, TaskId } from '../../../src/core/model/index.ts';
import {
  adhoc,
  branchMirror,
  claimOn,
  comment,
  commitNow,
  itemMirror,
  lead,
  message,
  newJob,
  observation,
  outcome,
  present,
  repo,
  settlement,
  sha,
  start,
  task,
  taskId,
  visit,
  type Bench,
} from '../bench.ts';

const later = start + 1_000_000;

/** A task that went all the way, with a row in every table, and something newer of each kind. */
async function endedTask(store: Store, id = taskId): Promise<void> {
  const ended = task({ id });
  await store.addTask(ended, itemMirror());
  await store.post(message('comment:1', { taskId: id }));
  await commitNow(store, { visit: visit(1), jobs: [newJob({ taskId: id })], effects: [comment(`c/${id}`)] }, id);
  const { lease } = present(await claimOn(store));
  await store.settle(lease, settlement({ outcome: outcome({ costMicros: 7 }) }));
  const sent = present(await store.claimEffect('p1', 1000));
  const done = { kind: 'done', result: { id: 'c', at: 1 } } as const;
  await store.settleEffect(sent.effect.id, sent.token, done as never);
  await store.observe(observation(await lead(store), { mirrors: [{ taskId: id, mirror: branchMirror(sha('a')) }] }));
  const snapshot = present(await store.load(id));
  await commitNow(
    store,
    { handled: present(snapshot.message).id, task: { ...snapshot.task, visit: 1, stage: 'done' } },
    id,
  );
  await rest(store, id);
}

async function rest(store: Store, id: TaskId): Promise<void> {
  await store.rest(id, present(await store.load(id)).meta.wakeSeq, null);
}

/** An open task, so that the newest rows are not the ended one's. */
async function youngerTask(store: Store): Promise<void> {
  await endedTask(store, 'ET-900' as TaskId);
  await store.post(message('command:younger', { taskId: 'ET-900' as TaskId }));
}

/** All that readers are shown of a task. */
async function shown(store: Store, id = taskId): Promise<unknown> {
  const runs = await store.runs({ taskId: id, limit: 99 });
  return {
    row: await store.task(id),
    visits: await store.visits(id),
    decisions: await store.decisions({ taskId: id, limit: 99 }),
    runs,
    byNumber: await Promise.all(runs.map((run) => store.run(run.id))),
    ends: await store.runEnds(runs.map((run) => run.id)),
    effects: await store.effects({ taskId: id, limit: 99 }),
  };
}

export function packedSuite(get: () => Bench): void {
  describe('packed tasks', () => {
    it('are read as before, counted as before, and come back whole when something happens to them', async () => {
      const { store } = get();
      await endedTask(store);
      await youngerTask(store);
      const before = { shown: await shown(store), totals: await store.totals(), counts: await store.queueCounts() };
      expect(await store.packTask(taskId, later)).toBe(true);
      expect(await store.packTask(taskId, later)).toBe(false);
      expect(await store.endedTasks(later, 9)).not.toContainEqual(expect.objectContaining({ id: taskId }));
      expect(await store.load(taskId)).toBeNull();
      expect({ shown: await shown(store), totals: await store.totals(), counts: await store.queueCounts() }).toEqual(
        before,
      );
      // What was said before is known: nothing is handled twice.
      expect(await store.post(message('comment:1'))).toBe(false);
      expect(await shown(store)).toEqual(before.shown);
      expect(await store.load(taskId)).toMatchObject({ visit: { n: 1 }, branch: { sha: sha('a') }, message: null });
      expect(await store.packTask(taskId, later)).toBe(true);
    });

    it.each([
      ['a message', (store: Store) => store.post(message('comment:2'))],
      [
        'a look at the item',
        async (store: Store) =>
          store.observe(observation(await lead(store), { mirrors: [{ taskId, mirror: itemMirror({ name: 'New' }) }] })),
      ],
      ['a wake-up', (store: Store) => store.wake(taskId)],
    ])('come back before %s', async (_what, touch) => {
      const { store } = get();
      await endedTask(store);
      await youngerTask(store);
      const decisions = await store.decisions({ taskId, limit: 99 });
      expect(await store.packTask(taskId, later)).toBe(true);
      await touch(store);
      expect(await store.load(taskId)).toMatchObject({ visit: { n: 1 } });
      expect(await store.decisions({ taskId, limit: 99 })).toEqual(decisions);
      expect(await store.dueTasks(9)).toContain(taskId);
      // Open again: nothing packs it.
      expect(await store.packTask(taskId, later)).toBe(false);
    });

    it.each([
      ['is too young', async () => {}, start],
      ['is awake', (store: Store) => store.wake(taskId), later],
      [
        'has an unhandled message',
        async (store: Store) => {
          await store.post(message('comment:9'));
          await rest(store, taskId);
        },
        later,
      ],
      [
        'has an effect under way',
        async (store: Store) => {
          await commitNow(store, { effects: [comment('late')] });
          await rest(store, taskId);
        },
        later,
      ],
      [
        'is open',
        async (store: Store) => {
          await commitNow(store, { task: task() });
          await rest(store, taskId);
        },
        later,
      ],
    ])('one that %s is left alone', async (_why, make, before) => {
      const { store } = get();
      await endedTask(store);
      await youngerTask(store);
      await make(store);
      const seen = await shown(store);
      expect(await store.packTask(taskId, before)).toBe(false);
      expect(await shown(store)).toEqual(seen);
    });

    it('keep their numbers: the newest rows of all are not packed, and none is given out again', async () => {
      const { store } = get();
      await endedTask(store);
      expect(await store.packTask(taskId, later)).toBe(false);
      await youngerTask(store);
      const [run] = await store.runs({ taskId, limit: 1 });
      expect(await store.packTask(taskId, later)).toBe(true);
      await store.enqueue(adhoc(1));
      const claim = present(await claimOn(store));
      expect(Number(claim.run.id)).toBeGreaterThan(Number(present(run).id) + 1);
      expect(await store.run(present(run).id)).toMatchObject({ taskId, outcome: { costMicros: 7 } });
    });

    it('follow their repository to its new name without being woken', async () => {
      const { store } = get();
      await endedTask(store);
      await youngerTask(store);
      expect(await store.packTask(taskId, later)).toBe(true);
      expect(await store.moveRepository(task().projectId, repo, 'acme/store' as never)).toBe('ok');
      expect((await store.task(taskId))?.task.repo).toBe('acme/store');
      expect(await store.dueTasks(9)).not.toContain(taskId);
    });

    it('effects of no task go when they were delivered long ago, the newest and the refused stay', async () => {
      const { store } = get();
      for (const key of ['n1', 'n2', 'n3']) await store.announce([{ key, lane: 'chat', body: comment(key).body }]);
      for (const kind of ['done', 'dead', 'done'] as const) {
        const sent = present(await store.claimEffect('p1', 1000));
        await store.settleEffect(
          sent.effect.id,
          sent.token,
          (kind === 'done' ? { kind } : { kind, error: 'no' }) as never,
        );
        if (kind === 'dead') break;
      }
      expect(await store.forgetEffects(later, 9)).toBe(1);
      expect((await store.effects({ limit: 9 })).map(({ key }) => key)).toEqual(['n3', 'n2']);
      expect((await store.totals()).effects).toContainEqual({ state: 'done', n: 1 });
    });
  });
}
