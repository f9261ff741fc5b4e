import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { afterEach } from 'vitest';

/** A request as the fake saw it. */
export interface Seen {
  method: string;
  /** Path without the query. */
  path: string;
  query: URLSearchParams;
  headers: IncomingMessage['headers'];
  body: string;
}

export type Handler = (seen: Seen, response: ServerResponse) => void;

export interface FakeServer {
  url: string;
  seen: Seen[];
  close(): Promise<void>;
}

const running = new Set<FakeServer>();

afterEach(async () => {
  await Promise.all([...running].map((server) => server.close()));
});

/** A server on 127.0.0.1 that records what it is asked; closed after the test. An unexpected error answers 500. */
export async function fakeServer(handler: Handler): Promise<FakeServer> {
  const seen: Seen[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const url = new URL(request.url ?? '/', 'http://fake');
      const entry: Seen = {
        method: request.method ?? '',
        path: url.pathname,
        query: url.searchParams,
        headers: request.headers,
        body: Buffer.concat(chunks).toString('utf8'),
      };
      seen.push(entry);
      try {
        handler(entry, response);
      } catch (error) {
        json(response, 500, { error: String(error) });
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  const fake: FakeServer = {
    url: `http://127.0.0.1:${address.port}`,
    seen,
    close: async () => {
      running.delete(fake);
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  running.add(fake);
  return fake;
}

export function json(
  response: ServerResponse,
  status: number,
  value: unknown,
  headers: Record<string, string | number> = {},
): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers });
  response.end(JSON.stringify(value));
}

export function html(response: ServerResponse, status: number, headers: Record<string, string> = {}): void {
  response.writeHead(status, { 'content-type': 'text/html', ...headers });
  response.end('<!doctype html><html><body>Please sign in</body></html>');
}

/** Promises more than it sends, then hangs up. */
export function truncated(response: ServerResponse): void {
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': '500' });
  response.write('{"results": [{"id": "a');
  setImmediate(() => response.destroy());
}
