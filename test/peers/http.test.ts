import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { createHttp } from '../../src/core/peers/http/client.ts';
import { createDecoder } from '../../src/core/peers/http/decode.ts';
import { createPeerErrors } from '../../src/core/peers/http/errors.ts';
import { segment, slashed } from '../../src/core/peers/http/paths.ts';
import { retryAfterMs } from '../../src/core/peers/http/retry-after.ts';
import { failureOf } from './errors-of.ts';
import { fakeServer, html, json, truncated } from './fake-server.ts';

const secret = 's3cret-token-value';
const headers = { authorization: `token ${secret}` };

function client(url: string, more: { readMs?: number; maxBytes?: number; beforeTry?: () => Promise<void> } = {}) {
  const errors = createPeerErrors({ peer: 'gitea', label: 'Gitea', url, secrets: () => [secret], now: () => 0 });
  const { readMs = 5_000, ...options } = more;
  return { errors, http: createHttp({ errors, timeouts: { readMs, writeMs: readMs }, ...options }) };
}

describe('transport', () => {
  it('gives up on a server that accepts and never answers', async () => {
    const server = await fakeServer(() => {});
    const { http } = client(server.url, { readMs: 80 });
    const error = await failureOf(http({ method: 'GET', url: `${server.url}/x`, headers }), [secret]);
    expect(error).toMatchObject({ code: 'gitea_unreachable', retry: 'later' });
    expect(error.message).toContain('no answer within 0.08 s');
    expect(server.seen).toHaveLength(1);
  });

  it('gives up on an answer that trickles', async () => {
    const server = await fakeServer((_seen, response) => {
      response.writeHead(200);
      response.write('[');
    });
    const { http } = client(server.url, { readMs: 80 });
    const error = await failureOf(http({ method: 'GET', url: `${server.url}/x`, headers }), [secret]);
    expect(error.code).toBe('gitea_unreachable');
  });

  it('says so when nobody listens', async () => {
    const server = await fakeServer(() => {});
    await server.close();
    const { http } = client(server.url);
    const error = await failureOf(http({ method: 'POST', url: `${server.url}/x`, headers, body: '{}' }), [secret]);
    expect(error).toMatchObject({ code: 'gitea_unreachable', retry: 'later', exit: 'tryAgain' });
    expect(error.message).toContain('ECONNREFUSED');
  });

  it('reads a second time when the connection breaks, writes only once', async () => {
    let tries = 0;
    const server = await fakeServer((_seen, response) => {
      if (server.seen.length === 1) response.destroy();
      else json(response, 200, { ok: true });
    });
    const { http } = client(server.url, { beforeTry: () => Promise.resolve(void (tries += 1)) });
    expect((await http({ method: 'GET', url: `${server.url}/x`, headers })).text).toBe('{"ok":true}');
    expect(tries).toBe(2);
    server.seen.length = 0;
    const error = await failureOf(http({ method: 'POST', url: `${server.url}/x`, headers, body: '{}' }), [secret]);
    expect(error.code).toBe('gitea_unreachable');
    expect(server.seen).toHaveLength(1);
  });

  it('stops after the second broken read', async () => {
    const server = await fakeServer((_seen, response) => truncated(response));
    const { http } = client(server.url);
    const error = await failureOf(http({ method: 'GET', url: `${server.url}/x`, headers }), [secret]);
    expect(error).toMatchObject({ code: 'gitea_unreachable', retry: 'later' });
    expect(server.seen).toHaveLength(2);
  });

  it('refuses an answer above the cap, counted after decompression', async () => {
    const server = await fakeServer((_seen, response) => {
      response.writeHead(200, { 'content-encoding': 'gzip' });
      response.end(gzipSync(Buffer.alloc(1_000_000, 'a')));
    });
    const { http } = client(server.url, { maxBytes: 100_000 });
    const error = await failureOf(http({ method: 'GET', url: `${server.url}/x`, headers }), [secret]);
    expect(error).toMatchObject({ code: 'gitea_too_large', retry: 'later' });
    expect(error.message).toContain('more than 0.1 MB');
  });

  it('hands a redirect on and never follows it', async () => {
    const server = await fakeServer((_seen, response) => {
      response.writeHead(301, { location: `${server.url}/elsewhere?token=${secret}` });
      response.end();
    });
    const { http, errors } = client(server.url);
    const answer = await http({ method: 'POST', url: `${server.url}/x`, headers, body: '{}' });
    expect(answer.status).toBe(301);
    expect(server.seen.map((seen) => seen.path)).toEqual(['/x']);
    const error = errors.ofStatus(answer, '');
    expect(error).toMatchObject({ code: 'gitea_refused', retry: 'never' });
    expect(error.message).toContain('/elsewhere?token=[redacted]');
  });
});

