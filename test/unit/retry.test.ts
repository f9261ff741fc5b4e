import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { OrchError } from '../../src/core/model/index.ts';
import { backoffMs, defaultBackoff, retrying, retryPolicies, runWaits } from '../../src/core/platform/retry.ts';
import { createCircuits } from '../../src/core/platform/circuit.ts';
import { testClock } from '../store/bench.ts';

const backoffs = fc.record({ baseMs: fc.nat(3_600_000), maxMs: fc.nat(86_400_000) });
const randoms = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
const tries = fc.integer({ min: 1, max: 60 });

describe('the backoff', () => {
  it.each([
    [1, 20_000],
    [2, 40_000],
    [3, 80_000],
    [4, 160_000],
    [5, 320_000],
    [6, 600_000],
    [1000, 600_000],
  ])('is min(2^n × 10 s, 600 s) by default: %i, %i ms', (n, wait) => {
    expect(backoffMs(n, defaultBackoff, 0, 0)).toBe(wait);
  });

  it('adds up to a tenth of jitter, never takes any away, and never comes before the moment that was named', () => {
    fc.assert(
      fc.property(tries, backoffs, fc.nat(7_200_000), randoms, (n, backoff, notBefore, random) => {
        const shortest = Math.max(Math.min(2 ** n * backoff.baseMs, backoff.maxMs), notBefore);
        const wait = backoffMs(n, backoff, notBefore, random);
        expect(wait).toBeGreaterThanOrEqual(shortest);
        expect(wait).toBeLessThanOrEqual(Math.ceil(shortest * 1.1));
      }),
    );
  });

  it('never shrinks with another failure', () => {
    fc.assert(
      fc.property(tries, backoffs, (n, backoff) => {
        expect(backoffMs(n + 1, backoff, 0, 0)).toBeGreaterThanOrEqual(backoffMs(n, backoff, 0, 0));
      }),
    );
  });
});

describe('the waits of a job', () => {
  it('grow with the time waited during an outage, within the bounds of the backoff', () => {
    const { afterOutage } = runWaits(defaultBackoff, 0);
    expect([0, 39_000, 60_000, 1_000_000, 3_600_000].map(afterOutage)).toEqual([
      20_000, 20_000, 30_000, 500_000, 600_000,
    ]);
    const configured = runWaits({ baseMs: 60_000, maxMs: 3_600_000 }, 0).afterOutage;
    expect([0, 1_000_000, 86_400_000].map(configured)).toEqual([120_000, 500_000, 3_600_000]);
  });

  it('for a usage limit end at its reset, or after five minutes, spread over a minute', () => {
    const { afterLimit } = runWaits(defaultBackoff, 0.5);
    expect([7_200_000, -5, null].map(afterLimit)).toEqual([7_230_000, 30_000, 330_000]);
  });
});

describe('repeating', () => {
  const policy = { tries: 4, baseMs: 0, maxMs: 0 };
  const failing = (times: number, error: Error) => {
    let calls = 0;
    return {
      calls: () => calls,
      work: () => (++calls <= times ? Promise.reject(error) : Promise.resolve(calls)),
    };
  };

  it('ends with the first success', async () => {
    const { work } = failing(3, new Error('locked'));
    expect(await retrying(policy, () => true, work)).toBe(4);
  });

  it('gives up after the last try with what that threw', async () => {
    const { work, calls } = failing(9, new Error('locked'));
    await expect(retrying(policy, () => true, work)).rejects.toThrow('locked');
    expect(calls()).toBe(4);
  });

  it('repeats nothing else', async () => {
    const { work, calls } = failing(9, new Error('refused'));
    await expect(retrying(policy, () => false, work)).rejects.toThrow('refused');
    expect(calls()).toBe(1);
  });

  it('waits some seconds in all for a lock of git', () => {
    const { tries, ...backoff } = retryPolicies.gitLock;
    const waits = Array.from({ length: tries - 1 }, (_none, n) => backoffMs(n + 1, backoff, 0, 0));
    expect(waits).toEqual([50, 100, 200, 400, 800, 1600, 2000]);
  });
});

describe('a circuit', () => {
  it('spares a place that cannot be reached for 10, 20, 40, 60 s, and no other failure', async () => {
    const clock = testClock();
    const circuits = createCircuits(clock);
    let calls = 0;
    const ask = (code: 'gitea_unreachable' | 'gitea_server_error') =>
      circuits
        .through('place', () => {
          calls += 1;
          return Promise.reject(new OrchError('down', { code, hint: 'look' }));
        })
        .catch((error: unknown) => error as OrchError);
    await ask('gitea_server_error');
    await ask('gitea_server_error');
    expect(calls).toBe(2);
    for (const seconds of [10, 20, 40, 60, 60]) {
      calls = 0;
      await ask('gitea_unreachable');
      clock.at += seconds * 1000 - 1;
      expect(await ask('gitea_unreachable')).toMatchObject({
        code: 'gitea_unreachable',
        hint: 'look',
        retryAfterMs: 1,
      });
      expect(calls).toBe(1);
      clock.at += 1;
    }
  });
});
