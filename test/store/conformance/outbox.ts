import { describe, expect, it } from 'vitest';
import type { NewEffect } from '../../../src/core/model/index.ts';
import type { Bench } from '../bench.ts';
import { comment, commitNow, itemMirror, present, start, stateEffect, task, taskId } from '../bench.ts';

export function outboxSuite(get: () => Bench): void {
  const withEffects = async (...effects: NewEffect[]) => {
    const bench = get();
    await bench.store.addTask(task(), itemMirror());
    await commitNow(bench.store, { effects });
    return bench;
  };
  const take = async (leaseMs = 1000) => get().store.claimEffect('w1', leaseMs);
  const key = async () => (await take())?.effect.key ?? null;
  /** Takes what becomes due at this very moment, and not a millisecond sooner. */
  const takeAt = async (at: number) => {
    const { clock } = get();
    clock.at = at - 1;
    expect(await take()).toBeNull();
    clock.at = at;
    return present(await take());
  };

  describe('outbox', () => {
    it('delivers a lane in order, one at a time, lanes apart from each other', async () => {
      const other = { ...comment('b1'), lane: 'telegram' };
      const { store } = await withEffects(comment('a1'), comment('a2'), other);
      const a1 = present(await take());
      expect(a1).toMatchObject({ effect: { ...comment('a1'), attempts: 1, taskId }, token: 1 });
      expect([await key(), await key()]).toEqual(['b1', null]);
      expect(await store.settleEffect(a1.effect.id, a1.token, { kind: 'done', result: {} })).toBe('ok');
      expect(await key()).toBe('a2');
      expect(present(await store.load(taskId)).message).toBeNull();
    });

    it('reports what came of an effect when it was asked to', async () => {
      const { store } = await withEffects({ ...comment('a1'), report: true });
      const a1 = present(await take());
      await store.rest(taskId, present(await store.load(taskId)).meta.wakeSeq, null);
      await store.settleEffect(a1.effect.id, a1.token, { kind: 'done', result: { id: 'c4', at: 4 } });
      const body = {
        kind: 'effect_settled',
        effectId: a1.effect.id,
        effect: 'tracker.comment',
        key: 'a1',
        ok: true,
        result: { id: 'c4', at: 4 },
        error: null,
      };
      expect(present(await store.load(taskId)).message?.body).toEqual(body);
      expect(await store.dueTasks(5)).toEqual([taskId]);
      expect(await take()).toBeNull();
    });

    it('waits for the retry, and keeps the lane waiting', async () => {
      const { store, clock } = await withEffects(comment('a1'), comment('a2'));
      const a1 = present(await take());
      await store.settleEffect(a1.effect.id, a1.token, { kind: 'retry', error: 'down', afterMs: 500 });
      expect(await key()).toBeNull();
      const again = await takeAt(start + 500);
      expect([again.effect.key, again.effect.attempts, again.token]).toEqual(['a1', 2, 2]);
      await store.settleEffect(again.effect.id, again.token, { kind: 'retry', error: 'down', afterMs: 44_000 });
      expect((await store.effects({ state: 'pending', limit: 9 })).map((e) => [e.key, e.error])).toEqual([
        ['a2', null],
        ['a1', 'down'],
      ]);
      expect((await takeAt(clock.at + 44_000)).effect.key).toBe('a1');
    });

    it('takes an expired lease again; the former sender changes nothing', async () => {
      const { store } = await withEffects(comment('a1'));
      const slow = present(await take(1000));
      const next = await takeAt(start + 1000);
      expect([next.effect.id, next.token]).toEqual([slow.effect.id, 2]);
      expect(await store.settleEffect(slow.effect.id, slow.token, { kind: 'dead', error: 'x' })).toBe('lost');
      expect(await store.settleEffect(next.effect.id, next.token, { kind: 'done', result: {} })).toBe('ok');
      expect(await store.settleEffect(next.effect.id, next.token, { kind: 'done', result: {} })).toBe('lost');
    });

    it('a dead effect reports, lets the lane go on, and can be revived', async () => {
      const { store } = await withEffects(comment('a1'), comment('a2'));
      for (const round of [1, 2]) {
        const a1 = present(await take());
        expect(a1.effect.key).toBe('a1');
        await store.settleEffect(a1.effect.id, a1.token, { kind: 'dead', error: 'refused' });
        const message = present(present(await store.load(taskId)).message);
        expect(message.body).toMatchObject({ kind: 'effect_settled', ok: false, error: 'refused', key: 'a1' });
        await commitNow(store, { handled: message.id });
        expect((await store.effects({ state: 'dead', limit: 9 })).map((e) => e.key)).toEqual(['a1']);
        if (round === 1) expect(await store.reviveEffects(taskId)).toBe(1);
      }
      expect(await key()).toBe('a2');
    });

    it('does not revive a wanted state that a younger one has replaced', async () => {
      const { store } = await withEffects(stateEffect('s1'));
      const s1 = present(await take());
      await store.settleEffect(s1.effect.id, s1.token, { kind: 'dead', error: 'refused' });
      await commitNow(store, { effects: [stateEffect('s2')] });
      expect(await store.reviveEffects(taskId)).toBe(0);
      expect(await key()).toBe('s2');
    });

    it('is due at once whatever the clock did since', async () => {
      const { clock } = await withEffects(comment('a1'));
      clock.at -= 3_600_000;
      expect(await key()).toBe('a1');
    });

    it('announces once a key, without a task', async () => {
      const { store } = get();
      const notice = { key: 'gate:1', lane: 'telegram', body: comment('x').body };
      await store.announce([notice, notice]);
      await store.announce([notice]);
      const taken = present(await take());
      expect(taken.effect).toMatchObject({ key: 'gate:1', taskId: null, report: false });
      expect(await store.settleEffect(taken.effect.id, taken.token, { kind: 'dead', error: 'no' })).toBe('ok');
      expect(await store.effects({ limit: 9 })).toHaveLength(1);
    });
  });
}