describe('errors of a status', () => {
  const { errors } = client('http://user:pw-in-url@git.example.org:3000/');
  const answer = (status: number, text = '{}', more: Record<string, string> = {}) => ({
    status,
    text,
    headers: more,
    what: 'GET /x',
  });

  it.each([
    [401, '{}', 'gitea_token_refused', 'authentication', 'never'],
    [404, '{}', 'gitea_not_found', 'notFound', 'never'],
    [404, '<html>', 'gitea_garbage', 'tryAgain', 'later'],
    [403, '<html>', 'gitea_garbage', 'tryAgain', 'later'],
    [422, '{}', 'gitea_refused', 'failed', 'never'],
    [302, '<html>', 'gitea_garbage', 'tryAgain', 'later'],
    [408, '{}', 'gitea_server_error', 'tryAgain', 'later'],
    [500, '<html>', 'gitea_server_error', 'tryAgain', 'later'],
    [502, '', 'gitea_server_error', 'tryAgain', 'later'],
    [429, '', 'gitea_rate_limited', 'tryAgain', 'later'],
  ])('%i %s is %s', (status, text, code, exit, retry) => {
    expect(errors.ofStatus(answer(status, text), '')).toMatchObject({ code, exit, retry });
  });

  it('reads Retry-After', () => {
    expect(errors.ofStatus(answer(503, '', { 'retry-after': '7' }), '').retryAfterMs).toBe(7_000);
    expect(errors.ofStatus(answer(503), '').retryAfterMs).toBeUndefined();
  });

  it('cuts, escapes and redacts what the server said, and names the host only', () => {
    const hostile = `a\u001b[31m\nb\u202e ${secret} ${'x'.repeat(1_000)}`;
    const { message } = errors.ofStatus(answer(500), hostile);
    expect(message).toContain('git.example.org:3000');
    expect(message).not.toContain('pw-in-url');
    expect(message).toContain('a\\x1b[31m b [redacted] xxx');
    expect(message.length).toBeLessThan(450);
    expect(message).not.toMatch(/[\n\u001b\u202e]/);
  });
});

describe('Retry-After', () => {
  const date = 'Wed, 21 Oct 2026 07:28:00 GMT';
  it.each([
    ['30', undefined, 30_000],
    ['1.5', undefined, 1_500],
    ['0', undefined, 0],
    ['99999999', undefined, 3_600_000],
    ['Wed, 21 Oct 2026 07:28:20 GMT', date, 20_000],
    ['Wed, 21 Oct 2026 07:00:00 GMT', date, 0],
    ['soon', undefined, undefined],
    ['-5', undefined, undefined],
    [undefined, undefined, undefined],
  ])('%s → %s', (header, own, expected) => {
    expect(retryAfterMs(header, own, 0)).toBe(expected);
  });

  it('measures a date against the clock when the answer names none', () => {
    expect(retryAfterMs('Wed, 21 Oct 2026 07:28:20 GMT', undefined, Date.parse(date) + 5_000)).toBe(15_000);
  });
});

describe('paths', () => {
  it('encodes what would end a path and refuses to climb', () => {
    expect(segment('a/b?c#d%')).toBe('a%2Fb%3Fc%23d%25');
    expect(slashed('feat/a#b')).toBe('feat/a%23b');
    for (const bad of ['', '.', '..']) expect(() => segment(bad)).toThrow('cannot be part of an address');
    expect(() => slashed('a/../../b')).toThrow();
  });
});

describe('decoder', () => {
  const { errors } = client('http://h');
  const decoder = createDecoder((detail) => errors.garbage('GET /x', detail));

  it('takes null for an empty list, and fails on a null row', () => {
    expect(decoder.rows(null, 'list', (fields) => fields.id('id'))).toEqual([]);
    expect(() => decoder.rows([{ id: 'a' }, null], 'list', (fields) => fields.id('id'))).toThrow(
      'list[1] is no object',
    );
  });

  it('reads times of any zone with microseconds as one instant', () => {
    const fields = decoder.record(
      { a: '2026-05-15T14:28:18.499123Z', b: '2026-05-15T19:58:18.499123+05:30', c: 'x' },
      'row',
    );
    expect(fields.time('a')).toBe(Date.UTC(2026, 4, 15, 14, 28, 18, 499));
    expect(fields.time('b')).toBe(fields.time('a'));
    expect(() => fields.time('c')).toThrow('row.c is no timestamp');
  });

  it('names the wrong field', () => {
    const fields = decoder.record({ n: '1', t: 1, f: 'no', l: [1], i: '' }, 'row');
    expect(() => fields.integer('n')).toThrow('row.n is no whole number');
    expect(() => fields.text('t')).toThrow('row.t is no text');
    expect(() => fields.flag('f')).toThrow('row.f is no boolean');
    expect(() => fields.texts('l')).toThrow('row.l is no list of texts');
    expect(() => fields.id('i')).toThrow('row.i is no id');
    expect(() => fields.object('missing')).toThrow('row.missing is no object');
  });
});

describe('pages of a proxy', () => {
  it('are an ordinary answer of the transport', async () => {
    const server = await fakeServer((_seen, response) => html(response, 200));
    const { http } = client(server.url);
    expect((await http({ method: 'GET', url: `${server.url}/x`, headers })).text).toContain('sign in');
  });
});
