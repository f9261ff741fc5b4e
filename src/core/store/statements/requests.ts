import type { RequestLedger } from '../../model/index.ts';
import {
  counting,
  heldFor,
  heldUntil,
  leftOf,
  reserved,
  type RequestHold,
  type Reservation,
} from '../../queue/requests.ts';
import { all, one, run, type Driver, type Query } from '../query.ts';

const newReservation = 'INSERT INTO tracker_requests (at, n) VALUES (@at, @n) RETURNING id';

function* made(): Query<Reservation[]> {
  return yield* all('SELECT id, at, n FROM tracker_requests ORDER BY at, id');
}

function* hold(): Query<RequestHold | null> {
  return yield* one('SELECT since, until FROM tracker_hold WHERE id = 1');
}

function* drop(id: number): Query<void> {
  yield* run('DELETE FROM tracker_requests WHERE id = @id', { id });
}

function* reserve(want: number, perMinute: number, now: number): Query<{ id: number; n: number } | { waitMs: number }> {
  const known = yield* made();
  const current = counting(known, now);
  // As many rows as the budget allows requests, at most.
  for (const old of known) if (!current.includes(old)) yield* drop(old.id);
  const answer = reserved(want, perMinute, current, yield* hold(), now);
  if ('waitMs' in answer) return answer;
  const row = (yield* one<{ id: number }>(newReservation, answer)) as { id: number };
  return { id: row.id, n: answer.n };
}

function* giveBack(id: number, spent: number): Query<void> {
  if (spent === 0) return yield* drop(id);
  yield* run('UPDATE tracker_requests SET n = @spent WHERE id = @id', { id, spent });
}

function* holdFor(ms: number, now: number): Query<void> {
  const { since, until } = heldUntil(yield* hold(), ms, now);
  const text = `INSERT INTO tracker_hold (id, since, until) VALUES (1, @since, @until)
    ON CONFLICT (id) DO UPDATE SET since = @since, until = @until`;
  yield* run(text, { since, until });
}

/** The ledger of all processes: every change is one write transaction, so that two cannot reserve the same request. */
export function requestLedger({ read, write }: Driver, now: () => number): RequestLedger {
  return {
    reserve: (want, perMinute) => write(() => reserve(want, perMinute, now())),
    giveBack: (id, spent) => write(() => giveBack(id, spent)),
    hold: (ms) => write(() => holdFor(ms, now())),
    heldMs: () =>
      read(function* () {
        return heldFor(yield* hold(), now());
      }),
    left: (perMinute) =>
      read(function* () {
        return leftOf(yield* made(), yield* hold(), perMinute, now());
      }),
  };
}
