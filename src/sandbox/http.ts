import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { disturb } from './disturb.ts';
import { takeFault } from './faults.ts';
import type { FaultAction, FaultRule } from './faults.ts';

/** One request as the route files see it. */
export interface Call {
  method: string;
  /** Path as it was sent: percent-encoding is kept, because servers differ in what they make of `%2F`. */
  path: string;
  query: URLSearchParams;
  headers: http.IncomingHttpHeaders;
  body: Buffer;
  /** Whether the client went away while the request was being worked on. */
  gone(): boolean;
}

/** An answer: a string goes out as it is, anything else as JSON, `undefined` as an empty body. */
export interface Reply {
  status: number;
  body?: unknown;
  headers?: Record<string, string>;
}

export interface ServerOptions {
  port?: number | undefined;
  handle: (call: Call) => Promise<Reply> | Reply;
  /** Takes a request over before its body is read (git over HTTP); true when it did. */
  raw?: (req: http.IncomingMessage, res: http.ServerResponse) => boolean;
}

/** What everybody who starts a server of the sandbox holds. */
export interface RunningServer {
  url: string;
  /** What it answers wrongly from now on. */
  faults: FaultRule[];
  /** `METHOD /path?query` of every request, oldest first, for tests that count. */
  requests: string[];
  /** Stops listening: every connection is refused, until `resume`. */
  pause(): Promise<void>;
  resume(): Promise<void>;
  close(): Promise<void>;
}

const bodyLimit = 6 * 1024 * 1024;
const keptRequests = 20_000;

/** Listens on 127.0.0.1; port 0 takes a free one. */
export async function startServer(options: ServerOptions): Promise<RunningServer> {
  const faults: FaultRule[] = [];
  const requests: string[] = [];
  const server = http.createServer((req, res) => {
    void serve(req, res, { ...options, faults, requests }).catch((error: unknown) => {
      if (!res.headersSent) res.writeHead(500, { 'content-type': 'text/plain' });
      res.end(error instanceof Error ? (error.stack ?? error.message) : 'internal error');
    });
  });
  const listen = (port: number): Promise<void> =>
    new Promise((resolve, reject) => {
      server.once('error', reject);
      server.listen(port, '127.0.0.1', resolve);
    });
  const close = (): Promise<void> =>
    new Promise((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
  await listen(options.port ?? 0);
  const { port } = server.address() as AddressInfo;
  const url = `http://127.0.0.1:${port}`;
  return { url, faults, requests, pause: close, resume: () => listen(port), close };
}

async function serve(
  req: http.IncomingMessage,
  res: http.ServerResponse,
  { requests, faults, ...options }: ServerOptions & Pick<RunningServer, 'requests' | 'faults'>,
): Promise<void> {
  const method = req.method ?? 'GET';
  const target = req.url ?? '/';
  requests.push(`${method} ${target}`);
  if (requests.length > keptRequests) requests.splice(0, keptRequests / 2);
  const fault = takeFault(faults, method, target);
  if (fault?.kind === 'reset') return void req.socket.resetAndDestroy();
  if (fault?.kind === 'hang') return;
  if (fault?.kind === 'html') {
    return send(res, {
      status: 200,
      body: '<html><body>Please log in</body></html>',
      headers: { 'content-type': 'text/html' },
    });
  }
  if (fault?.kind === 'answer') return send(res, fault);
  if (fault?.kind === 'delay') await new Promise((resolve) => setTimeout(resolve, fault.ms));
  const calm = disturb(req, res, fault);
  if (options.raw?.(req, res) === true) return;
  calm();
  const body = await readBody(req);
  const url = new URL(target, 'http://sandbox');
  const reply =
    body === null
      ? { status: 413, body: '' }
      : await options.handle({
          method,
          path: target.split('?', 1)[0] ?? '/',
          query: url.searchParams,
          headers: req.headers,
          body,
          gone: () => req.socket.destroyed,
        });
  deliver(req, res, reply, fault);
}

function deliver(req: http.IncomingMessage, res: http.ServerResponse, reply: Reply, fault: FaultAction | null): void {
  if (fault?.kind === 'saved-reset') return void req.socket.resetAndDestroy();
  if (fault?.kind === 'saved-hang') return;
  if (fault?.kind === 'saved-answer') return send(res, fault);
  if (fault?.kind === 'emptied') return send(res, emptied(reply));
  if (fault?.kind !== 'truncated') return send(res, reply);
  const text = Buffer.from(typeof reply.body === 'string' ? reply.body : JSON.stringify(reply.body ?? ''));
  res.writeHead(reply.status, { 'content-type': 'application/json', 'content-length': String(text.length + 1) });
  res.write(text.subarray(0, Math.floor(text.length / 2)), () => req.socket.destroy());
}

/** A list without its rows, with or without an envelope; anything else stays as it is. */
function emptied(reply: Reply): Reply {
  const { body } = reply;
  if (Array.isArray(body)) return { ...reply, body: [] };
  if (typeof body !== 'object' || body === null || !('results' in body)) return reply;
  return { ...reply, body: { ...body, results: [] } };
}

function send(res: http.ServerResponse, reply: Reply): void {
  if (res.destroyed) return;
  const text = reply.body === undefined ? '' : typeof reply.body === 'string' ? reply.body : JSON.stringify(reply.body);
  const headers: Record<string, string> = { ...reply.headers };
  if (reply.body !== undefined && headers['content-type'] === undefined) {
    headers['content-type'] = typeof reply.body === 'string' ? 'text/plain; charset=utf-8' : 'application/json';
  }
  if (reply.status !== 204) headers['content-length'] = String(Buffer.byteLength(text));
  res.writeHead(reply.status, headers);
  res.end(reply.status === 204 ? undefined : text);
}

/** The whole body, or null when it is larger than any server here would take. */
async function readBody(req: http.IncomingMessage): Promise<Buffer | null> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of req as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size <= bodyLimit) chunks.push(chunk);
  }
  return size > bodyLimit ? null : Buffer.concat(chunks);
}

/** What answers a verb: the server's state, the request as the server completed it, what the path captured. */
export type Handler<S, C extends Call> = (state: S, call: C, params: string[]) => Promise<Reply> | Reply;

export interface Route<S, C extends Call> {
  pattern: RegExp;
  methods: Record<string, Handler<S, C>>;
}

/**
 * Makes a route from a template: `:uuid` is one UUID, `:int` a number, `:name` one path segment, `*` the rest.
 * What it captures is handed to the handler in order, still percent-encoded.
 */
export function route<S, C extends Call>(template: string, methods: Route<S, C>['methods']): Route<S, C> {
  const source = template
    .replaceAll('.', '\\.')
    .replaceAll(':uuid', '([0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})')
    .replaceAll(':int', '(\\d+)')
    .replaceAll(':name', '([^/]+)')
    .replaceAll('*', '(.+)');
  return { pattern: new RegExp(`^${source}$`), methods };
}

/** An object from a JSON body; null when it is none. */
export function jsonObject(body: Buffer): Record<string, unknown> | null {
  try {
    const value: unknown = body.length === 0 ? {} : JSON.parse(body.toString('utf8'));
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : null;
  } catch {
    return null;
  }
}

export function text(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}
