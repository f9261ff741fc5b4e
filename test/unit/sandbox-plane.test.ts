import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { startPlane } from '../../src/sandbox/plane/server.ts';
import type { SandboxPlane } from '../../src/sandbox/plane/server.ts';
import type { PlaneUser, Project, WorkItem } from '../../src/sandbox/plane/state.ts';
import { until } from '../support/until.ts';

let plane: SandboxPlane;
let lead: PlaneUser;
let guest: PlaneUser;
let project: Project;
let item: WorkItem;

beforeEach(async () => {
  plane = await startPlane({ rateLimitPerMinute: 1000, workerDelayMs: 20 });
  lead = plane.addUser({ email: 'lead@example.org' });
  guest = plane.addUser({ email: 'guest@example.org', role: 'guest' });
  project = plane.addProject({ identifier: 'ET', name: 'Shop', states: [{ name: 'In Review', group: 'started' }] });
  item = plane.addItem(project, lead, { name: 'First item', description_html: '<p>Hello</p>', labels: ['orch'] });
});
afterEach(() => plane.close());

interface Answer {
  status: number;
  body: Record<string, unknown>;
  headers: Headers;
}

async function ask(
  path: string,
  options: { as?: PlaneUser | null; method?: string; body?: unknown; raw?: boolean } = {},
): Promise<Answer> {
  const user = options.as === undefined ? lead : options.as;
  const url =
    options.raw === true ? plane.url + path : `${plane.url}/api/v1/workspaces/acme/projects/${project.id}/${path}`;
  const response = await fetch(url, {
    method: options.method ?? 'GET',
    redirect: 'manual',
    headers: { ...(user === null ? {} : { 'X-Api-Key': user.token }), 'content-type': 'application/json' },
    ...(options.body === undefined ? {} : { body: JSON.stringify(options.body) }),
  });
  const text = await response.text();
  let body: Record<string, unknown>;
  try {
    body = JSON.parse(text) as Record<string, unknown>;
  } catch {
    body = { text };
  }
  return { status: response.status, body, headers: response.headers };
}

const results = (answer: Answer): Record<string, unknown>[] => answer.body['results'] as Record<string, unknown>[];

describe('who asks', () => {
  test('no key is 401, a wrong one 403, and nobody sees another workspace', async () => {
    expect((await ask('states/', { as: null })).status).toBe(401);
    const stranger = { ...lead, token: 'plane_api_wrong' };
    expect(await ask('states/', { as: stranger })).toMatchObject({
      status: 403,
      body: { detail: 'Given API token is not valid' },
    });
    expect((await ask(`/api/v1/workspaces/other/projects/${project.id}/states/`, { raw: true })).status).toBe(403);
    expect((await ask('/api/v1/users/me/', { raw: true })).body['id']).toBe(lead.id);
  });

  test('the version needs no key', async () => {
    const { body } = await ask('/api/instances/', { raw: true, as: null });
    expect(body).toMatchObject({ instance: { current_version: '1.3.1', edition: 'PLANE_COMMUNITY' } });
  });

  test('a guest reads and comments, and changes nothing else', async () => {
    expect((await ask(`work-items/${item.id}/`, { as: guest })).status).toBe(200);
    expect((await ask(`work-items/${item.id}/`, { as: guest, method: 'PATCH', body: { name: 'x' } })).status).toBe(403);
    const posted = await ask(`work-items/${item.id}/comments/`, {
      as: guest,
      method: 'POST',
      body: { comment_html: '<p>hi</p>' },
    });
    expect(posted.status).toBe(201);
  });

  test('the limit answers 429 with Retry-After and without the other headers', async () => {
    plane.state.rateLimitPerMinute = 2;
    const first = await ask('states/');
    expect(first.headers.get('x-ratelimit-remaining')).toBe('1');
    await ask('states/');
    const third = await ask('states/');
    expect(third).toMatchObject({ status: 429, body: { error_code: 5900, error_message: 'RATE_LIMIT_EXCEEDED' } });
    expect(Number(third.headers.get('retry-after'))).toBeGreaterThan(50);
    expect(third.headers.get('x-ratelimit-remaining')).toBeNull();
    plane.state.rateLimitPerMinute = 1;
    expect((await ask('states/')).headers.get('retry-after')).toBeNull();
  });
});

