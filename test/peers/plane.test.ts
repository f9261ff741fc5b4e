import { describe, expect, it } from 'vitest';
import type { ItemId, ProjectId } from '../../src/core/model/index.ts';
import { createPlane } from '../../src/core/peers/plane/plane.ts';
import { silentLog } from '../../src/core/platform/log.ts';
import { failureOf } from './errors-of.ts';
import { fakeServer, html, json, truncated } from './fake-server.ts';
import type { Handler, Seen } from './fake-server.ts';
import { policy } from '../support/snapshots.ts';

const token = 'plane_api_0123456789abcdef';
const project = '11111111-1111-4111-8111-111111111111' as ProjectId;
const item = '22222222-2222-4222-8222-222222222222' as ItemId;
const base = `/api/v1/workspaces/acme/projects/${project}`;

async function against(handler: Handler, options: { perMinute?: number; readMs?: number } = {}) {
  const server = await fakeServer((seen, response) => {
    // Plane redirects to the address with a slash, with a page instead of JSON.
    if (!seen.path.endsWith('/')) return html(response, 301, { location: `${seen.path}/` });
    handler(seen, response);
  });
  const time = { now: 1_000_000 };
  const readMs = options.readMs ?? 3_000;
  const plane = createPlane({
    url: `${server.url}/`,
    workspace: 'acme',
    token: () => token,
    requestsPerMinute: options.perMinute ?? 100,
    clock: { now: () => time.now, sleep: () => Promise.resolve() },
    timeouts: { readMs, writeMs: readMs },
    log: silentLog,
  });
  return { server, plane, time };
}

function row(n: number, more: Record<string, unknown> = {}) {
  return {
    id: `item-${n}`,
    sequence_id: n,
    name: `Item ${n}`,
    state: 's1',
    priority: 'none',
    labels: [],
    updated_at: '2026-05-15T19:58:18.499123+05:30',
    updated_by: 'u1',
    archived_at: null,
    ...more,
  };
}

/** Plane's paginator: offset by page number times `per_page`, `next_cursor` always filled. */
function page(seen: Seen, all: unknown[]) {
  const perPage = Number(seen.query.get('per_page') ?? 1000);
  const number = Number((seen.query.get('cursor') ?? `${perPage}:0:0`).split(':')[1]);
  const results = all.slice(number * perPage, (number + 1) * perPage);
  return {
    results,
    next_cursor: `${perPage}:${number + 1}:0`,
    next_page_results: (number + 1) * perPage < all.length,
    total_results: all.length,
  };
}

function comment(id: string, more: Record<string, unknown> = {}) {
  return {
    id,
    comment_html: '<p>x</p>',
    actor: 'u1',
    updated_by: 'u2',
    external_source: null,
    external_id: null,
    created_at: '2026-05-15T14:00:00.5Z',
    updated_at: '2026-05-15T14:00:00.4Z',
    ...more,
  };
}

const pageNotFound = { error: 'Page not found.' };
const gone = { error: 'The requested resource does not exist.' };

