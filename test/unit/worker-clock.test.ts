import { describe, expect, it } from 'vitest';
import { systemClock } from '../../src/core/platform/clock.ts';
import { createClockGuard } from '../../src/core/worker/clock-guard.ts';
import { createBell } from '../../src/core/worker/wake.ts';

const lease = 60_000;

function clocks(): { wall: number; steady: number; pass: (ms: number) => void } {
  const time = { wall: 1_000_000_000, steady: 5_000, pass: (_ms: number): void => {} };
  time.pass = (ms) => {
    time.wall += ms;
    time.steady += ms;
  };
  return time;
}

describe('clock guard', () => {
  it('sees no jump while both clocks run alike, however long', () => {
    const time = clocks();
    const guard = createClockGuard(
      () => time.wall,
      () => time.steady,
      lease,
    );
    time.pass(3_600_000);
    expect(guard.jumped()).toBe(false);
    expect(guard.mayReclaim()).toBe(true);
  });

  it.each([3_600_000, -3_600_000, lease / 2 + 1])('a jump of %d ms forbids to reclaim for one lease period', (jump) => {
    const time = clocks();
    const guard = createClockGuard(
      () => time.wall,
      () => time.steady,
      lease,
    );
    time.pass(1000);
    time.wall += jump;
    expect(guard.jumped()).toBe(true);
    expect(guard.mayReclaim()).toBe(false);
    time.pass(lease - 1);
    expect(guard.jumped()).toBe(false);
    expect(guard.mayReclaim()).toBe(false);
    time.pass(1);
    expect(guard.mayReclaim()).toBe(true);
  });

  it('lets small corrections of the clock pass', () => {
    const time = clocks();
    const guard = createClockGuard(
      () => time.wall,
      () => time.steady,
      lease,
    );
    time.wall += lease / 2;
    expect(guard.jumped()).toBe(false);
  });
});

describe('bell', () => {
  const silent = new AbortController().signal;
  const long = 600_000;

  it('ends a wait when it rings', async () => {
    const bell = createBell((ms, signal) => systemClock.sleep(ms, signal));
    const waiting = bell.wait(long, silent);
    bell.ring();
    await waiting;
  });

  it('keeps a ring that nobody waited for, once', async () => {
    const slept: number[] = [];
    const bell = createBell((ms) => Promise.resolve(void slept.push(ms)));
    bell.ring();
    bell.ring();
    await bell.wait(long, silent);
    expect(slept).toEqual([]);
    await bell.wait(long, silent);
    expect(slept).toEqual([long]);
  });

  it('ends a wait when the worker stops', async () => {
    const stop = new AbortController();
    const bell = createBell((ms, signal) => systemClock.sleep(ms, signal));
    const waiting = bell.wait(long, stop.signal);
    stop.abort();
    await waiting;
    await bell.wait(long, stop.signal);
  });
});
