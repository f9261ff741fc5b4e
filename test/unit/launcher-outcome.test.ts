import { describe, expect, it } from 'vitest';
import type { RunEvidence } from '../../src/core/launcher/outcome.ts';
import { classify } from '../../src/core/launcher/outcome.ts';
import { addEvent, emptySummary } from '../../src/core/launcher/summary.ts';

const now = 1_700_000_000_000;

/** Lines as the CLI prints them; fields that nothing reads are left out. */
const init = { type: 'system', subtype: 'init', session_id: 's-1', model: 'claude-x', permissionMode: 'dontAsk' };
const done = {
  type: 'result',
  subtype: 'success',
  is_error: false,
  result: 'Wrote the four documents.',
  num_turns: 7,
  total_cost_usd: 0.1234567,
  session_id: 's-1',
  usage: { input_tokens: 1, output_tokens: 2 },
  modelUsage: {
    a: { inputTokens: 10, outputTokens: 20, cacheReadInputTokens: 30, cacheCreationInputTokens: 40 },
    b: { inputTokens: 1, outputTokens: 2, cacheReadInputTokens: 3, cacheCreationInputTokens: 4 },
  },
  permission_denials: [],
  terminal_reason: 'completed',
};
const failed = (fields: Record<string, unknown>) => ({
  ...done,
  is_error: true,
  result: 'API Error',
  terminal_reason: 'api_error',
  ...fields,
});
const says = (text: string, error?: string) => ({
  type: 'assistant',
  error,
  parent_tool_use_id: null,
  message: { content: [{ type: 'text', text }] },
});
const limit = (status: string) => ({
  type: 'rate_limit_event',
  rate_limit_info: { status, resetsAt: 1_700_003_600, rateLimitType: 'five_hour' },
});

function evidence(events: Record<string, unknown>[], more: Partial<RunEvidence> = {}): RunEvidence {
  const stream = emptySummary();
  for (const event of events) addEvent(stream, event);
  return {
    agentKind: 'claude',
    resumed: false,
    timeoutMs: 1_800_000,
    exit: { status: 0, endedAt: now },
    stop: null,
    stream,
    result: null,
    stdoutTail: '',
    stderrTail: '',
    now,
    ...more,
  };
}

const status1 = { exit: { status: 1, endedAt: now } };