describe('items', () => {
  it('asks for the polled fields in update order, the newest with descriptions, and follows the cursor with the page size', async () => {
    const all = Array.from({ length: 150 }, (_, n) => row(n));
    const { server, plane } = await against((seen, response) => {
      const text = seen.query.get('fields')?.includes('description_html') ? { description_html: '<p>x</p>' } : {};
      json(response, 200, page(seen, all.map((one) => ({ ...one, ...text })))); // prettier-ignore
    });
    const newest = await plane.items(project, null);
    expect(newest.items.map((found) => found.number)).toEqual(Array.from({ length: 10 }, (_, n) => n));
    expect(newest.items[3]?.descriptionHtml).toBe('<p>x</p>');
    expect(server.seen.splice(0)[0]?.query.get('per_page')).toBe('10');
    const first = await plane.items(project, newest.next);
    expect(first.items).toHaveLength(100);
    expect(first.items[3]).toEqual({
      id: 'item-3',
      number: 3,
      name: 'Item 3',
      descriptionHtml: null,
      priority: 'none',
      stateId: 's1',
      labels: [],
      updatedAt: Date.UTC(2026, 4, 15, 14, 28, 18, 499),
      updatedBy: 'u1',
      archived: false,
    });
    const second = await plane.items(project, first.next);
    expect(second.items.map((found) => found.number)).toEqual(Array.from({ length: 50 }, (_, n) => n + 100));
    expect(second.next).toBeNull();
    for (const seen of server.seen) {
      expect(seen.path).toBe(`${base}/work-items/`);
      expect(seen.headers['x-api-key']).toBe(token);
      expect(seen.query.get('per_page')).toBe('100');
      expect(seen.query.get('order_by')).toBe('-updated_at');
      expect(seen.query.get('fields')).not.toContain('description');
    }
  });

  it('lists without descriptions for a while where they are too much', async () => {
    let size = 600 * 1024;
    const { server, plane } = await against((seen, response) => {
      const text = seen.query.get('fields')?.includes('description_html') ? { description_html: 'x'.repeat(size) } : {};
      json(response, 200, page(seen, [row(1, text)]));
    });
    expect((await plane.items(project, null)).items[0]?.descriptionHtml).toHaveLength(size);
    expect((await plane.items(project, null)).items[0]?.descriptionHtml).toBeNull();
    const other = 'another-project' as typeof project;
    size = 17 * 1024 * 1024;
    for (let n = 0; n < 2; n += 1) {
      const { items } = await plane.items(other, null);
      expect(items[0]).toMatchObject({ number: 1, descriptionHtml: null });
    }
    expect(server.seen.map((seen) => seen.query.get('per_page'))).toEqual(['10', '100', '10', '100', '100']);
  });

  it.each([
    ['a row without its fields, as for unknown field names', [row(1), {}]],
    ['a null row', [row(1), null]],
    ['a number as text', [row(1, { sequence_id: '1' })]],
    ['a time that is none', [row(1, { updated_at: 'yesterday' })]],
  ])('fails the whole call for %s', async (_name, results) => {
    const { plane } = await against((_seen, response) => json(response, 200, { results, next_page_results: false }));
    expect(await failureOf(plane.items(project, null), [token])).toMatchObject({
      code: 'plane_garbage',
      retry: 'later',
    });
  });

  it('fails when the next page is the same page', async () => {
    const { plane } = await against((_seen, response) =>
      json(response, 200, { results: [row(1)], next_cursor: '100:1:0', next_page_results: true }),
    );
    expect((await plane.items(project, (await plane.items(project, null)).next)).next).toBe('100:1:0');
    expect(await failureOf(plane.items(project, '100:1:0'), [token])).toMatchObject({ code: 'plane_garbage' });
  });

  it('finds the older route once and stays with it', async () => {
    const { server, plane } = await against((seen, response) =>
      seen.path.includes('/work-items/')
        ? json(response, 404, pageNotFound)
        : json(response, 200, page(seen, [row(1)])),
    );
    await plane.items(project, null);
    await plane.items(project, null);
    expect(server.seen.map((seen) => seen.path)).toEqual([`${base}/work-items/`, `${base}/issues/`, `${base}/issues/`]);
  });

  it('moves to the newer route when the server forgets the older one', async () => {
    let known = 'issues';
    const { plane } = await against((seen, response) =>
      seen.path.includes(`/${known}/`) ? json(response, 200, page(seen, [row(1)])) : json(response, 404, pageNotFound),
    );
    await plane.items(project, null);
    known = 'work-items';
    expect((await plane.items(project, null)).items).toHaveLength(1);
  });

  it('takes only Plane\'s own "gone" for gone', async () => {
    let answer: (response: Parameters<Handler>[1]) => void = (response) => json(response, 404, gone);
    let above = (response: Parameters<Handler>[1]): void => json(response, 200, { id: project, name: 'Shop' });
    const { plane } = await against((seen, response) =>
      seen.path.endsWith(`/projects/${project}/`) ? above(response) : answer(response),
    );
    expect(await plane.item(project, item)).toBeNull();
    // A server that has lost everything has not lost this item.
    above = (response) => json(response, 404, gone);
    expect(await failureOf(plane.item(project, item), [token])).toMatchObject({ code: 'plane_not_found' });
    answer = (response) => json(response, 404, pageNotFound);
    expect(await failureOf(plane.item(project, item), [token])).toMatchObject({ code: 'plane_not_found' });
    answer = (response) => html(response, 404);
    expect(await failureOf(plane.item(project, item), [token])).toMatchObject({
      code: 'plane_garbage',
      retry: 'later',
    });
    answer = (response) => json(response, 200, row(1, { description_html: '<p>d</p>', archived_at: '2026-05-15' }));
    expect(await plane.item(project, item)).toBeNull();
    answer = (response) => json(response, 200, row(1, { description_html: '<p>d</p>' }));
    expect(await plane.item(project, item)).toMatchObject({ number: 1, descriptionHtml: '<p>d</p>' });
  });

  it('asks for the newest number with one row', async () => {
    const all = [row(41), row(12)];
    const { server, plane } = await against((seen, response) => json(response, 200, page(seen, all)));
    expect(await plane.highestNumber(project)).toBe(41);
    expect(Object.fromEntries(server.seen[0]?.query ?? [])).toMatchObject({ per_page: '1', order_by: '-sequence_id' });
    all.length = 0;
    expect(await plane.highestNumber(project)).toBe(0);
  });

  it('looks an item up by key', async () => {
    const { server, plane } = await against((seen, response) =>
      seen.path.endsWith('/ET-12/') ? json(response, 200, { id: 'i', project: 'p' }) : json(response, 404, gone),
    );
    expect(await plane.itemByKey('ET', 12)).toEqual({ id: 'i', projectId: 'p' });
    expect(await plane.itemByKey('ET', 13)).toBeNull();
    expect(server.seen[0]?.path).toBe('/api/v1/workspaces/acme/work-items/ET-12/');
  });

  it('sets a state; neither a page with status 200 nor an answer with the old state passes for it', async () => {
    let answers = [{ state: 'state-2' }];
    const { server, plane } = await against((_seen, response) => {
      const next = answers.shift();
      return next === undefined ? html(response, 200) : json(response, 200, row(1, next));
    });
    expect(await plane.setState(project, item, 'state-2')).toMatchObject({ id: 'item-1', stateId: 'state-2' });
    expect(server.seen[0]).toMatchObject({
      method: 'PATCH',
      path: `${base}/work-items/${item}/`,
      body: '{"state":"state-2"}',
    });
    expect(await failureOf(plane.setState(project, item, 'state-2'), [token])).toMatchObject({ code: 'plane_garbage' });
    // The first answer is old, the item is not: it was moved. Both old: it was not.
    answers = [{ state: 's1' }, { state: 'state-2' }];
    expect(await plane.setState(project, item, 'state-2')).toMatchObject({ stateId: 'state-2' });
    answers = [{ state: 's1' }, { state: 's1' }];
    expect(await failureOf(plane.setState(project, item, 'state-2'), [token])).toMatchObject({
      code: 'plane_server_error',
      message: 'Plane said yes to the state state-2, but the item shows s1',
    });
  });
});

