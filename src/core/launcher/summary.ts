import type { RunOutcome } from '../model/index.ts';
import { cursorAt, isFinalResult, parseEvent, readLines } from './stream.ts';

/** What Claude's events say about a run (research: CLI 4.3). Text is kept apart: it is never classified unless it is the CLI's own. */
export interface StreamSummary {
  sessionId: string | null;
  /** Last result of the main work. */
  result: ResultEvent | null;
  /** `total_cost_usd` is a running total of the process: the newest figure counts. */
  costUsd: number | null;
  tokens: RunOutcome['tokens'];
  lastText: string;
  /** Machine name of the failure of the last message, such as `rate_limit` or `authentication_failed`. */
  lastError: string | null;
  /** Newest usage limit that refused requests; null when none did or a later event allowed them again. */
  limit: { resetAt: number | null; type: string } | null;
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

type Json = Record<string, unknown>;
const isObject = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const objectOf = (value: unknown): Json => (isObject(value) ? value : {});
const stringOf = (value: unknown): string | null => (typeof value === 'string' ? value : null);
const numberOf = (value: unknown): number | null =>
  typeof value === 'number' && Number.isFinite(value) ? value : null;
const listOf = (value: unknown): unknown[] => (Array.isArray(value) ? value : []);

export function emptySummary(): StreamSummary {
  return { sessionId: null, result: null, costUsd: null, tokens: null, lastText: '', lastError: null, limit: null };
}

/** Takes one event into the summary; unknown ones change nothing. */
export function addEvent(summary: StreamSummary, event: Json): void {
  if (event['type'] === 'result') addResult(summary, event);
  else if (event['type'] === 'assistant') addMessage(summary, event);
  else if (event['type'] === 'rate_limit_event') addLimit(summary, objectOf(event['rate_limit_info']));
  summary.sessionId = stringOf(event['session_id']) ?? summary.sessionId;
}

function addResult(summary: StreamSummary, event: Json): void {
  summary.costUsd = numberOf(event['total_cost_usd']) ?? summary.costUsd;
  summary.tokens = tokensOf(event) ?? summary.tokens;
  if (!isFinalResult(event)) return;
  const errors = listOf(event['errors']).filter((item) => typeof item === 'string');
  summary.result = {
    subtype: stringOf(event['subtype']) ?? '',
    isError: event['is_error'] === true,
    apiStatus: numberOf(event['api_error_status']),
    terminalReason: stringOf(event['terminal_reason']),
    text: stringOf(event['result']) ?? errors.join('; '),
    turns: numberOf(event['num_turns']),
    denials: listOf(event['permission_denials']).map((item) => stringOf(objectOf(item)['tool_name']) ?? 'a tool'),
  };
}

/** Totals by model cover subagents and are running totals; `usage` is only the main loop, the second choice. */
function tokensOf(event: Json): RunOutcome['tokens'] {
  const models = Object.values(objectOf(event['modelUsage'])).map(objectOf);
  const sum = (rows: Json[], name: string): number =>
    rows.reduce((total, row) => total + (numberOf(row[name]) ?? 0), 0);
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
  if (typeof event['parent_tool_use_id'] === 'string') return;
  summary.lastError = stringOf(event['error']);
  const text = listOf(objectOf(event['message'])['content'])
    .map((block) => stringOf(objectOf(block)['text']))
    .filter((part) => part !== null)
    .join('\n');
  if (text.trim() !== '') summary.lastText = text;
}

function addLimit(summary: StreamSummary, info: Json): void {
  if (info['status'] !== 'rejected') {
    summary.limit = null;
    return;
  }
  const seconds = numberOf(info['resetsAt']);
  summary.limit = {
    resetAt: seconds === null ? null : seconds * 1000,
    type: stringOf(info['rateLimitType']) ?? '',
  };
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
