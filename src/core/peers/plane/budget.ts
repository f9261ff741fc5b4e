import { OrchError } from '../../model/index.ts';
import type { RequestLedger } from '../../model/index.ts';
import { spendMs } from '../../queue/requests.ts';

/** Requests that may be sent with one Plane token within a sliding minute, by all processes together (spec 4.4). */
export interface RequestBudget {
  /** Spends one request. @throws OrchError `plane_rate_limited` with the wait, before anything is sent; `database_*` */
  take(): Promise<void>;
  /** Lets nothing through for `ms`, in any process: the server said 429, whatever was counted. */
  close(ms: number): Promise<void>;
  remaining(): Promise<number>;
  /** Gives back what was reserved and not sent. */
  release(): Promise<void>;
}

/** What one reservation takes at most: a tick with much to do writes now and then, a killed one loses no more than this. */
const maxReserved = 8;

interface Reserved {
  id: number;
  n: number;
  spent: number;
  /** When it may no longer be sent, on a clock that nobody sets. */
  until: number;
}

/**
 * A budget of `perMinute` requests out of the ledger. Reserved are one, then two, four and eight while they are spent quickly:
 * a look at which nothing is new costs one write.
 */
export function createRequestBudget(perMinute: number, ledger: RequestLedger): RequestBudget {
  let held: Reserved | null = null;
  let want = 1;
  // One after the other, so that calls side by side share a reservation.
  let last: Promise<unknown> = Promise.resolve();
  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const mine = last.then(work);
    last = mine.catch(() => undefined);
    return mine;
  };

  const release = async (): Promise<void> => {
    const old = held;
    held = null;
    if (old !== null && old.spent < old.n) await ledger.giveBack(old.id, old.spent);
  };
  const spend = async (): Promise<void> => {
    if (held !== null && held.spent < held.n && performance.now() < held.until) {
      const waitMs = await ledger.heldMs();
      if (waitMs > 0) throw limit(perMinute, waitMs);
      held.spent += 1;
      return;
    }
    const quick = held !== null && held.spent === held.n && performance.now() < held.until;
    want = quick ? Math.min(want * 2, maxReserved) : 1;
    await release();
    const until = performance.now() + spendMs;
    const answer = await ledger.reserve(want, perMinute);
    if ('waitMs' in answer) throw limit(perMinute, answer.waitMs);
    held = { ...answer, spent: 1, until };
  };
  return {
    take: () => inTurn(spend),
    close: (ms) => ledger.hold(ms),
    remaining: async () => {
      const left = await ledger.left(perMinute);
      const own = held === null || performance.now() >= held.until ? 0 : held.n - held.spent;
      return left === 0 && (await ledger.heldMs()) > 0 ? 0 : left + own;
    },
    release: () => inTurn(release),
  };
}

function limit(perMinute: number, waitMs: number): OrchError {
  return new OrchError(`the request budget of Plane is spent: ${perMinute} requests a minute`, {
    code: 'plane_rate_limited',
    retryAfterMs: waitMs,
    hint: 'Wait, or raise poll.planeRequestsPerMinute if the server allows more.',
  });
}
