import { describe, expect, it } from 'vitest';
import { systemClock } from '../../src/core/platform/clock.ts';
import { createClockGuard, createNotifier } from '../../src/core/worker/watching.ts';

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

describe('notifier', () => {
  const silent = new AbortController().signal;
  const long = 600_000;

  it('ends a wait at a notification', async () => {
    const notifier = createNotifier((ms, signal) => systemClock.sleep(ms, signal));
    const waiting = notifier.wait(long, silent);
    notifier.notify();
    await waiting;
  });

  it('keeps a notification that nobody waited for, once', async () => {
    const slept: number[] = [];
    const notifier = createNotifier((ms) => Promise.resolve(void slept.push(ms)));
    notifier.notify();
    notifier.notify();
    await notifier.wait(long, silent);
    expect(slept).toEqual([]);
    await notifier.wait(long, silent);
    expect(slept).toEqual([long]);
  });

  it('ends a wait when the worker stops', async () => {
    const stop = new AbortController();
    const notifier = createNotifier((ms, signal) => systemClock.sleep(ms, signal));
    const waiting = notifier.wait(long, stop.signal);
    stop.abort();
    await waiting;
    await notifier.wait(long, stop.signal);
  });
});
