import type { AgentGate, RunId, RunOutcome } from '../model/index.ts';

/** `ORCH_BREAKER_THRESHOLD` and `ORCH_BREAKER_PAUSE_SECONDS`, in milliseconds. */
export interface BreakerPolicy {
  threshold: number;
  pauseMs: number;
}

export const defaultBreaker: BreakerPolicy = { threshold: 3, pauseMs: 300_000 };

/** What a transition of the gate is told to people as (spec 10). */
type GateAlert = { event: 'agent_gate_closed'; reason: string; until: number | null } | { event: 'agent_gate_opened' };

/** A gate that changed, to be stored under its version, and who has to hear of it. */
export interface GateChange {
  gate: AgentGate;
  alert: GateAlert | null;
}

/** Whether an agent may be started: freely, as the one probe of a closed gate, after a login check, or not now. */
export type Admission =
  { kind: 'go' } | { kind: 'probe' } | { kind: 'ask_login' } | { kind: 'wait'; until: number | null };

/** Wait for a usage limit whose reset the server did not name, and between probes of a login that cannot be asked for. */
const unknownResetMs = 300_000;
const blindProbeMs = 600_000;

/**
 * What the gate allows now. While a probe is out nobody else starts; a gate closed for a missing login is opened by the
 * login check only.
 */
export function admission(gate: AgentGate, now: number): Admission {
  if (gate.state === 'open') return { kind: 'go' };
  if (gate.state === 'probing') return { kind: 'wait', until: null };
  if (gate.until === null) return { kind: 'ask_login' };
  return gate.until <= now ? { kind: 'probe' } : { kind: 'wait', until: gate.until };
}

/** Reserves the one probe for `probe`: a run, or a claiming process until it has one. The failures are kept. */
export function beginProbe(gate: AgentGate, probe: string): GateChange {
  return { gate: { ...gate, state: 'probing', probe }, alert: null };
}

/** A probe that found nothing to run, or whose run vanished: closed again, the next one may try from `until` on. */
export function dropProbe(gate: AgentGate, until: number): GateChange {
  return { gate: { ...gate, state: 'closed', until, probe: null }, alert: null };
}

/**
 * What the answer of the login check changes; null when nothing. An affirmative one opens a gate that was closed for
 * authentication. Where the check cannot be asked (null), a probe is let through now and then instead, so that such a
 * gate does not stay closed for ever.
 */
export function afterLoginCheck(gate: AgentGate, loggedIn: boolean | null, now: number): GateChange | null {
  if (gate.state !== 'closed' || gate.reason !== 'authentication') return null;
  if (loggedIn === true) return { gate: opened(gate), alert: { event: 'agent_gate_opened' } };
  if (loggedIn === null && gate.until === null) return { gate: { ...gate, until: now + blindProbeMs }, alert: null };
  return null;
}

/**
 * What a finished run changes (spec 7): three transient failures in a row close the gate for the pause or until the
 * limit resets; a usage limit and a missing login close it at once; any other outcome resets the count. A gate that is not
 * open is moved by its probe only: a run that started before the closure proves nothing about now. A probe that was
 * answered opens it; one that says nothing about the service (cancelled, interrupted) leaves the next probe free.
 * @param now ms since the epoch
 * @returns null when the gate stays as it is
 */
export function afterOutcome(
  gate: AgentGate,
  runId: RunId,
  outcome: RunOutcome,
  now: number,
  policy: BreakerPolicy,
): GateChange | null {
  const probes = gate.state === 'probing' && gate.probe === runId;
  switch (outcome.kind) {
    case 'success':
      return probes ? open(gate) : resetCount(gate);
    case 'usage_limit':
      return close(gate, probes, 'usage_limit', outcome.detail, outcome.resetAt ?? now + unknownResetMs);
    case 'authentication':
      return close(gate, probes, 'authentication', outcome.detail, null);
    case 'transient':
      return afterTransient(gate, probes, outcome, now, policy);
    case 'own_fault':
    case 'timeout':
    case 'budget':
      // The service answered; what went wrong was the run's own affair.
      return probes ? open(gate) : resetCount(gate);
    case 'interrupted':
    case 'cancelled':
      return probes ? dropProbe(gate, now) : resetCount(gate);
  }
}

function afterTransient(
  gate: AgentGate,
  probes: boolean,
  outcome: RunOutcome,
  now: number,
  policy: BreakerPolicy,
): GateChange | null {
  const failures = gate.failures + 1;
  const until = Math.max(now + policy.pauseMs, outcome.resetAt ?? 0);
  if (probes) return close({ ...gate, failures }, true, 'transient', outcome.detail, until);
  if (gate.state !== 'open') return null;
  if (failures < policy.threshold) return { gate: { ...gate, failures }, alert: null };
  return close({ ...gate, failures }, false, 'transient', outcome.detail, until);
}

function opened(gate: AgentGate): AgentGate {
  return { ...gate, state: 'open', reason: null, detail: '', failures: 0, until: null, probe: null };
}

function open(gate: AgentGate): GateChange {
  return { gate: opened(gate), alert: { event: 'agent_gate_opened' } };
}

function resetCount(gate: AgentGate): GateChange | null {
  return gate.state === 'open' && gate.failures > 0 ? { gate: { ...gate, failures: 0 }, alert: null } : null;
}

/**
 * Closes the gate. A run that started before the closure must not shorten it, nor take the probe's place: while a probe
 * is out only its own outcome counts. People hear of it when it closes or when the reason changes, not of every probe.
 */
function close(
  gate: AgentGate,
  probes: boolean,
  reason: NonNullable<AgentGate['reason']>,
  detail: string,
  until: number | null,
): GateChange | null {
  if (gate.state === 'probing' && !probes) return null;
  const sameReason = gate.state !== 'open' && gate.reason === reason;
  if (gate.state === 'closed' && sameReason && (gate.until === null || (until !== null && until <= gate.until)))
    return null;
  return {
    gate: { ...gate, state: 'closed', reason, detail, until, probe: null },
    alert: sameReason ? null : { event: 'agent_gate_closed', reason: `${reason}: ${detail}`, until },
  };
}
