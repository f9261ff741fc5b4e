import { describe, expect, it } from 'vitest';
import { untilNextTick, type TickClock } from '../../src/pollers/ticks.ts';

const second = 1_000;
const minute = 60 * second;
const hour = 60 * minute;
const day = 24 * hour;

interface Time extends TickClock {
  wall: number;
  steady: number;
}

/** Time that passes while somebody sleeps; `jumps`: what happens to the wall clock during the n-th sleep. */
function time(jumps: number[] = []): Time {
  const left = [...jumps];
  const clock: Time = {
    wall: 10 * hour + 5 * second,
    steady: 7,
    now: () => clock.wall,
    monotonic: () => clock.steady,
    sleep: async (ms) => {
      clock.steady += ms;
      clock.wall += ms + (left.shift() ?? 0);
    },
  };
  return clock;
}

const every = (clock: Time, ms: number) => (): number => (Math.floor(clock.wall / ms) + 1) * ms;
const never = new AbortController().signal;

describe('the next tick', () => {
  it.each([
    ['nobody touches the clock', 30 * second, [], 25 * second],
    ['90 s back', 30 * second, [-90 * second], 25 * second],
    ['an hour back', 30 * second, [-hour], 25 * second],
    ['400 days ahead', 30 * second, [400 * day], 25 * second],
    ['400 days ahead and back', minute, [400 * day, -400 * day], 55 * second],
    ['steered by a second', minute, [second], 55 * second],
  ] as const)('%s: it comes when it would have', async (_what, schedule, jumps, wanted) => {
    const clock = time([...jumps]);
    await untilNextTick(every(clock, schedule), clock, never);
    // The sooner counts: a jump ahead may bring a moment of the schedule nearer.
    expect(clock.steady - 7).toBeLessThanOrEqual(wanted);
    expect(clock.steady - 7).toBeGreaterThan(0);
  });

  it('of a schedule of days is chosen again when the clock is set ahead', async () => {
    const clock = time([0, 0, 13 * hour + 50 * minute]);
    await untilNextTick(every(clock, day), clock, never);
    expect(clock.steady - 7).toBeLessThan(11 * minute);
    const slept = time([0, -hour]);
    await untilNextTick(every(slept, day), slept, never);
    expect(slept.steady - 7).toBe(14 * hour - 5 * second);
  });

  it('a timer that fires a moment early does not make two ticks of one', async () => {
    const clock = time();
    const sleep = clock.sleep;
    clock.sleep = (ms, signal) => sleep(ms > second ? ms - 3 : ms, signal);
    await untilNextTick(every(clock, 30 * second), clock, never);
    expect(clock.wall % (30 * second)).toBe(0);
  });

  it('ends with its signal, also when the moment is years away', async () => {
    const stop = new AbortController();
    const clock = time();
    clock.sleep = () => {
      stop.abort();
      return Promise.resolve();
    };
    await untilNextTick(() => clock.wall + 400 * day, clock, stop.signal);
    expect(stop.signal.aborted).toBe(true);
  });
});
