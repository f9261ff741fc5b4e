import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import type { Got } from 'got';
import { createCircuits } from '../../platform/circuit.ts';
import type { Clock } from '../../platform/clock.ts';
import type { Http, HttpAnswer, HttpRequest, PeerErrors } from './types.ts';

/** Milliseconds until an answer must be complete; spec 5 gives the defaults. */
export interface Timeouts {
  readMs: number;
  writeMs: number;
}

export const defaultTimeouts: Timeouts = { readMs: 10_000, writeMs: 30_000 };

export interface HttpOptions {
  errors: PeerErrors;
  timeouts?: Timeouts;
  /** Largest answer, bytes after decompression; default 16 MiB. */
  maxBytes?: number;
  /** Called before every try, also the second one of a read; what it throws ends the call before anything is sent. */
  beforeTry?: () => void;
  /** Sends no calls for a while to places that do not answer, see `Circuits`; without it every request is sent. */
  circuit?: {
    clock: Clock;
    /** What is in trouble together: the part of the path that names a project or a repository. */
    placeOf: RegExp;
  };
}

const defaultMaxBytes = 16 * 1024 * 1024;
const brokenConnection = new Set(['ECONNRESET', 'EPIPE', 'ERR_STREAM_PREMATURE_CLOSE']);

/**
 * The one way out to a peer: time-outs, no redirects, a cap on the answer, errors without headers or addresses in them.
 * Reads use kept connections and are tried a second time at once when such a connection breaks. Writes get a connection
 * of their own: on a kept one the server may hang up just as the request arrives, and nobody knows whether it counted.
 */
export function createHttp(options: HttpOptions): Http {
  const timeouts = options.timeouts ?? defaultTimeouts;
  const maxBytes = options.maxBytes ?? defaultMaxBytes;
  const fresh = { http: new HttpAgent({ keepAlive: false }), https: new HttpsAgent({ keepAlive: false }) };
  const kept = { http: new HttpAgent({ keepAlive: true }), https: new HttpsAgent({ keepAlive: true }) };

  const send = async (request: HttpRequest): Promise<HttpAnswer> => {
    const { default: got } = await import('got');
    const safe = request.method === 'GET' || request.method === 'HEAD';
    const what = request.what ?? `${request.method} ${new URL(request.url).pathname}`;
    const timeoutMs = safe ? timeouts.readMs : timeouts.writeMs;
    for (let attempt = 1; ; attempt++) {
      options.beforeTry?.();
      try {
        const agent = safe && attempt === 1 ? kept : fresh;
        return { ...(await exchange(got, request, { agent, timeoutMs, maxBytes })), what };
      } catch (error) {
        if (safe && attempt === 1 && brokenConnection.has(codeOf(error))) continue;
        throw failure(error, what, { timeoutMs, maxBytes }, options.errors);
      }
    }
  };
  return options.circuit === undefined ? send : sparing(send, options.errors, options.circuit);
}

/**
 * Reads and writes have circuits of their own: after a write without an answer somebody has to look. A 429 opens them,
 * too: every caller waits as long as the server asked for.
 */
function sparing(send: Http, errors: PeerErrors, { clock, placeOf }: NonNullable<HttpOptions['circuit']>): Http {
  const circuits = createCircuits(clock);
  return async (request) => {
    const side = request.method === 'GET' || request.method === 'HEAD' ? 'read' : 'write';
    const place = placeOf.exec(new URL(request.url).pathname)?.[0] ?? '';
    const answer = await circuits.through(`${side} ${place}`, () => send(request));
    if (answer.status !== 429) return answer;
    const error = errors.ofStatus(answer, '');
    for (const other of ['read', 'write']) circuits.open(`${other} ${place}`, error);
    return answer;
  };
}

interface Limits {
  agent: { http: HttpAgent; https: HttpsAgent };
  timeoutMs: number;
  maxBytes: number;
}

/** Code of the error thrown when an answer is larger than allowed. */
const tooLarge = 'ORCH_TOO_LARGE';

async function exchange(got: Got, request: HttpRequest, limits: Limits): Promise<Omit<HttpAnswer, 'what'>> {
  const stream = got.stream(request.url, {
    method: request.method as 'GET',
    headers: { accept: 'application/json', 'user-agent': 'orch', ...request.headers },
    ...(request.body === undefined ? {} : { body: request.body }),
    agent: limits.agent,
    timeout: { request: limits.timeoutMs },
    followRedirect: false,
    throwHttpErrors: false,
    retry: { limit: 0 },
  });
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    size += chunk.length;
    // Counted after decompression: a small compressed answer may unfold to any size.
    if (size > limits.maxBytes) throw Object.assign(new Error('too large'), { code: tooLarge });
    chunks.push(chunk);
  }
  const { response } = stream;
  if (response === undefined) throw Object.assign(new Error('no answer'), { code: 'ECONNRESET' });
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(response.headers)) {
    if (value !== undefined) headers[name] = Array.isArray(value) ? value.join(', ') : value;
  }
  return { status: response.statusCode, headers, text: Buffer.concat(chunks).toString('utf8') };
}

function codeOf(error: unknown): string {
  const code: unknown = error instanceof Error && 'code' in error ? error.code : undefined;
  return typeof code === 'string' ? code : '';
}

/** The original error is not kept as a cause: it carries the request's headers, and with them the token. */
function failure(error: unknown, what: string, limits: Omit<Limits, 'agent'>, errors: PeerErrors): unknown {
  const code = codeOf(error);
  if (code === '') return error;
  if (code === tooLarge) return errors.tooLarge(what, limits.maxBytes);
  if (code === 'ETIMEDOUT' && error instanceof Error && error.name === 'TimeoutError') {
    return errors.unreachable(what, `no answer within ${limits.timeoutMs / 1000} s`);
  }
  if (code.startsWith('HPE_') || code.startsWith('Z_')) return errors.garbage(what, `broken HTTP (${code})`);
  return errors.unreachable(what, code);
}
