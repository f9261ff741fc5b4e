import { describe, expect, it } from 'vitest';
import type {
  CommitSha,
  Effect,
  EffectBody,
  EffectId,
  NewEffect,
  RecordedDelivery,
  TaskId,
} from '../../src/core/model/index.ts';
import { noProgress } from '../../src/core/model/index.ts';
import {
  fateOf,
  isWanted,
  reportOf,
  revivable,
  supersedes,
  withdrawalOf,
  type Standing,
} from '../../src/core/queue/outbox.ts';
import { comment, holdOn, stateEffect } from '../store/bench.ts';

const merge = { ...comment('m1'), lane: 'forge', body: { kind: 'forge.merge_pull' } as EffectBody };

function effects(...rows: [NewEffect, string][]): (Effect & { state: string })[] {
  return rows.map(([effect, state], index) => ({
    ...effect,
    id: String(index + 1) as EffectId,
    taskId: 'ET-001' as TaskId,
    attempts: 1,
    lastError: null,
    createdAt: 0,
    state,
  }));
}

describe('what an effect makes pointless', () => {
  it('a state wanted for an item is replaced by the next one for the same item, and by nothing else', () => {
    expect(supersedes(stateEffect('s2').body, stateEffect('s1').body)).toBe(true);
    expect(supersedes(stateEffect('s2', 'other').body, stateEffect('s1').body)).toBe(false);
    expect(supersedes(comment('c2').body, stateEffect('s1').body)).toBe(false);
    expect(supersedes(stateEffect('s1').body, comment('c1').body)).toBe(false);
    expect(supersedes(comment('c2').body, comment('c1').body)).toBe(false);
  });
});

describe('what may be sent again after it was refused', () => {
  it.each([
    ['everything refused', [[comment('a'), 'dead'] as const, [comment('b'), 'dead'] as const], ['1', '2']],
    ['nothing that was delivered or waits', [[comment('a'), 'done'] as const, [comment('b'), 'pending'] as const], []],
    ['no merge', [[merge, 'dead'] as const, [comment('b'), 'dead'] as const], ['2']],
    [
      'no wish that a younger one has replaced',
      [[stateEffect('s1'), 'dead'] as const, [stateEffect('s2'), 'done'] as const],
      [],
    ],
    ['the younger of two', [[stateEffect('s1'), 'dead'] as const, [stateEffect('s2'), 'dead'] as const], ['2']],
    ['a wish of its own', [[stateEffect('s1'), 'dead'] as const, [stateEffect('s2', 'other'), 'done'] as const], ['1']],
  ])('%s', (_what, rows, ids) => {
    expect(revivable(effects(...rows.map((row) => [...row] as [NewEffect, string])))).toEqual(ids);
  });
});

