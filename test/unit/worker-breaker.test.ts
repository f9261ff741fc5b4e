import { describe, expect, it } from 'vitest';
import type { AgentGate, RunId, RunOutcome } from '../../src/core/model/index.ts';
import {
  admission,
  afterLoginCheck,
  afterOutcome,
  beginProbe,
  defaultBreaker,
  dropProbe,
  type GateChange,
} from '../../src/core/pipeline/breaker.ts';

const now = 5_000_000;
const open: AgentGate = { state: 'open', reason: null, detail: '', failures: 0, until: null, probe: null, version: 1 };
const run = '7' as RunId;
const other = '8' as RunId;

function outcome(kind: RunOutcome['kind'], resetAt: number | null = null): RunOutcome {
  return {
    kind,
    cause: kind,
    detail: 'the words of the server',
    exitCode: null,
    resetAt,
    costMicros: null,
    tokens: null,
    sessionId: null,
    turns: null,
    result: null,
    tail: '',
  };
}

function change(
  gate: AgentGate,
  kind: RunOutcome['kind'],
  resetAt: number | null = null,
  runId = run,
): GateChange | null {
  return afterOutcome(gate, runId, outcome(kind, resetAt), now, defaultBreaker);
}

/** The gate after these outcomes in a row, and the alerts on the way. */
function after(gate: AgentGate, kinds: RunOutcome['kind'][]): { gate: AgentGate; alerts: string[] } {
  const alerts: string[] = [];
  for (const kind of kinds) {
    const next = change(gate, kind);
    if (next === null) continue;
    gate = next.gate;
    if (next.alert !== null) alerts.push(next.alert.event);
  }
  return { gate, alerts };
}

const closed = after(open, ['transient', 'transient', 'transient']).gate;
const probing = beginProbe(closed, run).gate;

describe('agent gate', () => {
  it('closes for the pause at the third transient failure in a row, and says so once', () => {
    expect(after(open, ['transient', 'transient']).gate).toMatchObject({ state: 'open', failures: 2 });
    const third = after(open, ['transient', 'transient', 'transient']);
    expect(third.gate).toMatchObject({ state: 'closed', reason: 'transient', until: now + 300_000 });
    expect(third.alerts).toEqual(['agent_gate_closed']);
  });

  it.each(['success', 'own_fault', 'timeout', 'budget', 'interrupted', 'cancelled'] as const)(
    '%s in between resets the count',
    (kind) => {
      expect(after(open, ['transient', 'transient', kind, 'transient', 'transient']).gate).toMatchObject({
        state: 'open',
        failures: 2,
      });
    },
  );

  it('stays closed until the limit resets where that is later than the pause', () => {
    const two = after(open, ['transient', 'transient']).gate;
    expect(change(two, 'transient', now + 900_000)?.gate.until).toBe(now + 900_000);
    expect(change(two, 'transient', now + 1_000)?.gate.until).toBe(now + 300_000);
  });

  it('lets nobody start while closed, then one probe', () => {
    expect(admission(open, now)).toEqual({ kind: 'go' });
    expect(admission(closed, now + 299_999)).toEqual({ kind: 'wait', until: now + 300_000 });
    expect(admission(closed, now + 300_000)).toEqual({ kind: 'probe' });
    expect(admission(probing, now + 300_000)).toEqual({ kind: 'wait', until: null });
  });

  it('opens after a good probe, closes again after a transient one without a second alert', () => {
    const good = change(probing, 'success');
    expect(good?.gate).toMatchObject({ state: 'open', failures: 0, reason: null, until: null, probe: null });
    expect(good?.alert).toEqual({ event: 'agent_gate_opened' });
    const bad = change(probing, 'transient');
    expect(bad?.gate).toMatchObject({ state: 'closed', until: now + 300_000, probe: null });
    expect(bad?.alert).toBeNull();
  });

  it('opens when the probe was answered and failed for its own reasons', () => {
    expect(change(probing, 'own_fault')?.gate.state).toBe('open');
  });

  it('frees the probe that was cancelled or interrupted', () => {
    for (const kind of ['cancelled', 'interrupted'] as const) {
      const gate = change(probing, kind)?.gate;
      expect(gate).toMatchObject({ state: 'closed', probe: null });
      expect(gate && admission(gate, now)).toEqual({ kind: 'probe' });
    }
  });

  it('is not moved by runs that started before it closed', () => {
    expect(change(probing, 'success', null, other)).toBeNull();
    expect(change(probing, 'transient', null, other)).toBeNull();
    expect(change(probing, 'usage_limit', now + 1, other)).toBeNull();
    expect(change(closed, 'success', null, other)).toBeNull();
  });

  it('closes at once for a usage limit, until its reset or 5 minutes', () => {
    const limit = change(open, 'usage_limit', now + 7_200_000);
    expect(limit?.gate).toMatchObject({ state: 'closed', reason: 'usage_limit', until: now + 7_200_000 });
    expect(limit?.alert).toMatchObject({ event: 'agent_gate_closed', until: now + 7_200_000 });
    expect(change(open, 'usage_limit')?.gate.until).toBe(now + 300_000);
  });

  it('takes over a later reset while closed, never an earlier one, and does not repeat the alert', () => {
    const limit = change(open, 'usage_limit', now + 600_000)?.gate ?? open;
    expect(change(limit, 'usage_limit', now + 300_000)).toBeNull();
    const later = change(limit, 'usage_limit', now + 900_000);
    expect(later?.gate.until).toBe(now + 900_000);
    expect(later?.alert).toBeNull();
  });

  it('closes for a missing login until the login check says yes', () => {
    const gate = change(open, 'authentication')?.gate ?? open;
    expect(gate).toMatchObject({ state: 'closed', reason: 'authentication', until: null });
    expect(admission(gate, now + 1e9)).toEqual({ kind: 'ask_login' });
    expect(afterLoginCheck(gate, false, now)).toBeNull();
    const yes = afterLoginCheck(gate, true, now);
    expect(yes?.gate.state).toBe('open');
    expect(yes?.alert).toEqual({ event: 'agent_gate_opened' });
  });

  it('probes now and then where the login cannot be asked for', () => {
    const gate = change(open, 'authentication')?.gate ?? open;
    const waiting = afterLoginCheck(gate, null, now)?.gate ?? open;
    expect(waiting).toMatchObject({ state: 'closed', until: now + 600_000 });
    expect(afterLoginCheck(waiting, null, now + 1)).toBeNull();
    expect(admission(waiting, now + 600_000)).toEqual({ kind: 'probe' });
  });

  it('the login check opens nothing that was closed for another reason', () => {
    expect(afterLoginCheck(closed, true, now)).toBeNull();
  });

  it('a dropped probe leaves the failures and the reason', () => {
    expect(dropProbe(probing, now + 10).gate).toMatchObject({
      state: 'closed',
      reason: 'transient',
      failures: 3,
      until: now + 10,
      probe: null,
    });
  });
});