describe('errors', () => {
  it.each([
    ['a wrong key', 403, { detail: 'Given API token is not valid' }, 'plane_token_refused', 'authentication', 'never'],
    [
      'no key',
      401,
      { detail: 'Authentication credentials were not provided.' },
      'plane_token_refused',
      'authentication',
      'never',
    ],
    [
      'no rights',
      403,
      { detail: 'You do not have permission to perform this action.' },
      'plane_forbidden',
      'authentication',
      'never',
    ],
    [
      'a crash',
      500,
      { error: 'Something went wrong please try again later' },
      'plane_server_error',
      'tryAgain',
      'later',
    ],
    ['validation', 400, { name: ['too long'] }, 'plane_refused', 'failed', 'never'],
    ['a missing project', 404, gone, 'plane_not_found', 'notFound', 'never'],
    ['a server that repeats the key', 400, { error: `bad ${token}` }, 'plane_refused', 'failed', 'never'],
  ])('%s', async (_name, status, body, code, exit, retry) => {
    const { plane } = await against((_seen, response) => json(response, status, body));
    expect(await failureOf(plane.states(project), [token])).toMatchObject({ code, exit, retry });
  });

  it.each([
    ['a page instead of JSON', (response: Parameters<Handler>[1]) => html(response, 200), 'plane_garbage'],
    ['a page with 403', (response: Parameters<Handler>[1]) => html(response, 403), 'plane_garbage'],
    ['half a document', (response: Parameters<Handler>[1]) => response.end('{"results": ['), 'plane_garbage'],
    ['a hang-up', truncated, 'plane_unreachable'],
    [
      'a login redirect',
      (response: Parameters<Handler>[1]) => html(response, 302, { location: '/login' }),
      'plane_garbage',
    ],
  ])('%s is to be tried again', async (_name, answer, code) => {
    const { plane } = await against((_seen, response) => answer(response));
    expect(await failureOf(plane.items(project, null), [token])).toMatchObject({ code, retry: 'later' });
  });

  it('a server that moved is named, not followed', async () => {
    const { server, plane } = await against((_seen, response) =>
      html(response, 308, { location: 'https://new.example.org/' }),
    );
    const error = await failureOf(plane.items(project, null), [token]);
    expect(error).toMatchObject({ code: 'plane_refused', retry: 'never' });
    expect(error.message).toContain('https://new.example.org/');
    expect(server.seen).toHaveLength(1);
  });

  it('a hanging server is given up', async () => {
    const { plane } = await against(() => {}, { readMs: 60 });
    expect(await failureOf(plane.items(project, null), [token])).toMatchObject({ code: 'plane_unreachable' });
  });
});