describe('what becomes of an effect that waits, by what happened to its task', () => {
  const head = 'a'.repeat(40) as CommitSha;
  const marker = 'Orch-Merge: ET-001/3';
  const of = (key: string, body: object): NewEffect => ({ ...comment(key), body: body as EffectBody });
  const waiting: Record<string, NewEffect> = {
    comment: comment('c'),
    chat: of('chat', { kind: 'chat.message' }),
    state: of('s', { kind: 'tracker.state', phase: 'in_progress' }),
    branch: of('b', { kind: 'git.start_branch' }),
    pull: of('p', { kind: 'forge.open_pull' }),
    merge: of('m', { kind: 'forge.merge_pull', marker }),
    review: of('r', { kind: 'forge.post_review', vote: 'approved', head }),
  };
  const progress = {
    ...noProgress(),
    branchEffect: 'b',
    pullEffect: 'p',
    postedVerdict: { verdict: 'approved' as const, sha: head },
  };
  const asked = { head, marker, merged: false, mergedSha: null };
  const delivering = holdOn('outside', { blocking: false, owner: 'orch' });
  const order = { kind: 'rejected', by: 'anna', reason: 'no', commentId: 'c1' } as const;
  /** The branch is asked for in `created`, everything else in `deploy`. */
  const standing = (
    name: string,
    over: Partial<Standing['task']> = {},
    visit: Partial<NonNullable<Standing['visit']>> = {},
  ): Standing => ({
    task: {
      stage: name === 'branch' ? 'created' : 'deploy',
      hold: delivering,
      paused: false,
      phase: 'in_progress',
      progress,
      ...over,
    },
    visit: { order: null, merge: asked, ...visit },
  });
  const wanted = (over?: Partial<Standing['task']>, visit?: Partial<NonNullable<Standing['visit']>>): string[] =>
    Object.keys(waiting).filter((name) => isWanted(waiting[name] as NewEffect, standing(name, over, visit)));
  const informs = ['comment', 'chat'];
  const all = [...informs, 'state', 'branch', 'pull', 'merge', 'review'];

  it.each([
    ['nothing', wanted(), all],
    ['its hold was lifted', wanted({ hold: null }), all],
    ['a server does not answer', wanted({ hold: holdOn('cannot_see', { blocking: false, owner: 'orch' }) }), all],
    ['cancelled', wanted({ stage: 'cancelled', phase: 'cancelled', hold: null }), informs],
    ['done', wanted({ stage: 'done', phase: 'done', hold: null }), [...informs, 'review']],
    ['paused', wanted({ paused: true }), [...informs, 'state', 'review']],
    ['closed by hand', wanted({ hold: holdOn('closed_by_hand'), phase: 'blocked' }), [...informs, 'review']],
    ['waits for CI', wanted({ hold: holdOn('ci', { blocking: false, owner: 'ci' }) }), [...informs, 'state', 'review']],
    ['rejected, or ordered on by force', wanted({}, { order }), [...informs, 'state']],
    ['another visit', wanted({}, { merge: null }), all.filter((name) => name !== 'merge')],
    ['merged already', wanted({}, { merge: { ...asked, merged: true } }), all],
    [
      'done',
      wanted({ stage: 'done' }, { merge: { ...asked, merged: true } }),
      [...informs, 'state', 'merge', 'review'],
    ],
    ['asked for again later', wanted({ progress: noProgress() }), [...informs, 'state', 'merge']],
    ['another phase', wanted({ phase: 'in_review' }), all.filter((name) => name !== 'state')],
    ['no phase yet', wanted({ phase: null }), all],
  ])('%s', (_what, found, expected) => {
    expect(found).toEqual(expected);
  });

  it('is kept back while something was not looked at, a review also while the task is paused', () => {
    const fates = (unseen: boolean, over: Partial<Standing['task']> = {}): Record<string, string> =>
      Object.fromEntries(
        Object.entries(waiting).map(([name, effect]) => [name, fateOf(effect, standing(name, over), unseen)]),
      );
    const sent = Object.fromEntries(all.map((name) => [name, 'send']));
    const kept = { state: 'wait', branch: 'wait', pull: 'wait', merge: 'wait', review: 'wait' };
    expect(fates(false)).toEqual(sent);
    expect(fates(true)).toEqual({ ...sent, ...kept });
    expect(fates(true, { stage: 'cancelled', phase: 'cancelled' })).toEqual({ ...sent, ...kept });
    const dropped = { branch: 'withdraw', pull: 'withdraw', merge: 'withdraw', review: 'wait' };
    expect(fates(false, { paused: true })).toEqual({ ...sent, ...dropped });
  });

  it('the task hears of a withdrawal while it waits for that effect, and not when it asked for another one since', () => {
    const [effect] = effects([waiting['pull'] as NewEffect, 'pending']);
    expect(withdrawalOf(effect as Effect, standing('pull', { paused: true }))).toEqual({
      taskId: 'ET-001',
      sourceKey: 'effect_withdrawn:1',
      body: {
        kind: 'effect_settled',
        effectId: '1',
        key: 'p',
        effect: 'forge.open_pull',
        ok: false,
        withdrawn: true,
        result: {},
        error: 'it is not wanted any more',
      },
    });
    expect(withdrawalOf(effect as Effect, standing('pull', { progress: noProgress() }))).toBeNull();
  });
});

describe('what a task hears of a delivery', () => {
  const done: RecordedDelivery = { kind: 'done', result: {} };
  const dead: RecordedDelivery = { kind: 'dead', error: 'refused' };
  const retry: RecordedDelivery = { kind: 'retry', error: 'down', afterMs: 5 };
  const of = (over: Partial<Effect>, delivery: RecordedDelivery) => {
    const [effect] = effects([comment('a'), 'in_flight']);
    return reportOf({ ...(effect as Effect), ...over }, 3, delivery);
  };

  it('is a refusal always, a success when it was asked for, a retry never', () => {
    expect(of({}, done)).toBeNull();
    expect(of({ report: true }, done)?.body).toMatchObject({ ok: true, error: null, key: 'a' });
    expect(of({}, dead)).toMatchObject({
      taskId: 'ET-001',
      sourceKey: 'effect_settled:1:3',
      body: { kind: 'effect_settled', effectId: '1', ok: false, error: 'refused' },
    });
    expect(of({ report: true }, retry)).toBeNull();
  });

  it('is nothing where there is no task', () => {
    expect(of({ taskId: null, report: true }, dead)).toBeNull();
  });
});
