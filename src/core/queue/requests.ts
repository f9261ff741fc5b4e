import type { RequestLedger } from '../model/index.ts';

/** The tracker's throttle keeps a history of this length, milliseconds. */
const windowMs = 60_000;
/**
 * How long reserved requests may be sent, milliseconds: several are reserved at once, so that not each of them writes, and a
 * process that is killed keeps them from others for this long and the window.
 */
export const spendMs = 5_000;
/** What lies further ahead than this, milliseconds, was written before the clock was set back; less is the distance of two hosts' clocks. */
const maxSkewMs = 5_000;
/** Of what is left, one reservation takes at most this part: nobody takes the last ones in one piece. */
const largestPart = 4;

/** A reservation: `at` is the last moment at which it may be sent. */
export interface Reservation {
  id: number;
  at: number;
  n: number;
}

/** Since when the server wants to be left alone, and until when. */
export interface RequestHold {
  since: number;
  until: number;
}

/** The reservations that still count; after a clock that was set back, those of its future do not. */
export function counting<T extends Pick<Reservation, 'at'>>(made: T[], now: number): T[] {
  return made.filter(({ at }) => now - at < windowMs && at <= now + spendMs + maxSkewMs);
}

/** Milliseconds for which the server wants to be left alone. */
export function heldFor(hold: RequestHold | null, now: number): number {
  if (hold === null || hold.since > now + maxSkewMs) return 0;
  return Math.max(0, hold.until - now);
}

/** The hold after the server has asked for `ms`: an earlier one that ends later stands. */
export function heldUntil(hold: RequestHold | null, ms: number, now: number): RequestHold {
  return hold !== null && heldFor(hold, now) >= ms ? hold : { since: now, until: now + ms };
}

/** What nobody has reserved. */
export function leftOf(made: Reservation[], hold: RequestHold | null, perMinute: number, now: number): number {
  if (heldFor(hold, now) > 0) return 0;
  return Math.max(0, perMinute - spentOf(counting(made, now)));
}

/** What a caller gets that wants so many requests: a new reservation, or how long it has to wait. */
export function reserved(
  want: number,
  perMinute: number,
  made: Reservation[],
  hold: RequestHold | null,
  now: number,
): Omit<Reservation, 'id'> | { waitMs: number } {
  const held = heldFor(hold, now);
  const left = leftOf(made, null, perMinute, now);
  if (held > 0 || left === 0) return { waitMs: Math.max(held, untilFree(counting(made, now), perMinute, now)) };
  const n = Math.min(want, Math.max(1, Math.floor(left / largestPart)));
  // A single one is sent at once.
  return { n, at: n === 1 ? now : now + spendMs };
}

function spentOf(made: Pick<Reservation, 'n'>[]): number {
  return made.reduce((sum, { n }) => sum + n, 0);
}

/** When the first request is free again, ms from now. */
function untilFree(made: Reservation[], perMinute: number, now: number): number {
  let spent = spentOf(made);
  for (const { at, n } of [...made].sort((a, b) => a.at - b.at)) {
    if (spent < perMinute) return 0;
    spent -= n;
    if (spent < perMinute) return at + windowMs - now;
  }
  return 0;
}

/** A ledger of this process alone, for commands that work without the database. */
export function memoryLedger(now: () => number): RequestLedger {
  let made: Reservation[] = [];
  let held: RequestHold | null = null;
  let lastId = 0;
  return {
    reserve: (want, perMinute) => {
      made = counting(made, now());
      const answer = reserved(want, perMinute, made, held, now());
      if ('waitMs' in answer) return Promise.resolve(answer);
      lastId += 1;
      made.push({ id: lastId, ...answer });
      return Promise.resolve({ id: lastId, n: answer.n });
    },
    giveBack: (id, spent) => {
      made = made.flatMap((one) => (one.id !== id ? [one] : spent === 0 ? [] : [{ ...one, n: spent }]));
      return Promise.resolve();
    },
    hold: (ms) => {
      held = heldUntil(held, ms, now());
      return Promise.resolve();
    },
    heldMs: () => Promise.resolve(heldFor(held, now())),
    left: (perMinute) => Promise.resolve(leftOf(made, held, perMinute, now())),
  };
}
