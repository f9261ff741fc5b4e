import { describe, expect, it } from 'vitest';
import type { Effect, EffectBody, EffectId, NewEffect, RecordedDelivery, TaskId } from '../../src/core/model/index.ts';
import { reportOf, revivable, supersedes } from '../../src/core/queue/outbox.ts';
import { comment, stateEffect } from '../store/bench.ts';

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
