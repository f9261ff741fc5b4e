import { expect, it } from 'vitest';
import type { RunEvidence } from '../../src/core/launcher/outcome.ts';
import { classify } from '../../src/core/launcher/outcome.ts';
import { parseEvent } from '../../src/core/launcher/stream.ts';
import { addEvent, emptySummary } from '../../src/core/launcher/summary.ts';

const now = 1_700_000_000_000;

function evidence(events: Record<string, unknown>[], more: Partial<RunEvidence> = {}): RunEvidence {
  const stream = emptySummary();
  for (const event of events) addEvent(stream, event);
  const exit = { status: 1, endedAt: now };
  const rest = { stop: null, stream, result: null, stdoutTail: '', stderrTail: '', now };
  return { agentKind: 'claude', resumed: false, timeoutMs: 1_800_000, exit, ...rest, ...more };
}

const failed = (result: string, status: number | null = null): Record<string, unknown> => ({
  type: 'result',
  subtype: 'success',
  is_error: true,
  api_error_status: status,
  num_turns: 1,
  result,
});

/** What the Claude Code CLI and its runtime print, with nothing but their words to judge by. */
it.each<[string, string]>([
  ["You've hit your session limit · resets 3:45pm", 'usage_limit'],
  ["You've hit your weekly limit · resets Mon 9am", 'usage_limit'],
  ['You’ve hit your Opus limit · resets 3:45pm', 'usage_limit'],
  ["You've hit your org's monthly spend limit", 'usage_limit'],
  ["You're out of extra usage · resets 6pm", 'usage_limit'],
  ["You're out of usage credits · resets Dec 1", 'usage_limit'],
  ['Claude AI usage limit reached|1700003600', 'usage_limit'],
  ['Spending limit reached', 'usage_limit'],
  ['Extra usage is required for long context requests', 'usage_limit'],
  ['API Error: Usage credits are required for long context requests', 'usage_limit'],
  ['Credit balance is too low', 'usage_limit'],
  ['Credit balance too low · Add funds: https://platform.claude.com/settings/billing', 'usage_limit'],
  ['Not logged in · Please run /login', 'authentication'],
  ['Invalid API key · Fix external API key', 'authentication'],
  ['API Error: 401 Invalid API key · Please run /login', 'authentication'],
  ['Please run /login · API Error: 401 {"type":"error"}', 'authentication'],
  ['Failed to authenticate. API Error: 401 Invalid authentication credentials', 'authentication'],
  ['Failed to authenticate: OAuth session expired', 'authentication'],
  ['Authentication error · Try again', 'authentication'],
  ['OAuth token has expired. Please obtain a new token', 'authentication'],
  ['OAuth token revoked · Please run /login', 'authentication'],
  ['Session expired. Please run /login to sign in again.', 'authentication'],
  ['Your account does not have access to Claude. Please login again or contact your administrator.', 'authentication'],
  ['API Error: 400 This organization has been disabled.', 'authentication'],
  ['Your organization has disabled Claude subscription access for Claude Code', 'authentication'],
  ['API Error: Connection error.', 'transient'],
  ['API Error: The socket connection was closed unexpectedly. For more information, pass `verbose: true`', 'transient'],
  ['The socket connection was closed unexpectedly.', 'transient'],
  ['API Error: Unable to connect to API (ConnectionRefused)', 'transient'],
  ['Unable to connect to API: getaddrinfo ENOTFOUND api.anthropic.com', 'transient'],
  ['API Error: connect EHOSTUNREACH 160.79.104.10:443', 'transient'],
  ['getaddrinfo ENOTFOUND api.anthropic.com', 'transient'],
  ['API Error: Request timed out.', 'transient'],
  ['API Error: 529 {"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}', 'transient'],
  ['API Error: 500 {"type":"error","error":{"type":"api_error","message":"Internal server error"}}', 'transient'],
  ['API Error: Repeated 529 Overloaded errors', 'transient'],
  ['Prompt is too long', 'own_fault'],
  ['API Error: 400 due to tool use concurrency issues.', 'own_fault'],
  ['I could not fix the login test: it expects ENOTFOUND.', 'own_fault'],
])('%s: %s', (words, kind) => {
  expect(classify(evidence([failed(words)])).kind).toBe(kind);
});

const limit = (fields: Record<string, unknown>): Record<string, unknown> => ({
  type: 'rate_limit_event',
  rate_limit_info: { status: 'rejected', resetsAt: 1_700_400_000, rateLimitType: 'seven_day', ...fields },
});
const answer = { type: 'assistant', parent_tool_use_id: null, message: { content: [{ type: 'text', text: 'x' }] } };

it.each([
  [500, 'transient'],
  [400, 'own_fault'],
  [401, 'authentication'],
  [429, 'transient'],
])('a %d while extra usage pays is %s, not the limit of days', (status, kind) => {
  const overage = limit({ overageStatus: 'allowed', isUsingOverage: true });
  expect(classify(evidence([overage, failed('API Error', status)])).kind).toBe(kind);
});

it.each([
  [500, 'transient'],
  [400, 'own_fault'],
  [401, 'authentication'],
])('a %d after a limit is judged by its own status: %s', (status, kind) => {
  expect(classify(evidence([limit({}), failed('API Error', status)])).kind).toBe(kind);
});

it('a limit that refuses requests is one, with or without extra usage, until a request is answered', () => {
  const refused = limit({ overageStatus: 'rejected', isUsingOverage: false });
  expect(classify(evidence([refused, failed('API Error', 429)]))).toMatchObject({
    kind: 'usage_limit',
    cause: 'seven_day',
    resetAt: 1_700_400_000_000,
  });
  expect(classify(evidence([limit({}), answer, failed('API Error', 429)])).kind).toBe('transient');
});

it.each(['timeout', 'idle'] as const)('a %s while the service is asked again is the trouble of the service', (stop) => {
  const retry = { type: 'system', subtype: 'api_retry', attempt: 7, error_status: 529, error: 'overloaded' };
  expect(classify(evidence([retry], { stop }))).toMatchObject({ kind: 'transient', cause: 'overloaded' });
  expect(classify(evidence([{ ...retry, error_status: null, error: 'unknown' }], { stop }))).toMatchObject({
    kind: 'transient',
    cause: 'network',
  });
  expect(classify(evidence([retry, answer], { stop })).kind).toBe('timeout');
});

it.each([
  ['a byte-order mark', '\ufeff'],
  ['blanks', ' \t'],
  ['a window title', '\u001b]0;claude\u0007'],
  ['a window title with ESC \\', '\u001b]0;claude\u001b\\'],
  ['a colour', '\u001b[0m\u001b[?25h'],
])('an event is read behind %s, and in front of it', (_name, bytes) => {
  expect(parseEvent(`${bytes}{"type":"result"}`)).toEqual({ type: 'result' });
  expect(parseEvent(`{"type":"result"}${bytes}`)).toEqual({ type: 'result' });
});

it.each(['words {"type":"result"}', '[{"type":"result"}]', '\u001b{"type":"result"}', ''])('%j is no event', (line) => {
  expect(parseEvent(line)).toBeNull();
});
