import { describe, expect, it } from 'vitest';
import type { RunOutcome } from '../../src/core/model/index.ts';
import { nextAfter, type JobInQuestion } from '../../src/core/queue/budgets.ts';
import { defaultBackoff, runWaits } from '../../src/core/platform/retry.ts';

const now = 1_000_000;
const fresh: JobInQuestion = {
  kind: 'agent',
  attempts: 0,
  maxAttempts: 2,
  transient: 0,
  maxTransient: 5,
  interruptions: 0,
  maxInterruptions: 3,
  cancelRequested: false,
  createdAt: now - 60_000,
};

function outcome(kind: RunOutcome['kind'], more: Partial<RunOutcome> = {}): RunOutcome {
  return {
    kind,
    cause: 'exit_status',
    detail: 'what happened',
    exitCode: null,
    resetAt: null,
    costMicros: null,
    tokens: null,
    sessionId: null,
    turns: null,
    result: null,
    tail: '',
    ...more,
  };
}

/** The rules with the default backoff and no jitter unless asked for. */
function after(job: Partial<JobInQuestion>, what: RunOutcome, random = 0): ReturnType<typeof nextAfter> {
  return nextAfter({ ...fresh, ...job }, what, now, runWaits(defaultBackoff, random));
}

describe('budgets of a job', () => {
  it('is done after a success, whatever was spent before', () => {
    expect(after({ attempts: 1, transient: 5, interruptions: 3 }, outcome('success'))).toEqual({
      next: { kind: 'done' },
      exhausted: null,
    });
  });

  it.each(['own_fault', 'timeout', 'budget'] as const)(
    '%s spends an attempt, repeats at once, and fails at the limit',
    (kind) => {
      expect(after({}, outcome(kind)).next).toMatchObject({ kind: 'again', spend: 'attempt', availableAt: now });
      expect(after({ attempts: 1 }, outcome(kind))).toMatchObject({ next: { kind: 'failed' }, exhausted: 'attempts' });
    },
  );

  it('own faults ignore what other budgets have left', () => {
    expect(after({ transient: 5, interruptions: 3 }, outcome('own_fault')).next).toMatchObject({
      kind: 'again',
      spend: 'attempt',
    });
  });

  it.each([
    [0, 20_000],
    [1, 40_000],
    [2, 80_000],
    [4, 320_000],
  ])('a transient failure after %d others waits %d ms and spends no attempt', (transient, wait) => {
    expect(after({ transient }, outcome('transient')).next).toMatchObject({
      kind: 'again',
      spend: 'transient',
      availableAt: now + wait,
    });
  });

  it('never waits longer than 600 s by itself, and jitter only adds', () => {
    const late = after({ transient: 19, maxTransient: 30 }, outcome('transient')).next;
    expect(late).toMatchObject({ availableAt: now + 600_000 });
    const jittered = after({ transient: 19, maxTransient: 30 }, outcome('transient'), 0.99).next;
    expect(jittered.kind === 'again' && jittered.availableAt).toBeGreaterThan(now + 600_000);
  });

  it('waits as long as the server asked for, also above the own limit, and ignores a shorter wish', () => {
    expect(after({}, outcome('transient', { resetAt: now + 120_000 })).next).toMatchObject({
      availableAt: now + 120_000,
    });
    expect(after({}, outcome('transient', { resetAt: now + 3_600_000 })).next).toMatchObject({
      availableAt: now + 3_600_000,
    });
    expect(after({ transient: 2 }, outcome('transient', { resetAt: now + 5_000 })).next).toMatchObject({
      availableAt: now + 80_000,
    });
    expect(after({}, outcome('transient', { resetAt: now - 5_000 })).next).toMatchObject({ availableAt: now + 20_000 });
  });

  it('fails when the transient retries are spent, with the attempts untouched', () => {
    expect(after({ transient: 2, maxTransient: 2 }, outcome('transient'))).toMatchObject({
      next: { kind: 'failed' },
      exhausted: 'transient',
    });
    expect(after({ attempts: 1, transient: 4 }, outcome('transient')).next).toMatchObject({
      kind: 'again',
      spend: 'transient',
    });
  });

  it('an interruption repeats at once and has a budget of three', () => {
    expect(after({ attempts: 1 }, outcome('interrupted')).next).toMatchObject({
      kind: 'again',
      spend: 'interruption',
      availableAt: now,
    });
    expect(after({ interruptions: 2 }, outcome('interrupted')).next.kind).toBe('again');
    expect(after({ interruptions: 3 }, outcome('interrupted'))).toMatchObject({
      next: { kind: 'failed' },
      exhausted: 'interruptions',
    });
  });

  it('waits for a usage limit until its reset, spread over a minute, spending nothing however often', () => {
    const spent = { attempts: 1, transient: 5, interruptions: 3 };
    const reset = now + 7_200_000;
    expect(after(spent, outcome('usage_limit', { resetAt: reset })).next).toMatchObject({
      kind: 'again',
      spend: 'nothing',
      availableAt: reset,
    });
    expect(after(spent, outcome('usage_limit', { resetAt: reset }), 0.5).next).toMatchObject({
      availableAt: reset + 30_000,
    });
    expect(after(spent, outcome('usage_limit')).next).toMatchObject({ availableAt: now + 300_000 });
  });

  it('begins a new session at once when the former one is gone, spending nothing', () => {
    const spent = { attempts: 1, interruptions: 3 };
    expect(after(spent, outcome('interrupted', { cause: 'resume_failed' })).next).toMatchObject({
      kind: 'again',
      spend: 'launch',
      availableAt: now,
    });
  });

  it('never waits for half a millisecond', () => {
    const waited = { createdAt: now - 100_001 };
    expect(after(waited, outcome('transient', { cause: 'git_unreachable' })).next).toMatchObject({
      availableAt: now + 50_001,
    });
    expect(after({}, outcome('usage_limit', { resetAt: now + 0.5 })).next).toMatchObject({ availableAt: now + 1 });
  });

  it('waits for a login spending nothing', () => {
    expect(after({ attempts: 1, transient: 5 }, outcome('authentication')).next).toMatchObject({
      kind: 'again',
      spend: 'nothing',
    });
  });

  it('does not repeat what the very same run would meet again', () => {
    expect(after({}, outcome('own_fault', { cause: 'prompt_too_long' }))).toMatchObject({
      next: { kind: 'failed' },
      exhausted: 'refused',
    });
    expect(after({}, outcome('own_fault', { cause: 'max_turns' })).next).toMatchObject({
      kind: 'again',
      spend: 'attempt',
    });
  });

  it('ends when cancelled, also when the run failed for another reason meanwhile', () => {
    expect(after({}, outcome('cancelled'))).toEqual({ next: { kind: 'cancelled' }, exhausted: 'cancelled' });
    expect(after({ cancelRequested: true }, outcome('own_fault'))).toEqual({
      next: { kind: 'cancelled' },
      exhausted: 'cancelled',
    });
    expect(after({ cancelRequested: true }, outcome('success')).next).toEqual({ kind: 'done' });
  });

  it('takes a red test command for an answer, and an interrupted one for a reason to repeat', () => {
    expect(after({ kind: 'check' }, outcome('own_fault', { cause: 'exit_status' }))).toMatchObject({
      next: { kind: 'failed' },
    });
    expect(after({ kind: 'check' }, outcome('timeout'))).toMatchObject({ next: { kind: 'failed' } });
    expect(after({ kind: 'check' }, outcome('interrupted')).next.kind).toBe('again');
  });
});
