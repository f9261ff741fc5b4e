import type { IncomingMessage, ServerResponse } from 'node:http';
import type { FaultAction } from './faults.ts';

/** What the original methods of an answer are replaced with while a fault stands between it and the client. */
type Outgoing = Pick<ServerResponse, 'writeHead' | 'write' | 'end'>;

/**
 * Puts a fault between an answer that is streamed (git over HTTP) and its client: the request takes effect, and the
 * client gets half of the answer, another one, or none.
 * @returns takes the fault away again, for a request that turns out not to be streamed
 */
export function disturb(req: IncomingMessage, res: ServerResponse, fault: FaultAction | null): () => void {
  const nothing = (): void => {};
  if (fault === null || !['truncated', 'saved-answer', 'saved-reset', 'saved-hang'].includes(fault.kind))
    return nothing;
  const own: Outgoing = { writeHead: res.writeHead.bind(res), write: res.write.bind(res), end: res.end.bind(res) };
  const kept: Buffer[] = [];
  let head: Parameters<ServerResponse['writeHead']> | null = null;
  const keep = (chunk: unknown): boolean => {
    if (typeof chunk === 'string' || chunk instanceof Uint8Array) kept.push(Buffer.from(chunk));
    return true;
  };
  const replaced = {
    writeHead: (...given: Parameters<ServerResponse['writeHead']>) => {
      head = given;
      return res;
    },
    write: keep,
    end: (chunk?: unknown) => {
      keep(chunk);
      finish(req, res, fault, own, head, Buffer.concat(kept));
      return res;
    },
  };
  Object.assign(res, replaced);
  return () => void Object.assign(res, own);
}

function finish(
  req: IncomingMessage,
  res: ServerResponse,
  fault: FaultAction,
  own: Outgoing,
  head: Parameters<ServerResponse['writeHead']> | null,
  body: Buffer,
): void {
  if (fault.kind === 'saved-hang') return;
  if (fault.kind === 'saved-reset') return void req.socket.resetAndDestroy();
  Object.assign(res, own);
  if (fault.kind === 'saved-answer') {
    res.writeHead(fault.status, { 'content-type': 'text/plain', ...fault.headers });
    return void res.end(typeof fault.body === 'string' ? fault.body : JSON.stringify(fault.body ?? ''));
  }
  if (head !== null) res.writeHead(...head);
  res.write(body.subarray(0, Math.floor(body.length / 2)), () => req.socket.destroy());
}
