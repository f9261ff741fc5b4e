import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A block of a message as the Messages API has it; only what the scripts look at. */
interface ApiBlock {
  type: string;
  text?: string;
  id?: string;
  name?: string;
  input?: Record<string, unknown>;
  tool_use_id?: string;
  content?: unknown;
  is_error?: boolean;
}

interface ApiMessage {
  role: 'user' | 'assistant';
  content: ApiBlock[];
}

/** One call of the model, as a script sees it. */
export interface ScriptRequest {
  model: string;
  system: string;
  messages: ApiMessage[];
  /** Names of the tools the CLI offers. */
  tools: string[];
  /** Text of the last prompt, without the reminders that the CLI wraps around it. */
  prompt: string;
  /** Answers of the model since that prompt: 0 is the first call of a run. */
  turn: number;
  /** Results of the tools that the last answer called, in order. */
  results: { text: string; error: boolean }[];
  /** Session id as the CLI sends it along; '' when it does not. */
  session: string;
}

export interface Answer {
  text?: string;
  toolUses?: { name: string; input: Record<string, unknown> }[];
  usage?: { input?: number; output?: number; cacheRead?: number; cacheWrite?: number };
}

/** An HTTP error in place of an answer; without a body the API's usual error object for the status is sent. */
export interface Failure {
  status: number;
  headers?: Record<string, string>;
  body?: unknown;
}

/** May answer later, or never (a run that hangs until it is killed). */
export type Script = (request: ScriptRequest) => Answer | Failure | Promise<Answer | Failure>;

interface RecordedRequest {
  path: string;
  headers: IncomingHttpHeaders;
  body: string;
  /** A call of the agent itself; false for the CLI's small side requests and for token counts. */
  main: boolean;
}

export interface MessagesApi {
  /** For `ANTHROPIC_BASE_URL`. */
  url: string;
  requests: RecordedRequest[];
  /** Answers the next `times` calls of the agent with a failure, before the script is asked. */
  fail(failure: Failure, times?: number): void;
  /** Forgets failures that were not used up. */
  recover(): void;
  stop(): Promise<void>;
}