describe('paths and verbs', () => {
  test('a missing slash is a redirect with HTML, an unknown path and a bad id are not found, PUT is not allowed', async () => {
    const moved = await ask('states?per_page=3');
    expect(moved.status).toBe(301);
    expect(moved.headers.get('location')).toMatch(/\/states\/\?per_page=3$/);
    expect(moved.headers.get('content-type')).toContain('text/html');
    expect((await ask('nothing/')).body).toEqual({ error: 'Page not found.' });
    expect((await ask('work-items/12/')).body).toEqual({ error: 'Page not found.' });
    const put = await ask(`work-items/${item.id}/`, { method: 'PUT', body: {} });
    expect(put).toMatchObject({ status: 405, body: { detail: 'Method "PUT" not allowed.' } });
  });

  test('an old server has issues only', async () => {
    const old = await startPlane({ legacy: true });
    try {
      const user = old.addUser({ email: 'a@example.org' });
      const there = old.addProject({ identifier: 'OLD', name: 'Old' });
      const get = (name: string): Promise<Response> =>
        fetch(`${old.url}/api/v1/workspaces/acme/projects/${there.id}/${name}/`, {
          headers: { 'X-Api-Key': user.token },
        });
      expect((await get('work-items')).status).toBe(404);
      expect((await get('issues')).status).toBe(200);
    } finally {
      await old.close();
    }
  });
});

describe('lists', () => {
  test('pages are offsets, the size in the cursor is ignored, and unknown fields vanish', async () => {
    for (let n = 2; n <= 5; n++) plane.addItem(project, lead, { name: `Item number ${n}` });
    const first = await ask('work-items/?per_page=2&order_by=sequence_id&fields=sequence_id,nonsense');
    expect(first.body).toMatchObject({
      next_cursor: '2:1:0',
      next_page_results: true,
      total_results: 5,
      total_pages: 3,
    });
    expect(results(first)).toEqual([{ sequence_id: 1 }, { sequence_id: 2 }]);
    const last = await ask('work-items/?per_page=2&order_by=sequence_id&cursor=2:2:0');
    expect(results(last).map((row) => row['sequence_id'])).toEqual([5]);
    expect(last.body['next_page_results']).toBe(false);
    expect(results(await ask('work-items/?cursor=2:1:0'))).toEqual([]);
    expect((await ask('work-items/?cursor=zzz')).status).toBe(400);
  });

  test('per_page and order_by fail as on the server; filters are not listened to', async () => {
    expect((await ask('work-items/?per_page=1001')).body).toEqual({
      detail: 'Invalid per_page value. Cannot exceed 1000.',
    });
    expect((await ask('work-items/?per_page=0')).status).toBe(500);
    expect((await ask('work-items/?order_by=-nonsense')).status).toBe(500);
    expect(results(await ask('work-items/?state=none&updated_at__gt=2100-01-01'))).toHaveLength(1);
  });

  test('an external id and its source answer one bare object', async () => {
    const body = { name: 'Imported', external_id: 'a-1', external_source: 'jira' };
    const made = await ask('work-items/', { method: 'POST', body });
    expect(made.status).toBe(201);
    expect((await ask('work-items/?external_id=a-1&external_source=jira')).body['id']).toBe(made.body['id']);
    expect((await ask('work-items/?external_id=zz&external_source=jira')).status).toBe(404);
    expect(await ask('work-items/', { method: 'POST', body })).toMatchObject({
      status: 409,
      body: { id: made.body['id'] },
    });
  });

  test('members are bare arrays, with roles in the workspace only', async () => {
    const here = (await ask('members/')).body as unknown as Record<string, unknown>[];
    expect(here.map((row) => row['role'])).toEqual([undefined, undefined]);
    const all = (await ask('/api/v1/workspaces/acme/members/', { raw: true })).body as unknown as Record<
      string,
      unknown
    >[];
    expect(all.map((row) => row['role'])).toEqual([15, 5]);
  });

  test('times follow the time zone of whoever asks', async () => {
    // Not `updated_at`: the background worker moves it once more.
    const plain = (await ask(`work-items/${item.id}/`)).body['created_at'] as string;
    lead.offsetMinutes = 330;
    const shifted = (await ask(`work-items/${item.id}/`)).body['created_at'] as string;
    expect(plain).toMatch(/\.\d{6}Z$/);
    expect(shifted).toMatch(/\+05:30$/);
    expect(Date.parse(shifted)).toBe(Date.parse(plain));
  });
});