describe('budget', () => {
  const list: Handler = (seen, response) => json(response, 200, page(seen, []));

  it('is shared by all calls and refuses before anything is sent', async () => {
    const { server, plane, time } = await against(list, { perMinute: 3 });
    await Promise.all([plane.states(project), plane.labels(project), plane.items(project, null)]);
    expect(await plane.remaining()).toBe(0);
    time.now += 20_000;
    const error = await failureOf(plane.states(project), [token]);
    expect(error).toMatchObject({ code: 'plane_rate_limited', retry: 'later', retryAfterMs: 40_000 });
    expect(server.seen).toHaveLength(3);
    time.now += 39_999;
    expect(await plane.remaining()).toBe(0);
    time.now += 1;
    expect(await plane.remaining()).toBe(3);
    await plane.states(project);
    expect(server.seen).toHaveLength(4);
  });

  it('slides: each request is free again a minute after its own time', async () => {
    const { plane, time } = await against(list, { perMinute: 2 });
    await plane.states(project);
    time.now += 30_000;
    await plane.states(project);
    time.now += 30_000;
    expect(await plane.remaining()).toBe(1);
    await plane.states(project);
    expect((await failureOf(plane.states(project), [token])).retryAfterMs).toBe(30_000);
  });

  it('neither starves nor sticks when the clock is set back', async () => {
    const { plane, time } = await against(list, { perMinute: 1 });
    await plane.states(project);
    time.now -= 3_600_000;
    expect(await plane.remaining()).toBe(1);
    await plane.states(project);
    expect(await plane.remaining()).toBe(0);
  });

  it.each([
    ['with Retry-After', { 'retry-after': '25' }, 25_000, 25_000],
    ['without Retry-After', {}, undefined, 60_000],
  ])('closes at a 429 %s', async (_name, headers: Record<string, string>, waitMs, closedMs) => {
    let throttle = true;
    const { server, plane, time } = await against((seen, response) => {
      if (!throttle) return json(response, 200, page(seen, []));
      json(response, 429, { error_code: 5900, error_message: 'RATE_LIMIT_EXCEEDED' }, headers);
    });
    const error = await failureOf(plane.states(project), [token]);
    expect(error).toMatchObject({ code: 'plane_rate_limited', retry: 'later', retryAfterMs: waitMs });
    expect(error.message).toContain('RATE_LIMIT_EXCEEDED');
    throttle = false;
    time.now += closedMs - 1;
    expect(await plane.remaining()).toBe(0);
    expect(await failureOf(plane.states(project), [token])).toMatchObject({
      code: 'plane_rate_limited',
      retryAfterMs: 1,
    });
    expect(server.seen).toHaveLength(1);
    time.now += 1;
    await plane.states(project);
    expect(server.seen).toHaveLength(2);
  });

  it('counts the second try of a broken read', async () => {
    const { plane, server } = await against(
      (seen, response) => (server.seen.length === 1 ? response.destroy() : list(seen, response)),
      { perMinute: 5 },
    );
    await plane.states(project);
    expect(await plane.remaining()).toBe(3);
  });
});