describe('Claude', () => {
  it('takes cost, tokens, turns and session from the result', () => {
    expect(classify(evidence([init, done]))).toMatchObject({
      kind: 'success',
      exitCode: 0,
      costMicros: 123_457,
      tokens: { input: 11, output: 22, cacheRead: 33, cacheWrite: 44 },
      sessionId: 's-1',
      turns: 7,
      tail: 'Wrote the four documents.',
    });
  });

  it.each<[string, Record<string, unknown>[], Partial<RunEvidence>, Record<string, unknown>]>([
    ['success with another exit status', [done], status1, { kind: 'success' }],
    [
      'an error that calls itself success, exit 0',
      [failed({ api_error_status: 429 })],
      {},
      { kind: 'transient', cause: 'rate_limit' },
    ],
    ['529', [failed({ api_error_status: 529 })], status1, { kind: 'transient', cause: 'overloaded' }],
    ['500', [failed({ api_error_status: 500 })], status1, { kind: 'transient', cause: 'server_error' }],
    ['401', [failed({ api_error_status: 401 })], status1, { kind: 'authentication' }],
    ['404', [failed({ api_error_status: 404 })], status1, { kind: 'own_fault', cause: 'model_not_found' }],
    [
      'connection lost',
      [failed({ result: 'API Error: Connection error.' })],
      status1,
      { kind: 'transient', cause: 'network' },
    ],
    [
      'an error without reason',
      [failed({ result: 'I broke it', subtype: 'error_during_execution' })],
      status1,
      { kind: 'own_fault', cause: 'error_during_execution' },
    ],
    ['not logged in', [failed({ result: 'Not logged in · Please run /login' })], status1, { kind: 'authentication' }],
    [
      'limit event',
      [limit('rejected'), failed({ api_error_status: 429 })],
      status1,
      { kind: 'usage_limit', cause: 'five_hour', resetAt: 1_700_003_600_000 },
    ],
    [
      'limit that was lifted',
      [limit('rejected'), limit('allowed'), failed({ api_error_status: 429 })],
      status1,
      { kind: 'transient' },
    ],
    ['limit warning', [limit('allowed_warning'), done], {}, { kind: 'success' }],
    [
      'limit in words',
      [failed({ result: "You've hit your session limit · resets 3:45pm" })],
      status1,
      { kind: 'usage_limit', resetAt: null },
    ],
    [
      'limit in the oldest words',
      [failed({ result: 'Claude AI usage limit reached|1700003600' })],
      status1,
      { kind: 'usage_limit', resetAt: 1_700_003_600_000 },
    ],
    [
      'words about a limit in a good result',
      [{ ...done, result: "the text says: you've hit your session limit, HTTP 429" }],
      {},
      { kind: 'success' },
    ],
    [
      'balance',
      [says('Credit balance is too low', 'billing_error'), failed({ result: 'Credit balance is too low' })],
      status1,
      { kind: 'usage_limit', cause: 'billing' },
    ],
    ['turns', [failed({ subtype: 'error_max_turns' })], status1, { kind: 'own_fault', cause: 'max_turns' }],
    [
      'dollars',
      [failed({ subtype: 'error_max_budget_usd', errors: ['Reached maximum budget ($0.0001)'] })],
      status1,
      { kind: 'budget' },
    ],
    [
      'prompt',
      [failed({ terminal_reason: 'prompt_too_long' })],
      status1,
      { kind: 'own_fault', cause: 'prompt_too_long' },
    ],
    [
      'session gone',
      [
        failed({
          subtype: 'error_during_execution',
          result: undefined,
          errors: ['No conversation found with session ID: x'],
        }),
      ],
      { ...status1, resumed: true },
      { cause: 'resume_failed' },
    ],
    ['exit 0 and no result', [init, says('hello')], {}, { kind: 'own_fault', cause: 'no_result', tail: 'hello' }],
    [
      'exit 1 and no result',
      [init],
      { ...status1, stderrTail: 'unknown option --x' },
      { kind: 'own_fault', cause: 'exit_status' },
    ],
    [
      'text of a tool is no transient failure',
      [init],
      { ...status1, stderrTail: 'HTTP 429 too many requests' },
      { kind: 'own_fault' },
    ],
    [
      'last message overloaded, no result',
      [says('API Error: 529', 'overloaded')],
      status1,
      { kind: 'transient', cause: 'overloaded' },
    ],
    ['an old error before other messages', [says('x', 'overloaded'), says('y')], status1, { kind: 'own_fault' }],
    [
      'ended by TERM from outside',
      [init],
      { exit: { status: 143, endedAt: now } },
      { kind: 'interrupted', exitCode: 143 },
    ],
    [
      'no exit and no result',
      [init],
      { exit: null },
      { kind: 'interrupted', cause: 'no_exit', exitCode: null, costMicros: null },
    ],
    ['no exit but a result', [done], { exit: null }, { kind: 'success', exitCode: null }],
    [
      'wall clock',
      [init],
      { exit: { status: 137, endedAt: now }, stop: 'timeout' },
      { kind: 'timeout', cause: 'wall_clock', exitCode: -9 },
    ],
    ['wall clock after success', [done], { stop: 'timeout' }, { kind: 'success', exitCode: 0 }],
    ['idle', [init], { stop: 'idle' }, { kind: 'timeout', cause: 'idle', exitCode: -9 }],
    ['grace', [done], { exit: { status: 143, endedAt: now }, stop: 'grace' }, { kind: 'success', exitCode: 143 }],
    ['grace after a failure', [failed({ api_error_status: 529 })], { stop: 'grace' }, { kind: 'transient' }],
    ['cancel wins over success', [done], { stop: 'cancel' }, { kind: 'cancelled', exitCode: -9 }],
    ['orphan', [init], { stop: 'orphan' }, { kind: 'interrupted', exitCode: -9 }],
    ['output', [init], { stop: 'output' }, { kind: 'own_fault', cause: 'output_limit' }],
  ])('%s', (_name, events, more, expected) => {
    expect(classify(evidence(events, more))).toMatchObject(expected);
  });

  it.each(['--settings={"hooks":{}}', '-r', '../other', 'a b', 'x'.repeat(129), '', 7])(
    '%s is no session',
    (session_id) => {
      expect(classify(evidence([{ ...done, session_id }])).sessionId).toBeNull();
      expect(classify(evidence([init, { ...done, session_id }])).sessionId).toBe('s-1');
    },
  );

  it('keeps of long texts what is stored of them', () => {
    const long = 'x'.repeat(3_000_000);
    const event = { ...limit('rejected'), rate_limit_info: { status: 'rejected', rateLimitType: long } };
    const events = [event, failed({ subtype: long, api_error_status: 429, permission_denials: [{ tool_name: long }] })];
    expect(JSON.stringify(classify(evidence(events, status1))).length).toBeLessThan(10_000);
  });

  it.each([1e300, -1, 1e20, Number.MAX_VALUE, '5', null])('%s is no cost', (total_cost_usd) => {
    expect(classify(evidence([{ ...done, total_cost_usd, num_turns: total_cost_usd }]))).toMatchObject({
      costMicros: null,
      turns: null,
    });
  });

  it.each([
    [1_700_003_600.5, 1_700_003_601_000],
    [1e20, null],
    [-1, null],
    [4_102_444_800, null],
  ])('a reset at %d is %s', (resetsAt, resetAt) => {
    const event = { ...limit('rejected'), rate_limit_info: { status: 'rejected', resetsAt } };
    expect(classify(evidence([event, failed({ api_error_status: 429 })], status1))).toMatchObject({
      kind: 'usage_limit',
      resetAt,
    });
  });

  it('keeps the last result of the main work, and the newest cost', () => {
    const background = { ...done, result: 'a task ended', total_cost_usd: 0.5, origin: { kind: 'task-notification' } };
    const outcome = classify(
      evidence([{ ...done, result: 'first' }, { ...done, result: 'second', total_cost_usd: 0.2 }, background]),
    );
    expect(outcome).toMatchObject({ detail: 'second', costMicros: 500_000 });
  });

  const empty = {
    type: 'result',
    subtype: 'error_during_execution',
    is_error: true,
    num_turns: 0,
    total_cost_usd: 0,
    modelUsage: {},
    usage: { input_tokens: 0, output_tokens: 0 },
  };

  it('what was earned stands when an empty error follows', () => {
    const earned = { ...done, num_turns: 41, total_cost_usd: 1.9 };
    expect(classify(evidence([earned, empty], status1))).toMatchObject({
      kind: 'success',
      turns: 41,
      costMicros: 1_900_000,
      tokens: { input: 11, output: 22 },
    });
    expect(classify(evidence([failed({ api_error_status: 529, total_cost_usd: 1 }), empty], status1))).toMatchObject({
      kind: 'transient',
      cause: 'overloaded',
      costMicros: 1_000_000,
    });
    expect(classify(evidence([empty], status1))).toMatchObject({ kind: 'own_fault', cause: 'error_during_execution' });
  });

  it('an error that did work of its own replaces a success', () => {
    const more = { ...empty, num_turns: 3, total_cost_usd: 2 };
    expect(classify(evidence([done, more], status1))).toMatchObject({ kind: 'own_fault', costMicros: 2_000_000 });
  });

  it('names refused tools, and takes the last words when the result is empty', () => {
    const denied = { ...done, result: '', permission_denials: [{ tool_name: 'WebFetch' }, { tool_name: 'WebFetch' }] };
    const outcome = classify(
      evidence([says('last words'), { ...says('of a subagent'), parent_tool_use_id: 't1' }, denied]),
    );
    expect(outcome).toMatchObject({ detail: 'done (permission denied: WebFetch)', tail: 'last words' });
  });

  it('keeps the detail short, on one line, without control characters', () => {
    const { detail } = classify(evidence([{ ...done, result: `a\nb\u001b[31m${'x'.repeat(400)}` }]));
    expect(detail).toHaveLength(300);
    expect(detail.startsWith('a b\\x1b[31mxxx')).toBe(true);
  });
});