describe('items', () => {
  test('a change moves updated_at twice, the second time after the answer and without its author', async () => {
    const done = plane.state.states.find((row) => row.name === 'Done');
    const patched = await ask(`work-items/${item.id}/`, { method: 'PATCH', body: { state: done?.id } });
    expect(patched.status).toBe(200);
    expect(plane.stateName(item)).toBe('Done');
    const answered = Date.parse(patched.body['updated_at'] as string);
    await until('the background worker', () => Math.floor(item.updatedAt / 1000) > answered);
    expect(item.updatedBy).toBe(lead.id);
    const values = async (): Promise<unknown[]> =>
      results(await ask(`work-items/${item.id}/activities/`)).map((row) => row['new_value']);
    await until('the activity', async () => (await values()).length > 0);
    expect(await values()).toEqual(['Done']);
  });

  test('a comment moves the item only when the worker runs', async () => {
    await until('the background worker', () => plane.state.worker.timers.size === 0);
    plane.stopWorker();
    const before = item.updatedAt;
    plane.commentAs(lead, item, '<p>hello</p>');
    expect(item.updatedAt).toBe(before);
    expect(plane.state.worker.backlog).toHaveLength(1);
    plane.startWorker();
    await until('the item to move', () => item.updatedAt > before);
  });

  test('by key, case matters; deleted and archived are gone, archived ones still take writes', async () => {
    const key = (name: string): Promise<Answer> => ask(`/api/v1/workspaces/acme/work-items/${name}/`, { raw: true });
    expect((await key('ET-1')).body['id']).toBe(item.id);
    expect((await key('et-1')).status).toBe(403);
    expect((await key('ET-99')).status).toBe(404);
    plane.archive(item);
    expect((await ask(`work-items/${item.id}/`)).status).toBe(404);
    expect((await ask(`work-items/${item.id}/`, { method: 'PATCH', body: { priority: 'high' } })).status).toBe(200);
    plane.unarchive(item);
    plane.deleteItem(item);
    expect(await ask(`work-items/${item.id}/`)).toMatchObject({
      status: 404,
      body: { error: 'The requested resource does not exist.' },
    });
    expect((await ask(`work-items/${item.id}/comments/`, { method: 'POST', body: { comment_html: 'x' } })).status).toBe(
      201,
    );
  });

  test('descriptions are sanitised, states are made with 200', async () => {
    const body = { name: 'Hostile', description_html: '<p>a</p><script>x()</script><!-- m --><p>b</p>' };
    const made = await ask('work-items/', { method: 'POST', body });
    expect(made.body['description_html']).toBe('<div><p>a</p><p>b</p></div>');
    const state = await ask('states/', { method: 'POST', body: { name: 'Blocked', color: '#f00', group: 'started' } });
    expect(state.status).toBe(200);
    const again = await ask('states/', { method: 'POST', body: { name: 'Blocked', color: '#f00', group: 'started' } });
    expect(again).toMatchObject({ status: 409, body: { id: state.body['id'] } });
    expect((await ask('states/', { method: 'POST', body: { name: 'No colour' } })).body).toEqual({
      color: ['This field is required.'],
    });
  });
});

