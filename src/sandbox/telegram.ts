import { jsonObject, startServer } from './http.ts';
import type { Call, Reply, RunningServer } from './http.ts';

interface TelegramMessage {
  id: number;
  chatId: string;
  text: string;
  parseMode: string | null;
}

export interface SandboxTelegram extends RunningServer {
  token: string;
  messages: TelegramMessage[];
}

const longest = 4096;

/** A sink for the Bot API's `sendMessage`; messages are kept, nothing leaves the machine. Ends with `close()`. */
export async function startTelegram(options: { port?: number; token?: string } = {}): Promise<SandboxTelegram> {
  const token = options.token ?? '1234567:sandbox-bot-token';
  const messages: TelegramMessage[] = [];
  const server = await startServer({
    port: options.port,
    handle: (call) => answer(call, token, messages),
  });
  return { ...server, token, messages };
}

function refusal(code: number, description: string): Reply {
  return { status: code, body: { ok: false, error_code: code, description } };
}

/** The refusal of a sender that is too fast, to be put into the faults. */
export function tooManyRequests(seconds: number): { status: number; body: unknown } {
  return {
    status: 429,
    body: {
      ok: false,
      error_code: 429,
      description: `Too Many Requests: retry after ${seconds}`,
      parameters: { retry_after: seconds },
    },
  };
}

function answer(call: Call, token: string, messages: TelegramMessage[]): Reply {
  const parts = /^\/bot([^/]+)\/(\w+)$/.exec(call.path);
  if (parts === null) return refusal(404, 'Not Found');
  if (decodeURIComponent(parts[1] ?? '') !== token) return refusal(401, 'Unauthorized');
  if (parts[2] === 'getMe') {
    return {
      status: 200,
      body: { ok: true, result: { id: 1234567, is_bot: true, first_name: 'orch', username: 'orch_sandbox_bot' } },
    };
  }
  if (parts[2] !== 'sendMessage') return refusal(404, 'Not Found');
  const body = fields(call);
  const chatId = body['chat_id'];
  const text = body['text'];
  if (typeof chatId !== 'string' && typeof chatId !== 'number') return refusal(400, 'Bad Request: chat_id is empty');
  if (typeof text !== 'string' || text === '') return refusal(400, 'Bad Request: message text is empty');
  const parseMode = typeof body['parse_mode'] === 'string' ? body['parse_mode'] : null;
  const bad = parseMode === 'HTML' ? htmlProblem(text) : null;
  if (bad !== null) return refusal(400, `Bad Request: can't parse entities: ${bad}`);
  if (visibleLength(text, parseMode) > longest) return refusal(400, 'Bad Request: message is too long');
  const message: TelegramMessage = { id: messages.length + 1, chatId: String(chatId), text, parseMode };
  messages.push(message);
  return { status: 200, body: { ok: true, result: { message_id: message.id, chat: { id: chatId }, date: 0, text } } };
}

function fields(call: Call): Record<string, unknown> {
  const type = call.headers['content-type'] ?? '';
  if (type.startsWith('application/x-www-form-urlencoded')) {
    return Object.fromEntries(new URLSearchParams(call.body.toString('utf8')));
  }
  return jsonObject(call.body) ?? {};
}

const tags = new Set([
  'b',
  'strong',
  'i',
  'em',
  'u',
  'ins',
  's',
  'strike',
  'del',
  'a',
  'code',
  'pre',
  'blockquote',
  'tg-spoiler',
  'span',
]);

/** What Telegram's HTML mode would not take: unknown tags, bare `<`, tags that do not close. */
function htmlProblem(text: string): string | null {
  const open: string[] = [];
  let rest = text;
  for (;;) {
    const at = rest.indexOf('<');
    if (at < 0) break;
    const tag = /^<(\/?)([a-z][a-z0-9-]*)(?:\s[^<>]*)?>/i.exec(rest.slice(at));
    const name = tag?.[2]?.toLowerCase() ?? '';
    if (tag === null || !tags.has(name)) return `Unsupported start tag "${rest.slice(at + 1, at + 11)}"`;
    if (tag[1] === '') open.push(name);
    else if (open.pop() !== name) return `Unmatched end tag "${name}"`;
    rest = rest.slice(at + tag[0].length);
  }
  return open.length === 0 ? null : `Can't find end tag corresponding to start tag "${open.at(-1) ?? ''}"`;
}

/** The limit counts what is shown, after the entities are parsed. */
function visibleLength(text: string, parseMode: string | null): number {
  return parseMode === 'HTML'
    ? text.replace(/<[^<>]*>/g, '').replace(/&(?:lt|gt|amp|quot|#\d+);/g, ' ').length
    : text.length;
}
