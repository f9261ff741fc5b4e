import { OrchError } from '../../model/index.ts';
import type { Clock } from '../../platform/clock.ts';

/** Requests of one Plane token within a sliding minute, as the server counts them (its throttle keeps a 60 s history). */
export interface RequestBudget {
  /** Spends one request. @throws OrchError `plane_rate_limited` with the wait, before anything is sent */
  take(): void;
  /** Lets nothing through for `ms`: the server said 429, whatever was counted here. */
  close(ms: number): void;
  remaining(): number;
}

const windowMs = 60_000;

/** A budget of `perMinute` requests. Synchronous, so that calls running side by side cannot overspend it. */
export function createRequestBudget(perMinute: number, clock: Clock): RequestBudget {
  let sent: number[] = [];
  let closed: { at: number; ms: number } | null = null;

  /** Forgets what is older than the window, and what lies in the future: a clock set back must not starve anything. */
  const settle = (now: number): void => {
    sent = sent.filter((at) => at <= now && now - at < windowMs);
    if (closed !== null && (now < closed.at || now >= closed.at + closed.ms)) closed = null;
  };
  const wait = (now: number): number => {
    settle(now);
    const untilOpen = closed === null ? 0 : closed.at + closed.ms - now;
    const oldest = sent[sent.length - perMinute];
    const untilFree = oldest === undefined ? 0 : oldest + windowMs - now;
    return Math.max(untilOpen, untilFree);
  };
  return {
    take: () => {
      const now = clock.now();
      const ms = wait(now);
      if (ms > 0) {
        throw new OrchError(`the request budget of Plane is spent: ${perMinute} requests a minute`, {
          code: 'plane_rate_limited',
          retryAfterMs: ms,
          hint: 'Wait, or raise poll.planeRequestsPerMinute if the server allows more.',
        });
      }
      sent.push(now);
    },
    close: (ms) => {
      const at = clock.now();
      if (closed === null || at + ms > closed.at + closed.ms) closed = { at, ms };
    },
    remaining: () => {
      settle(clock.now());
      return closed === null ? Math.max(0, perMinute - sent.length) : 0;
    },
  };
}
