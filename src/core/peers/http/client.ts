import type { ClientRequest } from 'node:http';
import type { Got } from 'got';
import { createCircuits } from '../../platform/circuit.ts';
import type { Clock } from '../../platform/clock.ts';
import { certificateTrouble, createNetwork, type Network } from '../../platform/network.ts';
import { proxyName } from '../../platform/proxy.ts';
import { createAgents, type Agents } from './agents.ts';
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
  /** Proxies and trusted authorities; default: what the environment says. */
  network?: Network;
  /** Called before every try, also the second one of a read; what it throws ends the call before anything is sent. */
  beforeTry?: () => Promise<void>;
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
  const network = options.network ?? createNetwork({ env: process.env, caFile: null, folder: null });
  const agents = createAgents();

  const send = async (request: HttpRequest): Promise<HttpAnswer> => {
    const { default: got } = await import('got');
    const safe = request.method === 'GET' || request.method === 'HEAD';
    const what = request.what ?? `${request.method} ${new URL(request.url).pathname}`;
    const timeoutMs = safe ? timeouts.readMs : timeouts.writeMs;
    const proxy = network.proxyFor(request.url);
    const ca = network.certificates();
    for (let attempt = 1; ; attempt++) {
      await options.beforeTry?.();
      const agent = await agents(proxy, safe && attempt === 1);
      try {
        return { ...(await exchange(got, request, { agent, ca, timeoutMs, maxBytes })), what };
      } catch (error) {
        if (safe && attempt === 1 && brokenConnection.has(codeOf(error))) continue;
        throw failure(error, what, { timeoutMs, maxBytes, proxy }, options.errors);
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
  agent: Agents;
  /** Authorities to trust in place of those that Node.js knows. */
  ca: string[] | null;
  timeoutMs: number;
  maxBytes: number;
}

/** Codes of errors thrown here: an answer larger than allowed, and a proxy that let nothing through. */
const tooLarge = 'ORCH_TOO_LARGE';
const proxyRefused = 'ORCH_PROXY_REFUSED';

async function exchange(got: Got, request: HttpRequest, limits: Limits): Promise<Omit<HttpAnswer, 'what'>> {
  const stream = got.stream(request.url, {
    method: request.method as 'GET',
    headers: { accept: 'application/json', 'user-agent': 'orch', ...request.headers },
    ...(request.body === undefined ? {} : { body: request.body }),
    agent: limits.agent,
    ...(limits.ca === null ? {} : { https: { certificateAuthority: limits.ca } }),
    timeout: { request: limits.timeoutMs },
    followRedirect: false,
    throwHttpErrors: false,
    retry: { limit: 0 },
  });
  let refused: number | null = null;
  stream.once('request', (sent: ClientRequest) => {
    // Plain addresses are asked of the proxy itself: no connection is made by it, and none refused.
    sent.once('proxyConnect', ({ statusCode }: { statusCode?: number }) => {
      if (statusCode !== undefined && statusCode !== 200) refused = statusCode;
    });
  });
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    size += chunk.length;
    // Counted after decompression: a small compressed answer may unfold to any size.
    if (size > limits.maxBytes) throw Object.assign(new Error('too large'), { code: tooLarge });
    chunks.push(chunk);
  }
  // What was read then is the proxy's, not the server's.
  if (refused !== null) throw refusedBy(refused);
  const { response } = stream;
  if (response === undefined) throw Object.assign(new Error('no answer'), { code: 'ECONNRESET' });
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(response.headers)) {
    if (value !== undefined) headers[name] = Array.isArray(value) ? value.join(', ') : value;
  }
  if (response.statusCode === 407) throw refusedBy(407);
  return { status: response.statusCode, headers, text: Buffer.concat(chunks).toString('utf8') };
}

function refusedBy(status: number): Error {
  return Object.assign(new Error(`answered ${status}`), { code: proxyRefused });
}

function codeOf(error: unknown): string {
  const code: unknown = error instanceof Error && 'code' in error ? error.code : undefined;
  return typeof code === 'string' ? code : '';
}

/** The original error is not kept as a cause: it carries the request's headers, and with them the token. */
function failure(
  error: unknown,
  what: string,
  limits: Pick<Limits, 'timeoutMs' | 'maxBytes'> & { proxy: URL | null },
  errors: PeerErrors,
): unknown {
  const code = codeOf(error);
  const { proxy } = limits;
  if (code === '') return error;
  if (code === tooLarge) return errors.tooLarge(what, limits.maxBytes);
  if (code === 'ETIMEDOUT' && error instanceof Error && error.name === 'TimeoutError') {
    const by = proxy === null ? '' : ` (through the proxy ${proxyName(proxy)})`;
    return errors.unreachable(what, `no answer within ${limits.timeoutMs / 1000} s${by}`);
  }
  if (code.startsWith('HPE_') || code.startsWith('Z_')) return errors.garbage(what, `broken HTTP (${code})`);
  const trouble = certificateTrouble(code);
  if (trouble !== null) return errors.unreachable(what, trouble.detail, trouble.hint);
  if (proxy === null) return errors.unreachable(what, code);
  const said = code === proxyRefused && error instanceof Error ? error.message : `failed with ${code}`;
  const login = said.endsWith(' 407') ? ' It wants a login: http://user:password@host:port.' : '';
  return errors.unreachable(
    what,
    `the proxy ${proxyName(proxy)} ${said}`,
    `Check the proxy in https_proxy or http_proxy, or name the server in no_proxy.${login}`,
  );
}
