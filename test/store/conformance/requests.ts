import { describe, expect, it } from 'vitest';
import type { Bench } from '../bench.ts';

const second = 1000;

/** The tracker's budget of all processes. */
export function requestSuite(get: () => Bench): void {
  describe('requests to the tracker', () => {
    const ledger = () => get().store.requests;
    const reserve = (want: number, perMinute = 10) => ledger().reserve(want, perMinute);

    it('are given out until the budget is spent, the last ones one by one, and free again a minute after they were sent', async () => {
      const { clock } = get();
      const sizes: number[] = [];
      for (;;) {
        const answer = await reserve(8);
        if ('waitMs' in answer) {
          // The first of them may be sent for five seconds yet.
          expect(answer.waitMs).toBe(60 * second);
          break;
        }
        sizes.push(answer.n);
      }
      expect(sizes).toEqual([2, 2, 1, 1, 1, 1, 1, 1]);
      expect(await ledger().left(10)).toBe(0);
      clock.at += 60 * second;
      expect(await ledger().left(10)).toBe(6);
      clock.at += 5 * second;
      expect(await ledger().left(10)).toBe(10);
      expect(await reserve(1, 1)).toMatchObject({ n: 1 });
      expect(await ledger().left(10)).toBe(9);
    });

    it('that were not sent are given back', async () => {
      const [first, other] = [await reserve(8, 40), await reserve(8, 40)];
      if ('waitMs' in first || 'waitMs' in other) throw new Error('nothing is left');
      expect([first.n, other.n]).toEqual([8, 8]);
      expect(await ledger().left(40)).toBe(24);
      await ledger().giveBack(first.id, 3);
      await ledger().giveBack(other.id, 0);
      expect(await ledger().left(40)).toBe(37);
    });

    it('wait for all while the server wants to be left alone, for as long as the longest word of it', async () => {
      const { clock } = get();
      await ledger().hold(30 * second);
      await ledger().hold(10 * second);
      expect([await ledger().heldMs(), await ledger().left(10)]).toEqual([30 * second, 0]);
      expect(await reserve(1)).toEqual({ waitMs: 30 * second });
      clock.at += 20 * second;
      await ledger().hold(20 * second);
      clock.at += 20 * second;
      expect(await ledger().heldMs()).toBe(0);
      expect(await reserve(1)).toMatchObject({ n: 1 });
    });

    it('are not kept from anybody by a clock that is set back, and a little difference of two clocks changes nothing', async () => {
      const { clock } = get();
      for (let n = 0; n < 3; n += 1) await reserve(1, 3);
      await ledger().hold(3_600 * second);
      clock.at -= 4 * second;
      expect(await reserve(1, 3)).toEqual({ waitMs: 3_604 * second });
      clock.at -= 3_600 * second;
      expect(await ledger().left(3)).toBe(3);
      expect(await reserve(1, 3)).toMatchObject({ n: 1 });
      expect(await ledger().left(3)).toBe(2);
    });
  });
}