describe('other agents and checks', () => {
  const other = (text: string, status = 1): RunEvidence =>
    evidence([], { agentKind: 'other', stderrTail: text, exit: { status, endedAt: now } });

  it.each([
    ['HTTP 429', 'rate_limit'],
    ['rate limit exceeded', 'rate_limit'],
    ['the server is overloaded', 'overloaded'],
    ['quota exceeded', 'rate_limit'],
    ['error 503', 'server_error'],
    ['Connection reset by peer', 'network'],
    ['Too Many Requests', 'rate_limit'],
  ])('%s is transient', (text, cause) => {
    expect(classify(other(text))).toMatchObject({ kind: 'transient', cause });
  });

  it.each(['KeyError: x', 'SyntaxError', 'AssertionError: 1 != 2', '', 'timeout', 'line 429 of 503'])(
    '"%s" is its own fault',
    (text) => {
      expect(classify(other(text))).toMatchObject({ kind: 'own_fault', cause: 'exit_status' });
    },
  );

  it.each([
    ['HTTP 429\nRetry-After: 42', 42],
    ['HTTP 429 {"retry_after": 7}', 7],
    ['HTTP 429 {"retry-after":"8"}', 8],
  ])('%j asks to wait', (text, seconds) => {
    expect(classify(other(text)).resetAt).toBe(now + seconds * 1000);
    expect(classify(other('HTTP 429')).resetAt).toBeNull();
  });

  it.each(['9999999', '99999999999999999999', '3601'])('a Retry-After of %s seconds is an hour', (seconds) => {
    expect(classify(other(`HTTP 429\nRetry-After: ${seconds}`)).resetAt).toBe(now + 3_600_000);
  });

  it('never calls a check transient or interrupted by what it printed', () => {
    const check = (status: number): RunEvidence => ({ ...other('HTTP 429', status), agentKind: 'check' });
    expect(classify(check(1)).kind).toBe('own_fault');
    expect(classify(check(143)).kind).toBe('own_fault');
    expect(classify(check(0)).kind).toBe('success');
  });

  it('takes a result event of another agent that prints one', () => {
    expect(classify({ ...evidence([failed({ api_error_status: 529 })]), agentKind: 'other' })).toMatchObject({
      kind: 'transient',
    });
  });

  it('keeps the last 4 KiB, both streams, cut on a character', () => {
    const { tail } = classify(
      evidence([], { agentKind: 'check', stdoutTail: 'я'.repeat(6000), stderrTail: 'Ж'.repeat(6000) }),
    );
    expect(Buffer.byteLength(tail)).toBeLessThanOrEqual(4096);
    expect(tail).toMatch(/^я+\nЖ+$/);
  });
});