describe('comments', () => {
  const path = `${base}/work-items/${item}/comments/`;

  it('reads every page, each comment once, though rows move while it reads', async () => {
    const all = Array.from({ length: 250 }, (_, n) => comment(`c${n}`));
    const { server, plane } = await against((seen, response) => {
      json(response, 200, page(seen, all));
      if (server.seen.length === 1) all.unshift(comment('new'));
    });
    const comments = await plane.comments(project, item);
    expect(comments).toHaveLength(250);
    expect(new Set(comments.map((one) => one.id)).size).toBe(250);
    expect(comments[0]).toEqual({
      id: 'c0',
      html: '<p>x</p>',
      actor: 'u1',
      updatedBy: 'u2',
      externalSource: null,
      externalId: null,
      updatedAt: Date.UTC(2026, 4, 15, 14, 0, 0, 400),
    });
  });

  it('stops at pages that do not end', async () => {
    const { plane } = await against((_seen, response) =>
      json(response, 200, { results: [comment('c')], next_cursor: '100:1:0', next_page_results: true }),
    );
    expect(await failureOf(plane.comments(project, item), [token])).toMatchObject({ code: 'plane_garbage' });
  });

  /** A Plane whose POST saves or not and answers what the test says; the list shows what was saved. */
  async function sending(saves: boolean, answer: (response: Parameters<Handler>[1]) => void, readMs = 3_000) {
    const saved: ReturnType<typeof comment>[] = [comment('other', { external_source: 'orch', external_id: 'ET-1:0' })];
    const made = await against(
      (seen, response) => {
        if (seen.path === '/api/v1/users/me/') return json(response, 200, { id: 'u1', display_name: 'orch' });
        if (seen.path !== path) return json(response, 404, pageNotFound);
        if (seen.method === 'GET') return json(response, 200, page(seen, saved));
        const body = JSON.parse(seen.body) as Record<string, string>;
        if (saves) saved.push(comment('new', { ...body }));
        answer(response);
      },
      { readMs },
    );
    const send = (look = false) => made.plane.comment(project, item, { html: '<p>hi</p>', externalId: 'ET-1:1', look });
    const methods = () =>
      made.server.seen
        .filter((seen) => seen.path === path)
        .map((seen) => seen.method)
        .join(' ');
    return { ...made, send, methods };
  }
  const at = Date.UTC(2026, 4, 15, 14, 0, 0, 500);

  it('a clean 201 needs no look', async () => {
    const { send, methods, server } = await sending(true, (response) => json(response, 201, comment('new')));
    expect(await send()).toEqual({ id: 'new', at });
    expect(methods()).toBe('POST');
    expect(JSON.parse(server.seen[0]?.body ?? '')).toEqual({
      comment_html: '<p>hi</p>',
      external_source: 'orch',
      external_id: 'ET-1:1',
    });
  });

  it('looks first when asked to, and does not send what is there', async () => {
    const { send, methods } = await sending(true, (response) => json(response, 201, comment('new')));
    expect(await send(true)).toEqual({ id: 'new', at });
    expect(await send(true)).toEqual({ id: 'new', at });
    expect(methods()).toBe('GET POST GET');
  });

  it.each([
    [
      '400, as version 0.28.0 does',
      (response: Parameters<Handler>[1]) => json(response, 400, { error: 'The required key does not exist.' }),
    ],
    ['500', (response: Parameters<Handler>[1]) => json(response, 500, { error: 'Something went wrong' })],
    ['502 of a proxy', (response: Parameters<Handler>[1]) => html(response, 502)],
    ['nothing, hanging up', (response: Parameters<Handler>[1]) => response.destroy()],
    ['nothing at all', () => {}],
    ['201 and half a document', (response: Parameters<Handler>[1]) => response.writeHead(201).end('{"id": ')],
    ['201 and a page', (response: Parameters<Handler>[1]) => html(response, 201)],
    ['200', (response: Parameters<Handler>[1]) => json(response, 200, {})],
  ])('finds the comment that was saved and answered with %s', async (_name, answer) => {
    const { send, methods } = await sending(true, answer, 200);
    expect(await send()).toEqual({ id: 'new', at });
    expect(methods()).toBe('POST GET');
  });

  it('finds one that an earlier version sent under its own id, and believes no answer about another comment', async () => {
    let saved = [comment('old', { external_source: 'orch', external_id: 'ET-1:1' })];
    const { plane } = await against((seen, response) => {
      if (seen.path === '/api/v1/users/me/') return json(response, 200, { id: 'u1', display_name: 'orch' });
      if (seen.method === 'GET') return json(response, 200, page(seen, saved));
      return json(response, 201, comment('cached', { external_source: 'orch', external_id: 'other' }));
    });
    const send = (look: boolean) =>
      plane.comment(project, item, { html: '<p>hi</p>', externalId: 'beef0001:ET-1:1', formerId: 'ET-1:1', look });
    expect(await send(true)).toMatchObject({ id: 'old' });
    saved = [];
    expect(await failureOf(send(false), [token])).toMatchObject({ code: 'plane_garbage' });
  });

  it('adopts the comment a 409 names', async () => {
    const conflict = { error: 'Comment with the same external id and external source already exists', id: 'new' };
    const { send } = await sending(true, (response) => json(response, 409, conflict));
    expect(await send()).toEqual({ id: 'new', at });
    const unseen = await sending(false, (response) => json(response, 409, conflict));
    expect(await failureOf(unseen.send(), [token])).toMatchObject({ code: 'plane_garbage', retry: 'later' });
  });

  /** A Plane in which somebody else has written a comment under ids that orch is about to use. */
  async function planted(taken: string[], where: 'here' | 'at another item', me: number) {
    const saved = taken.map((id) => comment(`by-${id}`, { external_source: 'orch', external_id: id, actor: 'guest' }));
    const made = await against((seen, response) => {
      if (seen.path === '/api/v1/users/me/') return json(response, me, me === 200 ? { id: 'u1' } : pageNotFound);
      if (seen.path !== path) return json(response, 404, pageNotFound);
      const shown = saved.filter((row) => where === 'here' || row.actor !== 'guest');
      if (seen.method === 'GET') return json(response, 200, page(seen, shown));
      const body = JSON.parse(seen.body) as Record<string, string>;
      const holder = saved.find((row) => row.external_id === body['external_id']);
      if (holder !== undefined) return json(response, 409, { error: 'already exists', id: holder.id });
      saved.push(comment(`own-${saved.length}`, { ...body, actor: 'u1' }));
      return json(response, 201, saved.at(-1));
    });
    const send = (look: boolean) =>
      made.plane.comment(project, item, { html: '<p>hi</p>', externalId: 'ET-1:1', look });
    return { saved, send };
  }

  it('is not kept from telling people by a comment that somebody else planted under its id', async () => {
    const { saved, send } = await planted(['ET-1:1', 'ET-1:1~2'], 'here', 200);
    expect(await send(false)).toEqual({ id: 'own-2', at });
    expect(saved.at(-1)).toMatchObject({ external_id: 'ET-1:1~3', comment_html: '<p>hi</p>' });
    expect(await send(true), 'a repetition finds the first').toEqual({ id: 'own-2', at });
    expect(saved).toHaveLength(3);
  });

  it('gets past one at another item at its second try, because the first may have met its own', async () => {
    const { saved, send } = await planted(['ET-1:1'], 'at another item', 200);
    expect(await failureOf(send(false), [token])).toMatchObject({ code: 'plane_garbage', retry: 'later' });
    expect(await send(true)).toEqual({ id: 'own-1', at });
    expect(await send(true)).toEqual({ id: 'own-1', at });
    expect(saved).toHaveLength(2);
  });

  it('believes the id alone where Plane does not tell whose token it is', async () => {
    const { send } = await planted(['ET-1:1'], 'here', 404);
    expect(await send(true)).toEqual({ id: 'by-ET-1:1', at });
  });

  it.each([
    [
      '400',
      (response: Parameters<Handler>[1]) => json(response, 400, { error: 'The payload is not valid' }),
      'plane_refused',
      'never',
    ],
    [
      '403',
      (response: Parameters<Handler>[1]) => json(response, 403, { detail: 'You do not have permission' }),
      'plane_forbidden',
      'never',
    ],
    ['404', (response: Parameters<Handler>[1]) => json(response, 404, gone), 'plane_not_found', 'never'],
    [
      '409 without an id',
      (response: Parameters<Handler>[1]) => json(response, 409, { error: 'exists' }),
      'plane_garbage',
      'later',
    ],
    ['500', (response: Parameters<Handler>[1]) => json(response, 500, {}), 'plane_server_error', 'later'],
    ['a hang-up', (response: Parameters<Handler>[1]) => response.destroy(), 'plane_unreachable', 'later'],
  ])('%s and not saved: the error stands after one look and one POST', async (_name, answer, code, retry) => {
    const { send, methods } = await sending(false, answer);
    expect(await failureOf(send(), [token])).toMatchObject({ code, retry });
    expect(methods()).toBe('POST GET');
  });

  it('does not call a comment refused when it could not look', async () => {
    const { plane } = await against((seen, response) =>
      seen.method === 'POST' ? json(response, 400, { error: 'no' }) : json(response, 503, {}),
    );
    const sent = plane.comment(project, item, { html: 'x', externalId: 'e', look: false });
    expect(await failureOf(sent, [token])).toMatchObject({ code: 'plane_server_error', retry: 'later' });
  });

  it.each([
    [429, {}, 'plane_rate_limited'],
    [403, { detail: 'Given API token is not valid' }, 'plane_token_refused'],
  ])('%i is final without a look', async (status, body, code) => {
    const { send, methods } = await sending(false, (response) => json(response, status, body));
    expect(await failureOf(send(), [token])).toMatchObject({ code });
    expect(methods()).toBe('POST');
  });
});

