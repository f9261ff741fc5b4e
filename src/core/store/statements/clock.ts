import { one, run, type Query } from '../query.ts';

/** Less is ordinary steering of the clock, and the distance between two processes that look at it. */
const minBackMs = 5_000;
/** How often the time is written down; after a jump a wait may be longer by this. */
const everyMs = 10_000;

const seen = `SELECT CAST(value AS INTEGER) AS at FROM meta WHERE key = 'clock'`;
const note = `INSERT INTO meta (key, value) VALUES ('clock', @now) ON CONFLICT (key) DO UPDATE SET value = @now`;

/** Everything that waits for a moment, so that it waits as long as it would have. */
const waits = [
  `UPDATE jobs SET available_at = available_at - @back WHERE state IN ('queued', 'delayed') AND available_at > @now`,
  `UPDATE outbox SET available_at = available_at - @back WHERE state = 'pending' AND available_at > @now`,
  `UPDATE outbox SET lease_expires_at = lease_expires_at - @back WHERE state = 'in_flight' AND lease_expires_at > @now`,
  `UPDATE tasks SET wake_at = wake_at - @back WHERE awake = 0 AND wake_at > @now`,
];

/**
 * Notes what time it is; when that is earlier than was noted before, the wall clock was set back, and what waits is moved
 * along with it. The note and the move are one transaction, so that of several processes one moves it, once.
 * @returns by how much the clock was set back, ms; 0 when it was not
 */
export function* followClock(now: number): Query<number> {
  const before = (yield* one<{ at: number }>(seen))?.at ?? null;
  const back = before === null ? 0 : before - now;
  if (back > minBackMs) for (const text of waits) yield* run(text, { back, now });
  if (before === null || back > minBackMs || -back >= everyMs) yield* run(note, { now: String(now) });
  return back > minBackMs ? back : 0;
}