describe('comments', () => {
  const post = (body: unknown, at = item): Promise<Answer> =>
    ask(`work-items/${at.id}/comments/`, { method: 'POST', body });

  test('an external id is unique in the project, free again after a delete, and stored as it came', async () => {
    const body = { comment_html: '<script>alert(1)</script>', external_source: 'orch', external_id: 'k1' };
    const made = await post(body);
    expect(made).toMatchObject({ status: 201, body: { comment_html: '<script>alert(1)</script>', external_id: 'k1' } });
    const other = plane.addItem(project, lead, { name: 'Second item' });
    expect(await post(body, other)).toMatchObject({ status: 409, body: { id: made.body['id'] } });
    const gone = await ask(`work-items/${item.id}/comments/${String(made.body['id'])}/`, { method: 'DELETE' });
    expect(gone.status).toBe(204);
    expect((await post(body)).status).toBe(201);
  });

  test('uniqueness is checked before the insert and not with it', async () => {
    const body = { comment_html: 'x', external_source: 'orch', external_id: 'race' };
    const answers = await Promise.all([post(body), post(body), post(body)]);
    expect(answers.filter((answer) => answer.status === 201).length).toBeGreaterThan(1);
  });

  test('a guest rewrites what a member wrote: only updated_by tells', async () => {
    const comment = plane.commentAs(lead, item, '<p>no</p>');
    const path = `work-items/${item.id}/comments/${comment.id}/`;
    expect((await ask(path, { as: guest, method: 'PATCH', body: { comment_html: '<p>:approved:</p>' } })).status).toBe(
      200,
    );
    const seen = await ask(path);
    expect(seen.body).toMatchObject({
      actor: lead.id,
      updated_by: guest.id,
      edited_at: null,
      comment_html: '<p>:approved:</p>',
    });
  });

  test('author and time of creation can be made up, the list is newest first, an unknown item is empty', async () => {
    const spoofed = await post({ comment_html: 'x', actor: guest.id, created_at: '2001-01-01T00:00:00Z' });
    expect(spoofed.body['actor']).toBe(guest.id);
    plane.commentAs(lead, item, 'later');
    const rows = results(await ask(`work-items/${item.id}/comments/?order_by=created_at`));
    expect(rows.map((row) => row['comment_html'])).toEqual(['later', 'x']);
    expect(rows[1]).toMatchObject({ actor: lead.id, is_member: true });
    const nobody = '00000000-0000-4000-8000-000000000000';
    expect(results(await ask(`work-items/${nobody}/comments/`))).toEqual([]);
    expect((await ask(`work-items/${nobody}/comments/`, { method: 'POST', body: {} })).status).toBe(400);
  });

  test('a link is refused the second time', async () => {
    const link = { method: 'POST', body: { url: 'http://git/pr/1', title: 'PR' } };
    expect((await ask(`work-items/${item.id}/links/`, link)).status).toBe(201);
    expect(await ask(`work-items/${item.id}/links/`, link)).toMatchObject({
      status: 400,
      body: { error: 'URL already exists for this Issue' },
    });
  });
});

describe('faults', () => {
  const post = (): Promise<Answer> =>
    ask(`work-items/${item.id}/comments/`, { method: 'POST', body: { comment_html: 'x' } });

  test('saved and refused: the comment is there although the answer says no', async () => {
    plane.faults.push({
      match: /^POST .*\/comments\/$/,
      times: 1,
      action: { kind: 'saved-answer', status: 400, body: { detail: 'The required key does not exist.' } },
    });
    expect((await post()).status).toBe(400);
    expect(plane.commentsOf(item)).toHaveLength(1);
    expect((await post()).status).toBe(201);
  });

  test('reset, garbage, a cut answer and a skipped request', async () => {
    plane.faults.push({ match: /comments/, times: 1, action: { kind: 'reset' } });
    await expect(post()).rejects.toThrow('fetch failed');
    expect(plane.commentsOf(item)).toHaveLength(0);
    plane.faults.push({ match: /states/, times: 1, action: { kind: 'html' } });
    expect((await ask('states/')).headers.get('content-type')).toBe('text/html');
    plane.faults.push({ match: /states/, times: 1, action: { kind: 'truncated' } });
    await expect(ask('states/')).rejects.toThrow();
    plane.faults.push({
      match: /states/,
      times: 1,
      skip: 1,
      action: { kind: 'answer', status: 502, body: 'Bad Gateway' },
    });
    expect([(await ask('states/')).status, (await ask('states/')).status, (await ask('states/')).status]).toEqual([
      200, 502, 200,
    ]);
    plane.faults.push({ match: /states/, times: 1, action: { kind: 'hang' } });
    const giveUp = new AbortController();
    const hanging = expect(fetch(`${plane.url}/api/v1/states/`, { signal: giveUp.signal })).rejects.toThrow();
    await until('the request', () => plane.requests.filter((line) => line.includes('/states/')).length === 6);
    giveUp.abort();
    await hanging;
  });
});