describe('projects', () => {
  it('reads the account, the project and the version', async () => {
    const { server, plane } = await against((seen, response) => {
      if (seen.path === '/api/v1/users/me/') return json(response, 200, { id: 'u1', display_name: 'bot' });
      if (seen.path === '/api/instances/') return json(response, 200, { instance: { current_version: '1.3.1' } });
      if (seen.path === `${base}/`) {
        return json(response, 200, { id: project, name: 'Shop', identifier: 'ET', archived_at: null });
      }
      json(response, 404, pageNotFound);
    });
    expect(await plane.me()).toEqual({ id: 'u1', name: 'bot' });
    expect(await plane.version()).toBe('1.3.1');
    expect(await plane.project(project)).toEqual({ id: project, name: 'Shop', identifier: 'ET', archived: false });
    expect(server.seen.find((seen) => seen.path === '/api/instances/')?.headers['x-api-key']).toBeUndefined();
  });

  it('reads members without roles and addresses, and refuses anything but a bare list', async () => {
    let answer: unknown = [
      { id: 'a', display_name: 'Ann', email: 'ann@example.org', role: 20 },
      { id: 'g', display_name: 'Guest' },
    ];
    const { plane } = await against((_seen, response) => json(response, 200, answer));
    expect(await plane.members(project)).toEqual([
      { id: 'a', email: 'ann@example.org', displayName: 'Ann', role: 'admin' },
      { id: 'g', email: '', displayName: 'Guest', role: null },
    ]);
    answer = { results: [] };
    expect(await failureOf(plane.members(project), [token])).toMatchObject({ code: 'plane_garbage' });
    answer = null;
    expect(await failureOf(plane.members(project), [token])).toMatchObject({ code: 'plane_garbage' });
  });

  it('takes the roles from the workspace where the project has none, and lives without where it may not see them', async () => {
    let workspace: [number, unknown] = [
      200,
      [
        { id: 'a', role: 15 },
        { id: 'g', role: 5 },
        { id: 'x', role: 20 },
      ],
    ];
    const { plane, server } = await against((seen, response) =>
      seen.path.includes('/projects/')
        ? json(response, 200, [{ id: 'a' }, { id: 'g' }, { id: 'n' }])
        : json(response, ...workspace),
    );
    const roles = async (): Promise<unknown> => (await plane.members(project)).map(({ id, role }) => [id, role]);
    expect(await roles()).toEqual([
      ['a', 'member'],
      ['g', 'guest'],
      ['n', null],
    ]);
    expect(server.seen.at(-1)?.path).toBe('/api/v1/workspaces/acme/members/');
    for (const status of [403, 404]) {
      workspace = [status, { detail: 'You do not have permission to perform this action.' }];
      expect(await roles()).toEqual([
        ['a', null],
        ['g', null],
        ['n', null],
      ]);
    }
    workspace = [500, { error: 'Something went wrong please try again later' }];
    expect(await failureOf(plane.members(project), [token])).toMatchObject({ code: 'plane_server_error' });
  });

  it.each<[number | undefined, string | null]>([
    [20, 'admin'],
    [15, 'member'],
    [10, 'guest'],
    [5, 'guest'],
    [undefined, null],
  ])('reads the role %s as %s', async (role, wanted) => {
    const { plane } = await against((_seen, response) => json(response, 200, [{ id: 'a', role }]));
    expect((await plane.members(project))[0]?.role).toBe(wanted);
  });

  it('reads states, labels and members together, and believes no empty list of states or members', async () => {
    const lists: Record<string, unknown[]> = {
      states: [{ id: 's1', name: 'Todo', group: 'unstarted' }],
      labels: [{ id: 'l1', name: 'bug' }],
      members: [{ id: 'a', display_name: 'Ann', role: 15 }],
    };
    const { plane } = await against((seen, response) => {
      const name = seen.path.split('/').at(-2) ?? '';
      json(response, 200, name === 'members' ? lists[name] : page(seen, lists[name] ?? []));
    });
    expect(await plane.facts(project)).toEqual({
      states: [{ id: 's1', name: 'Todo', group: 'unstarted' }],
      labels: { l1: 'bug' },
      members: [{ id: 'a', email: '', displayName: 'Ann', role: 'member' }],
    });
    for (const name of ['states', 'members']) {
      const full = lists[name] ?? [];
      lists[name] = [];
      const error = await failureOf(plane.facts(project), [token]);
      expect(error).toMatchObject({ code: 'plane_garbage', message: expect.stringContaining(`no ${name}`) as unknown });
      lists[name] = full;
    }
    lists['labels'] = [];
    expect((await plane.facts(project)).labels).toEqual({});
  });

  it('shows a phase by the configured name of its state, else by the first of the same meaning', async () => {
    const { plane } = await against((_seen, response) => json(response, 404, pageNotFound));
    const states = [
      { id: 's1', name: 'Doing', group: 'started' as const },
      { id: 's2', name: 'Blocked', group: 'started' as const },
    ];
    const { states: names } = policy();
    expect(plane.stateFor(states, 'blocked', { name: 'Shop', states: { ...names, blocked: 'BLOCKED' } }).id).toBe('s2');
    expect(plane.stateFor(states, 'in_review', { name: 'Shop', states: names }).id).toBe('s1');
    expect(() => plane.stateFor(states, 'done', { name: 'Shop', states: names })).toThrow(
      expect.objectContaining({ code: 'plane_state_missing' }) as Error,
    );
  });

  it('creates a state (answered with 200), and adopts the one of that name', async () => {
    const states = [{ id: 's1', name: 'Todo', group: 'unstarted' }];
    const { plane } = await against((seen, response) => {
      if (seen.method === 'GET') return json(response, 200, page(seen, states));
      const wanted = JSON.parse(seen.body) as { name: string; group: string; color: string };
      if (wanted.color === '') return json(response, 400, { color: ['This field may not be blank.'] });
      if (states.some((state) => state.name === wanted.name)) return json(response, 409, { error: 'exists', id: 's1' });
      json(response, 200, { id: 's2', ...wanted });
    });
    const color = '#aa0000';
    expect(await plane.createState(project, { name: 'Blocked', group: 'started', color })).toEqual({
      id: 's2',
      name: 'Blocked',
      group: 'started',
    });
    expect((await plane.createState(project, { name: 'Todo', group: 'unstarted', color })).id).toBe('s1');
    const blank = plane.createState(project, { name: 'X', group: 'started', color: '' });
    expect(await failureOf(blank, [token])).toMatchObject({ code: 'plane_refused', retry: 'never' });
    states.push({ id: 's9', name: 'New kind', group: 'unheard-of' });
    expect(await failureOf(plane.states(project), [token])).toMatchObject({ code: 'plane_garbage' });
  });
});