/** A scripted Messages API on loopback: what the real Claude CLI talks to in the tests, in place of the network. */
export async function startMessagesApi(script: Script): Promise<MessagesApi> {
  const requests: RecordedRequest[] = [];
  const failures: Failure[] = [];
  const server = createServer((request, response) => {
    answerRequest(script, request, response, requests, failures).catch((error: unknown) => {
      if (response.headersSent) response.destroy();
      else
        sendFailure(response, {
          status: 500,
          body: { type: 'error', error: { type: 'api_error', message: String(error) } },
        });
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    fail(failure, times = 1) {
      for (let n = 0; n < times; n++) failures.push(failure);
    },
    recover() {
      failures.length = 0;
    },
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function answerRequest(
  script: Script,
  request: IncomingMessage,
  response: ServerResponse,
  requests: RecordedRequest[],
  failures: Failure[],
): Promise<void> {
  const path = (request.url ?? '').split('?')[0] ?? '';
  const body = await readBody(request);
  const record = { path, headers: request.headers, body, main: false };
  requests.push(record);
  if (request.method !== 'POST' || !path.startsWith('/v1/messages')) return sendFailure(response, { status: 404 });
  if (path.endsWith('/count_tokens')) return sendJson(response, 200, {}, { input_tokens: 10 });
  const parsed = parseRequest(body);
  record.main = parsed.tools.includes('Write');
  if (!record.main) return sendAnswer(response, parsed.model, { text: 'ok' }, parsed.stream);
  const failure = failures.shift();
  const reply = failure ?? (await script(parsed));
  if ('status' in reply) return sendFailure(response, reply);
  sendAnswer(response, parsed.model, reply, parsed.stream);
}

async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('utf8');
}

interface WireRequest {
  model?: string;
  stream?: boolean;
  system?: string | ApiBlock[];
  messages?: { role: 'user' | 'assistant'; content: string | ApiBlock[] }[];
  tools?: { name: string }[];
  metadata?: { user_id?: string };
}

function parseRequest(body: string): ScriptRequest & { stream: boolean } {
  const wire = JSON.parse(body) as WireRequest;
  const messages = (wire.messages ?? []).map((m): ApiMessage => ({ role: m.role, content: blocksOf(m.content) }));
  const promptAt = messages.findLastIndex(
    (m) => m.role === 'user' && !m.content.some((b) => b.type === 'tool_result') && promptText(m) !== '',
  );
  const last = messages.at(-1);
  return {
    model: wire.model ?? '',
    stream: wire.stream === true,
    system: blocksOf(wire.system ?? '')
      .map((b) => b.text ?? '')
      .join('\n'),
    messages,
    tools: (wire.tools ?? []).map((tool) => tool.name),
    prompt: promptAt < 0 ? '' : promptText(messages[promptAt] as ApiMessage),
    turn: messages.slice(promptAt + 1).filter((m) => m.role === 'assistant').length,
    results: (last?.content ?? [])
      .filter((b) => b.type === 'tool_result')
      .map((b) => ({ text: plainText(b.content), error: b.is_error === true })),
    session: /[0-9a-f]{8}-[0-9a-f-]{27}/.exec(wire.metadata?.user_id?.split('session').at(-1) ?? '')?.[0] ?? '',
  };
}

function blocksOf(content: string | ApiBlock[]): ApiBlock[] {
  return typeof content === 'string' ? [{ type: 'text', text: content }] : content;
}

function promptText(message: ApiMessage): string {
  const texts = message.content.filter((b) => b.type === 'text').map((b) => b.text ?? '');
  return texts
    .filter((text) => !text.startsWith('<system-reminder>'))
    .join('\n')
    .trim();
}

/** Text of a tool result, which is a string or a list of blocks. */
function plainText(content: unknown): string {
  if (typeof content === 'string') return content;
  return Array.isArray(content) ? (content as ApiBlock[]).map((b) => b.text ?? '').join('\n') : '';
}

const errorTypes: Record<number, string> = {
  400: 'invalid_request_error',
  401: 'authentication_error',
  403: 'permission_error',
  404: 'not_found_error',
  429: 'rate_limit_error',
  500: 'api_error',
  529: 'overloaded_error',
};

function sendFailure(response: ServerResponse, failure: Failure): void {
  const type = errorTypes[failure.status] ?? 'api_error';
  const body = failure.body ?? { type: 'error', error: { type, message: `scripted ${type}` } };
  sendJson(response, failure.status, failure.headers ?? {}, body);
}

function sendJson(response: ServerResponse, status: number, headers: Record<string, string>, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers });
  response.end(typeof body === 'string' ? body : JSON.stringify(body));
}

function sendAnswer(response: ServerResponse, model: string, answer: Answer, stream: boolean): void {
  const usage = {
    input_tokens: answer.usage?.input ?? 100,
    output_tokens: answer.usage?.output ?? 20,
    cache_read_input_tokens: answer.usage?.cacheRead ?? 0,
    cache_creation_input_tokens: answer.usage?.cacheWrite ?? 0,
  };
  const tools = (answer.toolUses ?? []).map((use) => ({
    type: 'tool_use',
    id: `toolu_${nextId()}`,
    name: use.name,
    input: use.input,
  }));
  const stopReason = tools.length > 0 ? 'tool_use' : 'end_turn';
  const text = answer.text === undefined && tools.length > 0 ? [] : [{ type: 'text', text: answer.text ?? 'done' }];
  const message = { id: `msg_${nextId()}`, type: 'message', role: 'assistant', model, stop_sequence: null };
  if (!stream)
    return sendJson(response, 200, {}, { ...message, content: [...text, ...tools], stop_reason: stopReason, usage });
  response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-cache' });
  const send = (type: string, data: object): void => {
    response.write(`event: ${type}\ndata: ${JSON.stringify({ type, ...data })}\n\n`);
  };
  send('message_start', {
    message: { ...message, content: [], stop_reason: null, usage: { ...usage, output_tokens: 1 } },
  });
  [...text, ...tools].forEach((block, index) => {
    const start = 'text' in block ? { type: 'text', text: '' } : { ...block, input: {} };
    const delta =
      'text' in block
        ? { type: 'text_delta', text: block.text }
        : { type: 'input_json_delta', partial_json: JSON.stringify(block.input) };
    send('content_block_start', { index, content_block: start });
    send('content_block_delta', { index, delta });
    send('content_block_stop', { index });
  });
  send('message_delta', { delta: { stop_reason: stopReason, stop_sequence: null }, usage });
  send('message_stop', {});
  response.end();
}

function nextId(): string {
  return crypto.randomUUID().replaceAll('-', '').slice(0, 24);
}
