import { describe, expect, it } from 'vitest';
import type { AgentBreaker, RunId, RunOutcome } from '../../src/core/model/index.ts';
import {
  admission,
  afterLoginCheck,
  afterOutcome,
  beginProbe,
  closeByHand,
  defaultBreaker,
  dropProbe,
  type BreakerChange,
} from '../../src/core/queue/breaker.ts';

const now = 5_000_000;
const closed: AgentBreaker = {
  state: 'closed',
  reason: null,
  detail: '',
  failures: 0,
  until: null,
  probe: null,
  version: 1,
};
const run = '7' as RunId;
const other = '8' as RunId;
const blindMs = 600_000;

function outcome(kind: RunOutcome['kind'], resetAt: number | null = null): RunOutcome {
  return {
    kind,
    cause: 'exit_status',
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
  breaker: AgentBreaker,
  kind: RunOutcome['kind'],
  resetAt: number | null = null,
  runId = run,
): BreakerChange | null {
  return afterOutcome(breaker, runId, outcome(kind, resetAt), now, { ...defaultBreaker, unknownResetMs: 300_000 });
}

/** The breaker after these outcomes in a row, and the alerts on the way. */
function after(breaker: AgentBreaker, kinds: RunOutcome['kind'][]): { breaker: AgentBreaker; alerts: string[] } {
  const alerts: string[] = [];
  for (const kind of kinds) {
    const next = change(breaker, kind);
    if (next === null) continue;
    breaker = next.breaker;
    if (next.alert !== null) alerts.push(next.alert.event);
  }
  return { breaker, alerts };
}

const open = after(closed, ['transient', 'transient', 'transient']).breaker;
const halfOpen = beginProbe(open, run).breaker;

describe('circuit breaker of the agents', () => {
  it('opens for the pause at the third transient failure in a row, and says so once', () => {
    expect(after(closed, ['transient', 'transient']).breaker).toMatchObject({ state: 'closed', failures: 2 });
    const third = after(closed, ['transient', 'transient', 'transient']);
    expect(third.breaker).toMatchObject({ state: 'open', reason: 'transient', until: now + 300_000 });
    expect(third.alerts).toEqual(['agents_paused']);
  });

  it.each(['success', 'own_fault', 'timeout', 'budget', 'interrupted', 'cancelled'] as const)(
    '%s in between resets the count',
    (kind) => {
      expect(after(closed, ['transient', 'transient', kind, 'transient', 'transient']).breaker).toMatchObject({
        state: 'closed',
        failures: 2,
      });
    },
  );

  it('stays open until the limit resets where that is later than the pause', () => {
    const two = after(closed, ['transient', 'transient']).breaker;
    expect(change(two, 'transient', now + 900_000)?.breaker.until).toBe(now + 900_000);
    expect(change(two, 'transient', now + 1_000)?.breaker.until).toBe(now + 300_000);
  });

  it('lets nobody start while open, then one probe', () => {
    expect(admission(closed, now)).toEqual({ kind: 'go' });
    expect(admission(open, now + 299_999)).toEqual({ kind: 'wait', until: now + 300_000 });
    expect(admission(open, now + 300_000)).toEqual({ kind: 'probe' });
    expect(admission(halfOpen, now + 300_000)).toEqual({ kind: 'wait', until: null });
  });

  it('closes after a good probe, opens again after a transient one without a second alert', () => {
    const good = change(halfOpen, 'success');
    expect(good?.breaker).toMatchObject({ state: 'closed', failures: 0, reason: null, until: null, probe: null });
    expect(good?.alert).toEqual({ event: 'agents_resumed' });
    const bad = change(halfOpen, 'transient');
    expect(bad?.breaker).toMatchObject({ state: 'open', until: now + 300_000, probe: null });
    expect(bad?.alert).toBeNull();
  });

  it('closes when the probe was answered and failed for its own reasons', () => {
    expect(change(halfOpen, 'own_fault')?.breaker.state).toBe('closed');
  });

  it('frees the probe that was cancelled or interrupted', () => {
    for (const kind of ['cancelled', 'interrupted'] as const) {
      const breaker = change(halfOpen, kind)?.breaker;
      expect(breaker).toMatchObject({ state: 'open', probe: null });
      expect(breaker && admission(breaker, now)).toEqual({ kind: 'probe' });
    }
  });

  it('is not moved by runs that started before it opened', () => {
    expect(change(halfOpen, 'success', null, other)).toBeNull();
    expect(change(halfOpen, 'transient', null, other)).toBeNull();
    expect(change(halfOpen, 'usage_limit', now + 1, other)).toBeNull();
    expect(change(open, 'success', null, other)).toBeNull();
  });

  it('opens at once for a usage limit, until its reset or 5 minutes', () => {
    const limit = change(closed, 'usage_limit', now + 7_200_000);
    expect(limit?.breaker).toMatchObject({ state: 'open', reason: 'usage_limit', until: now + 7_200_000 });
    expect(limit?.alert).toMatchObject({ event: 'agents_paused', until: now + 7_200_000 });
    expect(change(closed, 'usage_limit')?.breaker.until).toBe(now + 300_000);
  });

  it('takes over a later reset while open, never an earlier one, and does not repeat the alert', () => {
    const limit = change(closed, 'usage_limit', now + 600_000)?.breaker ?? closed;
    expect(change(limit, 'usage_limit', now + 300_000)).toBeNull();
    const later = change(limit, 'usage_limit', now + 900_000);
    expect(later?.breaker.until).toBe(now + 900_000);
    expect(later?.alert).toBeNull();
  });

  it('stays open for eight days at most, whatever was named or stored', () => {
    const days = 8 * 86_400_000;
    const next = change(closed, 'usage_limit', now + 1e12 + 0.5);
    expect(next?.breaker.until).toBe(now + days);
    const stored: AgentBreaker = { ...closed, state: 'open', reason: 'usage_limit', until: now + days + 1 };
    expect(admission(stored, now)).toEqual({ kind: 'probe' });
  });

  it('is closed by hand, whatever it waits for', () => {
    const open: AgentBreaker = { ...closed, state: 'open', reason: 'authentication', detail: 'no login', failures: 3 };
    expect(closeByHand(open)).toEqual({ breaker: closed, alert: { event: 'agents_resumed' } });
    expect(closeByHand({ ...open, state: 'half_open', probe: run })?.breaker).toEqual(closed);
    expect(closeByHand(closed)).toBeNull();
  });

  it('opens for a missing login until the login check says yes', () => {
    const breaker = change(closed, 'authentication')?.breaker ?? closed;
    expect(breaker).toMatchObject({ state: 'open', reason: 'authentication', until: null });
    expect(admission(breaker, now + 1e9)).toEqual({ kind: 'ask_login' });
    expect(afterLoginCheck(breaker, false, now, blindMs)).toBeNull();
    const yes = afterLoginCheck(breaker, true, now, blindMs);
    expect(yes?.breaker.state).toBe('closed');
    expect(yes?.alert).toEqual({ event: 'agents_resumed' });
  });

  it('probes now and then where the login cannot be asked for', () => {
    const breaker = change(closed, 'authentication')?.breaker ?? closed;
    const waiting = afterLoginCheck(breaker, null, now, blindMs)?.breaker ?? closed;
    expect(waiting).toMatchObject({ state: 'open', until: now + 600_000 });
    expect(afterLoginCheck(waiting, null, now + 1, blindMs)).toBeNull();
    expect(admission(waiting, now + 600_000)).toEqual({ kind: 'probe' });
  });

  it('the login check closes nothing that opened for another reason', () => {
    expect(afterLoginCheck(open, true, now, blindMs)).toBeNull();
  });

  it('a dropped probe leaves the failures and the reason', () => {
    expect(dropProbe(halfOpen, now + 10).breaker).toMatchObject({
      state: 'open',
      reason: 'transient',
      failures: 3,
      until: now + 10,
      probe: null,
    });
  });
});
