import { describe, expect, it } from 'vitest';
import { boundedOutcome, type RunOutcome } from '../../src/core/model/index.ts';

const now = 1_700_000_000_000;
const dayMs = 86_400_000;
const outcome: RunOutcome = {
  kind: 'usage_limit',
  cause: 'usage_limit',
  detail: 'what happened',
  exitCode: 1,
  resetAt: now + 60_000,
  costMicros: 123,
  tokens: { input: 1, output: 2, cacheRead: 3, cacheWrite: 4 },
  sessionId: 's-1',
  turns: 7,
  result: null,
  tail: '',
};
const odd = [Number.NaN, Number.POSITIVE_INFINITY, -1, 1e300, 1e20, '5', null, undefined, {}];

describe('numbers of an outcome', () => {
  it('that are whole and in bounds stay as they are', () => {
    expect(boundedOutcome(outcome, now)).toEqual(outcome);
  });

  it.each(odd)('%s is no cost, no turns, no reset and no count of tokens', (value) => {
    const number = value as number;
    const tokens = { input: number, output: 2, cacheRead: number, cacheWrite: number };
    const said = { ...outcome, costMicros: number, turns: number, resetAt: number, tokens };
    expect(boundedOutcome(said, now)).toMatchObject({
      costMicros: null,
      turns: null,
      resetAt: null,
      tokens: { input: 0, output: 2, cacheRead: 0, cacheWrite: 0 },
    });
  });

  it('lose their fractions, rounded up', () => {
    expect(boundedOutcome({ ...outcome, costMicros: 0.5, resetAt: now + 0.25, turns: 1.5 }, now)).toMatchObject({
      costMicros: 1,
      resetAt: now + 1,
      turns: 2,
    });
  });

  it('a reset is believed for eight days ahead, not for longer', () => {
    expect(boundedOutcome({ ...outcome, resetAt: now + 8 * dayMs }, now).resetAt).toBe(now + 8 * dayMs);
    expect(boundedOutcome({ ...outcome, resetAt: Date.UTC(2100, 0) }, now).resetAt).toBeNull();
  });

  it.each([-9, 0, 255])('%d is an exit code', (exitCode) => {
    expect(boundedOutcome({ ...outcome, exitCode }, now).exitCode).toBe(exitCode);
  });

  it.each([4e9, -1e9, Number.NaN])('%d is none', (exitCode) => {
    expect(boundedOutcome({ ...outcome, exitCode }, now).exitCode).toBeNull();
  });
});

it('texts of an outcome are cut to what may be stored', () => {
  const long = 'x'.repeat(3_000_000);
  const result = { status: 'failed', summary: long, rolledBack: null } as const;
  const bounded = boundedOutcome({ ...outcome, detail: long, tail: long, result }, now);
  expect(JSON.stringify(bounded).length).toBeLessThan(20_000);
});
