import { describe, expect, it } from 'vitest';
import { noProgress, type EffectBody, type NewEffect, type Task } from '../../../src/core/model/index.ts';
import type { Bench } from '../bench.ts';
import {
  comment,
  commitNow,
  itemMirror,
  message,
  present,
  sha,
  start,
  stateEffect,
  task,
  taskId,
  visit,
} from '../bench.ts';

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

    it('says whether something of the same kind may have been sent unheard for the task before', async () => {
      const { store, clock } = await withEffects(comment('a1'), { ...comment('b1'), lane: 'other' });
      const a1 = present(await take());
      expect(a1.isFirst).toBe(true);
      // Its sender is on the way, or was killed there.
      const b1 = present(await take());
      expect(b1.isFirst).toBe(false);
      await store.settleEffect(a1.effect.id, a1.token, { kind: 'done', result: { id: 'c1', at: 1 } });
      await commitNow(store, { effects: [{ ...comment('c1'), lane: 'third' }] });
      await store.settleEffect(b1.effect.id, b1.token, { kind: 'done', result: { id: 'c2', at: 1 } });
      const c1 = present(await take(1000));
      expect([c1.effect.key, c1.isFirst]).toEqual(['c1', true]);
      clock.at += 1000;
      const again = present(await take());
      expect([again.effect.key, again.isFirst]).toEqual(['c1', false]);
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

    const refuse = async (): Promise<void> => {
      const { effect, token } = present(await take());
      await get().store.settleEffect(effect.id, token, { kind: 'dead', error: 'no' });
    };
    const refused = async (): Promise<string[]> =>
      (await get().store.effects({ state: 'dead', limit: 9 })).map((e) => e.key).sort();

    it('what was refused is moot when a new decision asks for it, and when the task ends', async () => {
      const { store } = await withEffects(comment('c1'));
      const opening = (pullEffect: string): Partial<Task> => ({ progress: { ...noProgress(), pullEffect } });
      const pull = (name: string): NewEffect => ({
        ...comment(name),
        lane: 'forge',
        body: { kind: 'forge.open_pull' } as EffectBody,
      });
      await refuse();
      await commitNow(store, { handled: present(present(await store.load(taskId)).message).id });
      await commitNow(store, { task: task(opening('p1')), effects: [pull('p1')] });
      await goToRest();
      await refuse();
      expect(await refused()).toEqual(['c1', 'p1']);
      await commitNow(store, { handled: present(present(await store.load(taskId)).message).id });
      await commitNow(store, { task: task(opening('p2')), effects: [pull('p2')] });
      expect(await refused()).toEqual(['c1']);
      await commitNow(store, { task: task({ stage: 'cancelled', phase: 'cancelled' }) });
      expect(await refused()).toEqual([]);
      expect(await store.reviveEffects(taskId)).toBe(0);
    });

    it('a chat message that gets through ends the trouble with those before it', async () => {
      const { store } = get();
      const said = comment('x').body;
      await store.announce(['n1', 'n2', 'n3'].map((name) => ({ key: name, lane: 'chat', body: said })));
      await refuse();
      await refuse();
      expect(await refused()).toEqual(['n1', 'n2']);
      const { effect, token } = present(await take());
      await store.settleEffect(effect.id, token, { kind: 'done', result: {} });
      expect(await refused()).toEqual([]);
    });

    it('a retry makes due at once what waits for its next try', async () => {
      const { store, clock } = await withEffects(comment('a1'));
      const a1 = present(await take());
      await store.settleEffect(a1.effect.id, a1.token, { kind: 'retry', error: 'no right', afterMs: 600_000 });
      clock.at += 1000;
      expect(await key()).toBeNull();
      expect(await store.reviveEffects(taskId)).toBe(1);
      expect(await key()).toBe('a1');
    });

    it('does not revive a wanted state that a younger one has replaced', async () => {
      const { store } = await withEffects(stateEffect('s1'));
      await goToRest();
      const s1 = present(await take());
      await store.settleEffect(s1.effect.id, s1.token, { kind: 'dead', error: 'refused' });
      await commitNow(store, { effects: [stateEffect('s2')] });
      expect(await store.reviveEffects(taskId)).toBe(0);
      expect(await states()).toEqual({ s1: 'dead', s2: 'pending' });
    });

    /** A task that asked for a merge and rests. */
    const withMerge = async () => {
      const bench = get();
      const marker = 'Orch-Merge: ET-001/1';
      const stay = visit(1, {
        stage: 'deploy',
        merge: { head: sha('a'), marker, merged: false, mergedSha: null },
      });
      const body = { kind: 'forge.merge_pull', marker } as EffectBody;
      const merge: NewEffect = { key: 'm1', lane: 'forge:b', body, report: true };
      await bench.store.addTask(task({ stage: 'deploy', visit: 1 }), itemMirror());
      await commitNow(bench.store, { visit: stay, effects: [merge, comment('c1')] });
      return bench;
    };
    const goToRest = async () => {
      const { store } = get();
      await store.rest(taskId, present(await store.load(taskId)).meta.wakeSeq, null);
    };
    const states = async () =>
      Object.fromEntries((await get().store.effects({ limit: 9 })).map((effect) => [effect.key, effect.state]));

    it('keeps a merge back until the task has looked at what woke it and has no message left', async () => {
      const { store } = await withMerge();
      expect([await key(), await key()]).toEqual(['c1', null]);
      await store.post(message('m'));
      await goToRest();
      expect(await key()).toBeNull();
      await commitNow(store, { handled: present(present(await store.load(taskId)).message).id });
      expect(await key()).toBeNull();
      await goToRest();
      expect(await key()).toBe('m1');
    });

    it('withdraws a merge with the decision that ends it, and the task hears of it; a comment stays', async () => {
      const { store } = await withMerge();
      await commitNow(store, { task: task({ stage: 'deploy', visit: 1, paused: true }) });
      expect(await states()).toEqual({ m1: 'withdrawn', c1: 'pending' });
      expect(present(await store.load(taskId)).message?.body).toMatchObject({
        kind: 'effect_settled',
        key: 'm1',
        ok: false,
        withdrawn: true,
      });
      await goToRest();
      expect([await key(), await key()]).toEqual(['c1', null]);
      expect(await store.reviveEffects(taskId)).toBe(0);
    });

    it('leaves a merge alone that is being sent, and withdraws it before it is sent again', async () => {
      const { store } = await withMerge();
      await goToRest();
      const sent = present(await take());
      expect(sent.effect.key).toBe('m1');
      await commitNow(store, { task: task({ stage: 'cancelled', visit: 1 }) });
      expect((await states())['m1']).toBe('in_flight');
      await store.settleEffect(sent.effect.id, sent.token, { kind: 'retry', error: 'down', afterMs: 0 });
      await goToRest();
      expect(await key()).toBe('c1');
      expect((await states())['m1']).toBe('withdrawn');
      expect(present(await store.load(taskId)).message?.body).toMatchObject({ key: 'm1', withdrawn: true });
    });

    it('withdraws a state that the task shows no longer', async () => {
      const { store } = await withEffects(stateEffect('s1'), comment('c1'));
      await commitNow(store, { task: task({ phase: 'cancelled' }) });
      expect(await states()).toEqual({ s1: 'withdrawn', c1: 'pending' });
      expect(present(await store.load(taskId)).message).toBeNull();
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
