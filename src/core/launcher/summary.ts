import type { RunOutcome } from '../model/index.ts';
import { countUpTo, maxCostMicros, maxTokens, maxTurns, sessionIdOf } from '../model/index.ts';
import { isObject } from '../platform/objects.ts';
import { listOf, nameOf, objectOf, textOf, type Json } from './fields.ts';
import { cursorAt, isFinalResult, parseEvent, readLines } from './stream.ts';

/** What Claude's events say about a run (research: CLI 4.3). Text is kept apart: it is never classified unless it is the CLI's own. */
export interface StreamSummary {
  sessionId: string | null;
  /** Last result of the main work. */
  result: ResultEvent | null;
  /** Millionths of a dollar. `total_cost_usd` is a running total of the process: the highest figure counts. */
  costMicros: number | null;
  tokens: RunOutcome['tokens'];
  lastText: string;
  /** Machine name of the failure of the last message, such as `rate_limit` or `authentication_failed`. */
  lastError: string | null;
  /** Newest usage limit that refused requests; null when none did or a later event allowed them again. */
  limit: { resetAt: number | null; type: string } | null;
  /** The request that the CLI was sending again when its output ended; null when the last one was answered. */
  retrying: { status: number | null; error: string | null } | null;
}

export interface ResultEvent {
  subtype: string;
  isError: boolean;
  apiStatus: number | null;
  terminalReason: string | null;
  text: string;
  turns: number | null;
  /** Tools that were refused. */
  denials: string[];
}

export function emptySummary(): StreamSummary {
  return {
    sessionId: null,
    result: null,
    costMicros: null,
    tokens: null,
    lastText: '',
    lastError: null,
    limit: null,
    retrying: null,
  };
}

const maxHttpStatus = 599;
/** A moment that a JavaScript date can hold, seconds since the epoch; how far ahead it may lie is judged by the outcome. */
const maxEpochSeconds = 8_640_000_000_000;

const highest = (one: number | null, other: number | null): number | null =>
  one === null || other === null ? (one ?? other) : Math.max(one, other);

/** Takes one event into the summary; unknown ones change nothing. */
export function addEvent(summary: StreamSummary, event: Json): void {
  if (event['type'] === 'result') addResult(summary, event);
  else if (event['type'] === 'assistant') addMessage(summary, event);
  else if (event['type'] === 'system' && event['subtype'] === 'api_retry') addRetry(summary, event);
  else if (event['type'] === 'rate_limit_event') addLimit(summary, objectOf(event['rate_limit_info']));
  summary.sessionId = sessionIdOf(event['session_id']) ?? summary.sessionId;
}

function addResult(summary: StreamSummary, event: Json): void {
  summary.retrying = null;
  const costBefore = summary.costMicros ?? 0;
  const cost = event['total_cost_usd'];
  summary.costMicros = highest(
    summary.costMicros,
    countUpTo(typeof cost === 'number' ? cost * 1e6 : null, maxCostMicros),
  );
  summary.tokens = larger(summary.tokens, tokensOf(event));
  if (!isFinalResult(event) || (summary.result !== null && isEmptyError(event, costBefore))) return;
  const errors = listOf(event['errors']).flatMap((item) => textOf(item) ?? []);
  summary.result = {
    subtype: nameOf(event['subtype']) ?? '',
    isError: event['is_error'] === true,
    apiStatus: countUpTo(event['api_error_status'], maxHttpStatus),
    terminalReason: nameOf(event['terminal_reason']),
    text: textOf(event['result']) ?? errors.join('; '),
    turns: countUpTo(event['num_turns'], maxTurns),
    denials: listOf(event['permission_denials']).map((item) => nameOf(objectOf(item)['tool_name']) ?? 'a tool'),
  };
}

/**
 * An error that says nothing of its own: no turn and no dollar more. The CLI adds one when it is ended after its result
 * (seen with 2.1.197: `error_during_execution`); what was earned before it stands.
 */
function isEmptyError(event: Json, costBefore: number): boolean {
  const turns = countUpTo(event['num_turns'], maxTurns) ?? 0;
  const cost = event['total_cost_usd'];
  return event['is_error'] === true && turns === 0 && (typeof cost !== 'number' || cost * 1e6 <= costBefore);
}

/** Totals only grow: of two the one with more in it. */
function larger(one: RunOutcome['tokens'], other: RunOutcome['tokens']): RunOutcome['tokens'] {
  if (one === null || other === null) return one ?? other;
  const sum = (tokens: NonNullable<RunOutcome['tokens']>): number =>
    tokens.input + tokens.output + tokens.cacheRead + tokens.cacheWrite;
  return sum(other) >= sum(one) ? other : one;
}

/** Totals by model cover subagents and are running totals; `usage` is only the main loop, the second choice. */
function tokensOf(event: Json): RunOutcome['tokens'] {
  const models = Object.values(objectOf(event['modelUsage'])).map(objectOf);
  const sum = (rows: Json[], name: string): number =>
    rows.reduce((total, row) => total + (countUpTo(row[name], maxTokens) ?? 0), 0);
  if (models.length > 0) {
    return {
      input: sum(models, 'inputTokens'),
      output: sum(models, 'outputTokens'),
      cacheRead: sum(models, 'cacheReadInputTokens'),
      cacheWrite: sum(models, 'cacheCreationInputTokens'),
    };
  }
  if (!isObject(event['usage'])) return null;
  const usage = [event['usage']];
  return {
    input: sum(usage, 'input_tokens'),
    output: sum(usage, 'output_tokens'),
    cacheRead: sum(usage, 'cache_read_input_tokens'),
    cacheWrite: sum(usage, 'cache_creation_input_tokens'),
  };
}

function addMessage(summary: StreamSummary, event: Json): void {
  summary.retrying = null;
  if (typeof event['parent_tool_use_id'] === 'string') return;
  summary.lastError = nameOf(event['error']);
  // A message of the model is an answer: whatever limit was named before it does not refuse requests.
  if (summary.lastError === null) summary.limit = null;
  const text = listOf(objectOf(event['message'])['content'])
    .map((block) => textOf(objectOf(block)['text']))
    .filter((part) => part !== null)
    .join('\n');
  if (text.trim() !== '') summary.lastText = text;
}

function addRetry(summary: StreamSummary, event: Json): void {
  summary.retrying = { status: countUpTo(event['error_status'], maxHttpStatus), error: nameOf(event['error']) };
}

function addLimit(summary: StreamSummary, info: Json): void {
  if (info['status'] !== 'rejected' || runsOnOverage(info)) {
    summary.limit = null;
    return;
  }
  const seconds = countUpTo(info['resetsAt'], maxEpochSeconds);
  summary.limit = {
    resetAt: seconds === null ? null : seconds * 1000,
    type: nameOf(info['rateLimitType']) ?? '',
  };
}

/** The allowance is spent and extra usage pays: requests are answered, so the limit refuses nothing. */
function runsOnOverage(info: Json): boolean {
  const allowed = info['overageStatus'] === 'allowed' || info['overageStatus'] === 'allowed_warning';
  return info['isUsingOverage'] === true
    ? info['overageStatus'] !== 'rejected'
    : allowed && info['isUsingOverage'] !== false;
}

/** Reads a whole output file. */
export async function summarise(file: string): Promise<StreamSummary> {
  const summary = emptySummary();
  await readLines(file, cursorAt(0), true, (line) => {
    const event = parseEvent(line);
    if (event !== null) addEvent(summary, event);
  });
  return summary;
}
