export interface BackoffPolicy {
  /** Milliseconds; `ORCH_BACKOFF_BASE_SECONDS`, default 10 s. */
  baseMs: number;
  /** Milliseconds; `ORCH_BACKOFF_MAX_SECONDS`, default 600 s. */
  maxMs: number;
}

export const defaultBackoff: BackoffPolicy = { baseMs: 10_000, maxMs: 600_000 };

/**
 * Delay before the next try: `min(2^n × base, max)` with `n` counting this failure, never sooner than the server asked
 * for, jitter (up to a tenth) upwards only, so that nobody is early (spec 6).
 * @param n failures so far, this one included
 * @param notBeforeMs what the server's Retry-After or a limit's reset asks for, milliseconds from now
 * @param random 0 ≤ random < 1
 */
export function backoffMs(n: number, policy: BackoffPolicy, notBeforeMs: number, random: number): number {
  const exponential = Math.min(2 ** Math.min(n, 30) * policy.baseMs, policy.maxMs);
  const wait = Math.max(exponential, notBeforeMs);
  return Math.round(wait * (1 + random * 0.1));
}
