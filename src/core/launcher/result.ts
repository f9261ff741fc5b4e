import { lstatSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { maxAnswerLength, maxAnswers, maxSummaryLength, maxThreadId, type AgentResult } from '../model/index.ts';
import { looseObject } from '../pipeline/front-matter.ts';
import { readSmall } from '../platform/files.ts';
import { printable } from '../platform/printable.ts';
import type { Json } from './fields.ts';
import { invisible, oneLine } from './orders.ts';

/** A result is a few lines; more is not read (spec 7). */
const maxResultBytes = 64 * 1024;
/** How much of what cannot be read is quoted. */
const maxQuote = 80;

/** What `.orch/result.json` holds: a result, nothing, or something that cannot be read, with the reason. */
export interface ReadResult {
  result: AgentResult | null;
  /** Why the file that is there cannot be read, one line; null when it can, or when there is none. */
  trouble: string | null;
}

const none: ReadResult = { result: null, trouble: null };
const unreadable = (trouble: string): ReadResult => ({ result: null, trouble: oneLine(trouble) });

/** What the agent wrote to `.orch/result.json`, in a real folder of that name: no link is followed. */
export function readResult(workspace: string): ReadResult {
  const folder = path.join(workspace, '.orch');
  const file = path.join(folder, 'result.json');
  try {
    if (!lstatSync(folder).isDirectory()) return none;
    if (!lstatSync(file).isFile()) return unreadable('it is no regular file');
    if (lstatSync(file).size > maxResultBytes) return unreadable(`it is longer than ${maxResultBytes} bytes`);
  } catch {
    return none;
  }
  if (readSmall(file, 1) === null) return unreadable('it cannot be opened');
  return parseResult(readFileSync(file));
}

/**
 * Reads a result in the forms that agents write it in: a byte-order mark or UTF-16, a code fence, words around the object,
 * commas too many, quotes too few, other capitals. Two objects that say different things are no result.
 */
export function parseResult(bytes: Buffer): ReadResult {
  const text = decoded(bytes).trim();
  if (text === '') return unreadable('it is empty');
  const found = objectTexts(text)
    .map(looseObject)
    .filter((value) => value !== null)
    .filter((value) => keysOf(value, 'status').length > 0);
  const said = new Set(found.flatMap((value) => keysOf(value, 'status').map((key) => statusOf(value[key]))));
  const [first] = found;
  if (first === undefined) return unreadable(`it holds no object with a status: ${text.slice(0, maxQuote)}`);
  if (said.size > 1) return unreadable('it holds more than one status');
  const [status = null] = said;
  if (status === null)
    return unreadable(
      `its status is ${JSON.stringify(keyOf(first, 'status')).slice(0, maxQuote)}, none of success, failed, nothing_to_do`,
    );
  const summary = keyOf(first, 'summary');
  const answers = answersOf(keyOf(first, 'answers'));
  const rolledBack = keyOf(first, 'rolled_back') ?? keyOf(first, 'rolledBack');
  return {
    result: {
      status,
      summary: typeof summary === 'string' ? printable(summary).replace(invisible, '').slice(0, maxSummaryLength) : '',
      rolledBack: typeof rolledBack === 'boolean' ? rolledBack : null,
      ...(answers.length === 0 ? {} : { answers }),
    },
    trouble: null,
  };
}

/** What is said in threads: a list of objects, or one object with the threads as keys. What is neither is left out. */
function answersOf(value: unknown): NonNullable<AgentResult['answers']> {
  const rows: unknown[] = Array.isArray(value)
    ? value
    : typeof value === 'object' && value !== null
      ? Object.entries(value).map(([thread, text]) => ({ thread, text }))
      : [];
  return rows.slice(0, maxAnswers).flatMap((row) => {
    if (typeof row !== 'object' || row === null) return [];
    const thread = keyOf(row as Json, 'thread');
    const text = keyOf(row as Json, 'text');
    if (typeof thread !== 'string' || typeof text !== 'string' || text.trim() === '') return [];
    return [{ thread: thread.trim().slice(0, maxThreadId), text: shown(text).slice(0, maxAnswerLength) }];
  });
}

/** Nothing that a terminal obeys or that hides from people; lines stay lines. */
function shown(text: string): string {
  return text
    .split(/\r?\n/)
    .map((line) => printable(line.replace(invisible, '')))
    .join('\n')
    .trim();
}

/** UTF-16 is known by its byte-order mark, or by the zero byte that every ASCII character has in it. */
function decoded(bytes: Buffer): string {
  const little = bytes[0] === 0xff && bytes[1] === 0xfe;
  const big = bytes[0] === 0xfe && bytes[1] === 0xff;
  if (little || (bytes[0] !== 0 && bytes[1] === 0)) return new TextDecoder('utf-16le').decode(bytes);
  if (big || (bytes[0] === 0 && bytes[1] !== 0)) return new TextDecoder('utf-16be').decode(bytes);
  return new TextDecoder('utf-8').decode(bytes);
}

/** The texts between outermost braces; braces inside double quotes do not count. */
function objectTexts(text: string): string[] {
  const parts: string[] = [];
  let depth = 0;
  let start = 0;
  let quoted = false;
  for (let at = 0; at < text.length; at++) {
    const c = text[at];
    if (quoted && c === '\\') at++;
    else if (c === '"' && depth > 0) quoted = !quoted;
    else if (!quoted && c === '{') {
      if (depth === 0) start = at;
      depth++;
    } else if (!quoted && c === '}' && depth > 0) {
      depth--;
      if (depth === 0) parts.push(text.slice(start, at + 1));
    }
  }
  return parts;
}

/** Every key of that name, in whatever case: there may be two that say different things. */
function keysOf(value: Json, name: string): string[] {
  return Object.keys(value).filter((own) => own.trim().toLowerCase() === name.toLowerCase());
}

function keyOf(value: Json, name: string): unknown {
  const [key] = keysOf(value, name);
  return key === undefined ? undefined : value[key];
}

const statuses: Record<string, AgentResult['status']> = {
  success: 'success',
  succeeded: 'success',
  failed: 'failed',
  failure: 'failed',
  nothing_to_do: 'nothing_to_do',
};

function statusOf(status: unknown): AgentResult['status'] | null {
  if (typeof status !== 'string') return null;
  const name = status
    .trim()
    .toLowerCase()
    .replace(/[\s-]+/g, '_');
  return Object.hasOwn(statuses, name) ? (statuses[name] ?? null) : null;
}
