import { parseEvent } from '../../core/launcher/stream.ts';
import { dollars, duration } from '../../ui/format.ts';

/** One thing an agent's log says, for people; `text` may have several lines. */
export interface LogEntry {
  /** `plain`: a line that is no event of a stream, as agents without one and tools print them. */
  kind: 'start' | 'text' | 'tool' | 'tool_error' | 'notice' | 'result' | 'failure' | 'plain';
  text: string;
}

/** Longest input of a tool, or error of one, that is shown: the whole of it is in `--raw`. */
const longest = 200;

type Json = Record<string, unknown>;
const objectOf = (value: unknown): Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Json) : {};
const textOf = (value: unknown): string => (typeof value === 'string' ? value : '');
const listOf = (value: unknown): Json[] => (Array.isArray(value) ? value.map(objectOf) : []);

function short(text: string, ellipsis: string): string {
  const line = text.trim().replace(/\s+/g, ' ');
  const characters = [...line];
  return characters.length <= longest ? line : `${characters.slice(0, longest).join('')}${ellipsis}`;
}

/** What says most about a call: the command, the file, the pattern; else the whole input. */
function inputOf(input: Json, ellipsis: string): string {
  for (const key of ['command', 'file_path', 'path', 'pattern', 'query', 'url', 'description', 'prompt']) {
    if (textOf(input[key]) !== '') return short(textOf(input[key]), ellipsis);
  }
  return Object.keys(input).length === 0 ? '' : short(JSON.stringify(input), ellipsis);
}

function messageEntries(event: Json, ellipsis: string): LogEntry[] {
  const inner = typeof event['parent_tool_use_id'] === 'string' ? '  ' : '';
  const entries: LogEntry[] = [];
  for (const block of listOf(objectOf(event['message'])['content'])) {
    if (block['type'] === 'text' && textOf(block['text']).trim() !== '')
      entries.push({ kind: 'text', text: textOf(block['text']).trim().replace(/^/gm, inner) });
    if (block['type'] === 'tool_use')
      entries.push({
        kind: 'tool',
        text: `${inner}${textOf(block['name'])} ${inputOf(objectOf(block['input']), ellipsis)}`.trimEnd(),
      });
    if (block['type'] === 'tool_result' && block['is_error'] === true)
      entries.push({ kind: 'tool_error', text: `${inner}${short(contentText(block['content']), ellipsis)}` });
  }
  return entries;
}

function contentText(content: unknown): string {
  if (typeof content === 'string') return content;
  return listOf(content)
    .map((part) => textOf(part['text']))
    .join(' ');
}

function resultEntries(event: Json, lastText: string): LogEntry[] {
  const failed = event['is_error'] === true || event['subtype'] !== 'success';
  const errors = Array.isArray(event['errors']) ? event['errors'].filter((item) => typeof item === 'string') : [];
  const text = textOf(event['result']) || errors.join('; ');
  const { num_turns: turns, duration_ms: ms, total_cost_usd: cost } = event;
  const facts = [
    failed ? `failed (${textOf(event['terminal_reason']) || textOf(event['subtype']) || 'no reason'})` : 'finished',
    ...(typeof turns === 'number' ? [`${turns} turns`] : []),
    ...(typeof ms === 'number' ? [duration(ms)] : []),
    ...(typeof cost === 'number' ? [dollars(cost * 1e6)] : []),
  ];
  // The result repeats the last message as a rule.
  const said = text.trim() === '' || text.trim() === lastText ? [] : [{ kind: 'text' as const, text: text.trim() }];
  return [...said, { kind: failed ? 'failure' : 'result', text: facts.join(', ') }];
}

function systemEntries(event: Json): LogEntry[] {
  if (event['subtype'] === 'init')
    return [{ kind: 'start', text: `session ${textOf(event['session_id'])}, model ${textOf(event['model'])}` }];
  if (event['subtype'] !== 'api_retry') return [];
  const status = event['error_status'];
  return [
    {
      kind: 'notice',
      text: `the service refused a request${typeof status === 'number' ? ` (${status})` : ''}, trying again`,
    },
  ];
}

/**
 * Turns lines of an agent's output into what people read. Of a stream of events (`--output-format stream-json`): messages,
 * tools with a short input, failed tools, the result with its cost. Everything else stays as it is.
 * @param ellipsis what stands where something was cut
 */
export function createFormatter(ellipsis: string): (line: string) => LogEntry[] {
  let lastText = '';
  return (line) => {
    const event = parseEvent(line);
    if (event === null) return line === '' ? [] : [{ kind: 'plain', text: line }];
    switch (event['type']) {
      case 'assistant':
      case 'user': {
        const entries = messageEntries(event, ellipsis);
        lastText = entries.findLast(({ kind }) => kind === 'text')?.text ?? lastText;
        return entries;
      }
      case 'result':
        return resultEntries(event, lastText);
      case 'system':
        return systemEntries(event);
      case 'rate_limit_event': {
        const status = textOf(objectOf(event['rate_limit_info'])['status']);
        return status === '' || status === 'allowed'
          ? []
          : [{ kind: 'notice', text: `usage limit: ${status.replaceAll('_', ' ')}` }];
      }
      default:
        return [];
    }
  };
}
