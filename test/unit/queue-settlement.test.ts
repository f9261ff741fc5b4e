import { describe, expect, it } from 'vitest';
import type { JobNext, OutcomeKind, Spend } from '../../src/core/model/index.ts';
import { jobAfter, taskAfter } from '../../src/core/queue/settlement.ts';
import { outcome } from '../store/bench.ts';

const now = 1000;
const again = (spend: Spend, availableAt = now): JobNext => ({ kind: 'again', availableAt, spend, error: 'e' });
const after = (next: JobNext, kind: OutcomeKind = 'own_fault', cancelRequested = false) =>
  jobAfter({ cancelRequested }, { next, outcome: outcome({ kind }) }, now);
const counters = ({ attempts, transient, interruptions }: ReturnType<typeof after>) => [
  attempts,
  transient,
  interruptions,
];

describe('the job after its run', () => {
  it.each([
    ['attempt', [1, 0, 0]],
    ['transient', [0, 1, 0]],
    ['interruption', [0, 0, 1]],
    ['launch', [0, 0, 0]],
    ['nothing', [0, 0, 0]],
  ] as const)('that goes on spends what it names, whatever the outcome: %s', (spend, spent) => {
    expect(counters(after(again(spend)))).toEqual(spent);
  });

  it.each([
    ['own_fault', [1, 0, 0]],
    ['timeout', [1, 0, 0]],
    ['budget', [1, 0, 0]],
    ['transient', [0, 1, 0]],
    ['interrupted', [0, 0, 1]],
    ['usage_limit', [0, 0, 0]],
    ['authentication', [0, 0, 0]],
    ['success', [0, 0, 0]],
    ['cancelled', [0, 0, 0]],
  ] as const)('that failed shows its last outcome as spent: %s', (kind, spent) => {
    const job = after({ kind: 'failed', error: 'x' }, kind);
    expect(counters(job)).toEqual(spent);
    expect(job).toMatchObject({ state: 'failed', finishedAt: now, error: 'x', availableAt: null });
  });

  it('is finished, queued at once, or delayed until its moment', () => {
    expect(after({ kind: 'done' }, 'success')).toMatchObject({ state: 'done', finishedAt: now, error: null });
    expect(after({ kind: 'cancelled' })).toMatchObject({ state: 'cancelled', finishedAt: now });
    expect(after(again('attempt'))).toMatchObject({ state: 'queued', availableAt: now, finishedAt: null, error: 'e' });
    expect(after(again('transient', now + 1))).toMatchObject({ state: 'delayed', availableAt: now + 1 });
  });

  it('does not run again when somebody asked to stop while it ended', () => {
    expect(after(again('attempt'), 'own_fault', true)).toMatchObject({
      state: 'cancelled',
      finishedAt: now,
      availableAt: null,
    });
  });
});

describe('the task after a run', () => {
  const cost = (micros: number | null, reserved: number | null, next: JobNext = { kind: 'done' }) =>
    taskAfter(reserved, { next, outcome: outcome({ costMicros: micros }) });

  it('gets its reservation back and pays what was spent; without a figure all of it', () => {
    expect(cost(30, 100)).toEqual({ releasedMicros: 100, spentMicros: 30, givesRunBack: false });
    expect(cost(null, 100)).toMatchObject({ releasedMicros: 100, spentMicros: 100 });
    expect(cost(20, null)).toMatchObject({ releasedMicros: 0, spentMicros: 20 });
    expect(cost(null, null)).toMatchObject({ releasedMicros: 0, spentMicros: 0 });
  });

  it('gets the run back when nothing was started', () => {
    expect(cost(0, null, again('launch')).givesRunBack).toBe(true);
    expect(cost(0, null, again('nothing')).givesRunBack).toBe(false);
  });
});
