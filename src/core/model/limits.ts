import type { RunOutcome } from './job.ts';

const dayMs = 86_400_000;

/** A cost above this is no figure: the same bound as that of `caps.dollars`, one million dollars. Sums stay exact integers. */
export const maxCostMicros = 1_000_000_000_000;
/** Far above what a run of seven days, the longest time limit, can use. */
export const maxTokens = 1_000_000_000_000;
export const maxTurns = 1_000_000;
/** The longest window of a usage limit is seven days; a day more for clocks that differ. */
export const maxResetAheadMs = 8 * dayMs;
/** Longest wait that an agent's own `Retry-After` may ask for, as for the servers orch talks to. */
export const maxRetryAfterMs = 3_600_000;
/** Exit statuses of a process, and those of orch's own (below zero: stopped). */
const minExitCode = -255;
const maxExitCode = 255;
/** Longest session id, and its alphabet: it becomes a word of a command line, so it can be neither an option nor a path. */
const sessionForm = /^[A-Za-z0-9][A-Za-z0-9_-]{0,127}$/;
/** The detail of an outcome, one line: an agent's, and one with a server's own words and a hint. */
export const maxDetailLength = 300;
const maxStoredDetailLength = 4_000;
export const maxTailBytes = 4 * 1024;
export const maxSummaryLength = 4_000;
/** Answers to people's remarks: how many, how long, and the longest name of a thread. */
export const maxAnswers = 100;
export const maxAnswerLength = 2_000;
export const maxThreadId = 40;

/** A whole number from 0 to `max`, rounded up; null for anything else, fractions of infinity and text included. */
export function countUpTo(value: unknown, max: number): number | null {
  if (typeof value !== 'number' || !Number.isFinite(value) || value < 0 || value > max) return null;
  return Math.ceil(value);
}

/**
 * A moment that somebody else named, ms since the epoch, as a whole number; null when it is none, or further ahead than
 * `maxAheadMs`: then it is not known, which is a short wait, while to believe it would be a long one.
 */
function momentUpTo(value: unknown, now: number, maxAheadMs: number): number | null {
  return countUpTo(value, now + maxAheadMs);
}

/** A session id that may stand in a command line; null for any other value. */
export function sessionIdOf(value: unknown): string | null {
  return typeof value === 'string' && sessionForm.test(value) ? value : null;
}

/**
 * The outcome with every number a whole one within its bounds and every text cut to its length, whatever an agent, a file
 * or an older orch said: it can be stored and added up. What is no figure counts as none.
 * @param now ms since the epoch
 */
export function boundedOutcome(outcome: RunOutcome, now: number): RunOutcome {
  const { exitCode, tokens, result } = outcome;
  const exit = typeof exitCode === 'number' && exitCode >= minExitCode && exitCode <= maxExitCode;
  return {
    ...outcome,
    detail: String(outcome.detail).slice(0, maxStoredDetailLength),
    exitCode: exit ? Math.trunc(exitCode) : null,
    resetAt: momentUpTo(outcome.resetAt, now, maxResetAheadMs),
    costMicros: countUpTo(outcome.costMicros, maxCostMicros),
    tokens: tokens === null ? null : boundedTokens(tokens),
    sessionId: sessionIdOf(outcome.sessionId),
    turns: countUpTo(outcome.turns, maxTurns),
    result: result === null ? null : { ...result, summary: String(result.summary).slice(0, maxSummaryLength) },
    tail: String(outcome.tail).slice(-maxTailBytes),
  };
}

function boundedTokens(tokens: NonNullable<RunOutcome['tokens']>): NonNullable<RunOutcome['tokens']> {
  return {
    input: countUpTo(tokens.input, maxTokens) ?? 0,
    output: countUpTo(tokens.output, maxTokens) ?? 0,
    cacheRead: countUpTo(tokens.cacheRead, maxTokens) ?? 0,
    cacheWrite: countUpTo(tokens.cacheWrite, maxTokens) ?? 0,
  };
}
