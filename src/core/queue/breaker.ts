import { maxResetAheadMs, type AgentBreaker, type NoticeEvent, type RunId, type RunOutcome } from '../model/index.ts';

/** `ORCH_BREAKER_THRESHOLD` and `ORCH_BREAKER_PAUSE_SECONDS`, in milliseconds. */
export interface BreakerPolicy {
  threshold: number;
  pauseMs: number;
}

export const defaultBreaker: BreakerPolicy = { threshold: 3, pauseMs: 300_000 };

/** What people are notified of at a transition (spec 10). */
type BreakerAlert = Extract<NoticeEvent, { event: 'agents_paused' | 'agents_resumed' }>;

/** A breaker that changed, to be stored under its version, and what people are notified of. */
export interface BreakerChange {
  breaker: AgentBreaker;
  alert: BreakerAlert | null;
}

/** Whether an agent may be started: freely, as the one probe of an open breaker, after a login check, or not now. */
export type Admission =
  { kind: 'go' } | { kind: 'probe' } | { kind: 'ask_login' } | { kind: 'wait'; until: number | null };

/**
 * What the breaker allows now. While a probe runs nobody else starts; a breaker that opened for a missing login is closed
 * by the login check only.
 */
export function admission(breaker: AgentBreaker, now: number): Admission {
  if (breaker.state === 'closed') return { kind: 'go' };
  if (breaker.state === 'half_open') return { kind: 'wait', until: null };
  if (breaker.until === null) return { kind: 'ask_login' };
  // A moment further ahead than any limit's reset was stored by an older orch, or before the clock was set back.
  return breaker.until <= now || breaker.until > now + maxResetAheadMs
    ? { kind: 'probe' }
    : { kind: 'wait', until: breaker.until };
}

/** Reserves the one probe for `probe`: a run, or a claiming process until it has one. The failures are kept. */
export function beginProbe(breaker: AgentBreaker, probe: string): BreakerChange {
  return { breaker: { ...breaker, state: 'half_open', probe }, alert: null };
}

/** A probe that found nothing to run, or whose run vanished: open again, the next one may try from `until` on. */
export function dropProbe(breaker: AgentBreaker, until: number): BreakerChange {
  return { breaker: { ...breaker, state: 'open', until, probe: null }, alert: null };
}

/**
 * What the answer of the login check changes; null when nothing. A yes closes a breaker that opened for authentication.
 * Where the check cannot be asked (null), a probe is let through now and then instead, so that such a breaker does not
 * stay open forever.
 * @param now ms since the epoch
 * @param blindProbeMs wait for that probe
 */
export function afterLoginCheck(
  breaker: AgentBreaker,
  loggedIn: boolean | null,
  now: number,
  blindProbeMs: number,
): BreakerChange | null {
  if (breaker.state !== 'open' || breaker.reason !== 'authentication') return null;
  if (loggedIn === true) return close(breaker);
  if (loggedIn === null && breaker.until === null)
    return { breaker: { ...breaker, until: now + blindProbeMs }, alert: null };
  return null;
}

/**
 * What a finished run changes (spec 7): three transient failures in a row open the breaker for the pause or until the
 * limit resets; a usage limit and a missing login open it at once; any other outcome resets the count. A breaker that is
 * not closed is moved by its probe only: a run that started before it opened proves nothing about now. A probe that was
 * answered closes it; one that says nothing about the service (cancelled, interrupted) leaves the next probe free.
 * @param now ms since the epoch
 * @param policy `unknownResetMs`: wait for a usage limit whose reset the server did not name
 * @returns null when the breaker stays as it is
 */
export function afterOutcome(
  breaker: AgentBreaker,
  runId: RunId,
  outcome: RunOutcome,
  now: number,
  policy: BreakerPolicy & { unknownResetMs: number },
): BreakerChange | null {
  const probes = breaker.state === 'half_open' && breaker.probe === runId;
  switch (outcome.kind) {
    case 'success':
      return probes ? close(breaker) : resetCount(breaker);
    case 'usage_limit':
      return open(
        breaker,
        probes,
        'usage_limit',
        outcome.detail,
        untilOf(outcome.resetAt ?? now + policy.unknownResetMs, now),
      );
    case 'authentication':
      return open(breaker, probes, 'authentication', outcome.detail, null);
    case 'transient':
      return afterTransient(breaker, probes, outcome, now, policy);
    case 'own_fault':
    case 'timeout':
    case 'budget':
      // The service answered; the failure is the run's own.
      return probes ? close(breaker) : resetCount(breaker);
    case 'interrupted':
    case 'cancelled':
      return probes ? dropProbe(breaker, now) : resetCount(breaker);
  }
}

function afterTransient(
  breaker: AgentBreaker,
  probes: boolean,
  outcome: RunOutcome,
  now: number,
  policy: BreakerPolicy,
): BreakerChange | null {
  const failures = breaker.failures + 1;
  const until = untilOf(Math.max(now + policy.pauseMs, outcome.resetAt ?? 0), now);
  if (probes) return open({ ...breaker, failures }, true, 'transient', outcome.detail, until);
  if (breaker.state !== 'closed') return null;
  if (failures < policy.threshold) return { breaker: { ...breaker, failures }, alert: null };
  return open({ ...breaker, failures }, false, 'transient', outcome.detail, until);
}

/** A whole millisecond, no further ahead than a limit can reset. */
function untilOf(moment: number, now: number): number {
  return Math.min(Math.ceil(moment), now + maxResetAheadMs);
}

/** Closed by a person: whatever it was opened for, agents start again at once. Null when it is closed already. */
export function closeByHand(breaker: AgentBreaker): BreakerChange | null {
  return breaker.state === 'closed' && breaker.failures === 0 ? null : close(breaker);
}

function close(breaker: AgentBreaker): BreakerChange {
  return {
    breaker: { ...breaker, state: 'closed', reason: null, detail: '', failures: 0, until: null, probe: null },
    alert: { event: 'agents_resumed' },
  };
}

function resetCount(breaker: AgentBreaker): BreakerChange | null {
  return breaker.state === 'closed' && breaker.failures > 0
    ? { breaker: { ...breaker, failures: 0 }, alert: null }
    : null;
}

/**
 * Opens the breaker. A run that started before must not shorten the pause, nor take the probe's place: while a probe runs
 * only its own outcome counts. People hear of it when it opens or when the reason changes, not of every probe.
 */
function open(
  breaker: AgentBreaker,
  probes: boolean,
  reason: NonNullable<AgentBreaker['reason']>,
  detail: string,
  until: number | null,
): BreakerChange | null {
  if (breaker.state === 'half_open' && !probes) return null;
  const sameReason = breaker.state !== 'closed' && breaker.reason === reason;
  if (breaker.state === 'open' && sameReason && (breaker.until === null || (until !== null && until <= breaker.until)))
    return null;
  return {
    breaker: { ...breaker, state: 'open', reason, detail, until, probe: null },
    alert: sameReason ? null : { event: 'agents_paused', reason: `${reason}: ${detail}`, until },
  };
}
