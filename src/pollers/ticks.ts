import type { Clock } from '../core/platform/clock.ts';

/** Longest sleep in one piece, ms: how late it is noticed that the wall clock was set. */
const maxSleepMs = 60_000;
/** Steering of the clock by less than this, ms, is followed without a word. */
const maxDriftMs = 2_000;

export interface TickClock extends Clock {
  /** Milliseconds that no change of the wall clock touches. */
  monotonic(): number;
}

/**
 * Waits until the next tick. The schedule only chooses the moment; how long it is until then is counted on the monotonic
 * clock, so that a wall clock that is set back by an hour silences nothing for an hour. When it was set, the sooner counts:
 * what was left, or what the schedule chooses now.
 * @param next the next moment of the schedule after now, ms since the epoch
 */
export async function untilNextTick(next: () => number, clock: TickClock, signal: AbortSignal): Promise<void> {
  let at = next();
  let [wall, steady] = [clock.now(), clock.monotonic()];
  while (!signal.aborted && at > wall) {
    await clock.sleep(Math.min(at - wall, maxSleepMs), signal);
    const [nowWall, nowSteady] = [clock.now(), clock.monotonic()];
    const moved = nowWall - wall - (nowSteady - steady);
    if (Math.abs(moved) > maxDriftMs) at = Math.min(at + moved, next());
    [wall, steady] = [nowWall, nowSteady];
  }
}
