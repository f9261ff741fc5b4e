import { describe, expect, it } from 'vitest';
import type { CommitSha } from '../../src/core/model/index.ts';
import { failureOf } from './errors-of.ts';
import {
  againstGitea,
  missing,
  paged,
  pull,
  reviewerToken,
  root,
  secrets,
  shaA,
  shaB,
  slug,
  token,
} from './fake-gitea.ts';
import { html, json } from './fake-server.ts';
import type { Handler } from './fake-server.ts';

type Answer = (response: Parameters<Handler>[1]) => void;
const head = shaA as CommitSha;
const branch = 'feature/ET-012-x';
const wanted = { title: 'T', body: 'B', head: branch, base: 'main', labels: [] as string[], look: true };
const own = (number: number, more: Record<string, unknown> = {}) =>
  pull(number, { head: { label: branch, ref: branch, sha: shaA, repo_id: 1 }, ...more });

interface Shown {
  state: string;
  base: { ref: string };
  head: { ref: string; repo_id: number };
}

/** A Gitea whose POST saves or not and answers what the test says; the list shows what was saved. */
async function opening(open: unknown[], saves: boolean, answer: Answer, writeMs = 3_000) {
  const pulls = [...open];
  const made = await againstGitea(
    (seen, response) => {
      if (seen.path === `${root}/pulls/main/${branch}`) {
        // Of any state, in no order; forks have a name of their own here.
        const mine = (pulls as Shown[]).filter(
          ({ base, head }) => base.ref === 'main' && head.ref === branch && head.repo_id === 1,
        );
        return mine[0] === undefined ? json(response, 404, missing) : json(response, 200, mine[0]);
      }
      if (seen.path !== `${root}/pulls`) return json(response, 404, missing);
      if (seen.method === 'GET') return paged(seen, response, pulls);
      if (saves) pulls.push(own(9));
      answer(response);
    },
    { writeMs },
  );
  return { ...made, methods: () => made.server.seen.map((seen) => seen.method).join(' ') };
}

describe('openPull', () => {
  it('opens one when there is none', async () => {
    const { gitea, server, methods } = await opening([], true, (response) => json(response, 201, own(9)));
    expect(await gitea.openPull(slug, wanted)).toMatchObject({ number: 9, headBranch: branch, sameRepo: true });
    expect(methods()).toBe('GET POST');
    expect(JSON.parse(server.seen[1]?.body ?? '')).toEqual({ title: 'T', body: 'B', head: branch, base: 'main' });
  });

  it('opens the first one with one request, and adopts what the server names as the same one', async () => {
    const { gitea, methods } = await opening([], true, (response) => json(response, 201, own(9)));
    expect((await gitea.openPull(slug, { ...wanted, look: false })).number).toBe(9);
    expect(methods()).toBe('POST');
    const there = await opening([own(6)], false, (response) => json(response, 409, { message: 'exists already' }));
    expect((await there.gitea.openPull(slug, { ...wanted, look: false })).number).toBe(6);
    expect(there.methods()).toBe('POST GET');
  });

  it('adopts the oldest open one of the same branches and no other', async () => {
    const others = [
      own(2, { head: { label: branch, ref: branch, sha: shaA, repo_id: 7 } }),
      own(3, { base: { label: 'dev', ref: 'dev', sha: shaB, repo_id: 1 } }),
      own(4, { head: { label: branch, ref: 'refs/pull/4/head', sha: shaA, repo_id: 1 } }),
      own(5, { state: 'closed' }),
    ];
    const none = await opening(others, true, (response) => json(response, 201, own(9)));
    expect((await none.gitea.openPull(slug, wanted)).number).toBe(9);
    const two = await opening([...others, own(8), own(6)], true, (response) => json(response, 201, own(9)));
    expect((await two.gitea.openPull(slug, wanted)).number).toBe(6);
    expect(two.methods()).toBe('GET GET');
    expect(two.server.seen[1]?.query.get('state')).toBe('open');
  });

  it('finds it among thousands of others without reading them, and behind an old one on the second page', async () => {
    const many = Array.from({ length: 55 }, (_, n) => pull(n + 100));
    const refuses: Answer = (response) => json(response, 500, {});
    const { gitea, methods } = await opening([...many, own(6)], true, refuses);
    expect((await gitea.openPull(slug, wanted)).number).toBe(6);
    expect(methods()).toBe('GET');
    const old = await opening([own(5, { state: 'closed' }), ...many, own(6)], true, refuses);
    expect((await old.gitea.openPull(slug, wanted)).number).toBe(6);
    expect(old.methods()).toBe('GET GET GET');
  });

  it.each<[string, Answer]>([
    ['409', (response) => json(response, 409, { message: 'pull request already exists for these targets' })],
    ['500', (response) => json(response, 500, { message: '' })],
    ['a page with 502', (response) => html(response, 502)],
    ['a hang-up', (response) => response.destroy()],
    ['silence', () => {}],
    ['201 and half a document', (response) => response.writeHead(201).end('{"number": ')],
    ['200', (response) => json(response, 200, {})],
  ])('looks again after %s and adopts what was saved', async (_name, answer) => {
    const { gitea, methods } = await opening([], true, answer, 200);
    expect((await gitea.openPull(slug, wanted)).number).toBe(9);
    expect(methods()).toBe('GET POST GET');
  });

  it.each<[string, Answer, string, string, string]>([
    ['500', (response) => json(response, 500, {}), 'gitea_server_error', 'later', 'GET POST GET'],
    ['a hang-up', (response) => response.destroy(), 'gitea_unreachable', 'later', 'GET POST GET'],
    ['409', (response) => json(response, 409, { message: 'exists' }), 'gitea_garbage', 'later', 'GET POST GET'],
    ['422', (response) => json(response, 422, { message: 'head = base' }), 'gitea_refused', 'never', 'GET POST'],
    ['404', (response) => json(response, 404, missing), 'gitea_not_found', 'never', 'GET POST'],
  ])('sends once and fails with %s when nothing was saved', async (_name, answer, code, retry, asked) => {
    const { gitea, methods } = await opening([], false, answer);
    expect(await failureOf(gitea.openPull(slug, wanted), secrets)).toMatchObject({ code, retry });
    expect(methods()).toBe(asked);
  });

  it('resolves labels of the repository and its organisation and goes without unknown ones', async () => {
    const repoLabels = Array.from({ length: 52 }, (_, n) => ({ id: n + 1, name: `l${n}` }));
    const { gitea, server, warnings } = await againstGitea((seen, response) => {
      if (seen.path === `${root}/labels`) return paged(seen, response, repoLabels);
      if (seen.path === '/api/v1/orgs/acme/labels') return paged(seen, response, [{ id: 900, name: 'org' }]);
      if (seen.method === 'GET') return json(response, 404, missing);
      json(response, 201, own(9));
    });
    await gitea.openPull(slug, { ...wanted, labels: ['l51', 'org', 'nowhere'] });
    expect(JSON.parse(server.seen.at(-1)?.body ?? '')).toMatchObject({ labels: [52, 900] });
    expect(warnings).toEqual([
      { message: 'labels not found, pull request opened without them', fields: { repo: slug, labels: 'nowhere' } },
    ]);
  });

  it('opens without labels when the token may not see any, and waits when the server is in trouble', async () => {
    let status = 403;
    const { gitea, server } = await againstGitea((seen, response) => {
      if (seen.path.endsWith('/labels')) return json(response, status, { message: 'required scope' });
      if (seen.method === 'GET') return json(response, 404, missing);
      json(response, 201, own(9));
    });
    expect((await gitea.openPull(slug, { ...wanted, labels: ['a'] })).number).toBe(9);
    status = 500;
    server.seen.length = 0;
    const later = gitea.openPull(slug, { ...wanted, labels: ['a'] });
    expect(await failureOf(later, secrets)).toMatchObject({ code: 'gitea_server_error', retry: 'later' });
    expect(server.seen.every((seen) => seen.method === 'GET')).toBe(true);
  });
});

function review(id: number, more: Record<string, unknown> = {}) {
  return {
    id,
    user: { login: 'ann' },
    state: 'COMMENT',
    commit_id: shaA,
    dismissed: false,
    body: '',
    submitted_at: new Date(1_000_000 + id * 1_000).toISOString(),
    ...more,
  };
}

describe('reviews', () => {
  it('reads 60 reviews from a server that gives 30 unless asked for more, oldest first', async () => {
    const all = Array.from({ length: 60 }, (_, n) => review(n + 1, n === 59 ? { state: 'REQUEST_CHANGES' } : {}));
    const { gitea } = await againstGitea((seen, response) => paged(seen, response, all, (page) => page, 30));
    const reviews = await gitea.reviews(slug, 4);
    expect(reviews.map((one) => one.id)).toEqual(Array.from({ length: 60 }, (_, n) => n + 1));
    expect(reviews.at(-1)).toEqual({
      id: 60,
      user: 'ann',
      state: 'changes_requested',
      commit: shaA,
      dismissed: false,
      counts: false,
      body: '',
      submittedAt: 1_060_000,
      remarks: 0,
    });
  });

  it('reads on behind a page that lost its pending reviews after counting', async () => {
    const all = Array.from({ length: 60 }, (_, n) => review(n + 1));
    const { gitea } = await againstGitea((seen, response) =>
      paged(seen, response, all, (page) => (seen.query.get('page') === '1' ? [] : page)),
    );
    expect((await gitea.reviews(slug, 4)).map((one) => one.id)).toEqual(Array.from({ length: 10 }, (_, n) => n + 51));
  });

  it('takes a request to a team for nobody’s, and a vote of nobody for garbage', async () => {
    let rows = [review(1, { user: null, team: { id: 1 }, state: 'REQUEST_REVIEW' })];
    const { gitea } = await againstGitea((seen, response) => paged(seen, response, rows));
    expect(await gitea.reviews(slug, 4)).toMatchObject([{ user: '', state: 'review_requested' }]);
    rows = [review(1, { user: null, state: 'APPROVED' })];
    expect(await failureOf(gitea.reviews(slug, 4), secrets)).toMatchObject({ code: 'gitea_garbage' });
  });

  it.each([
    ['APPROVED', 'approved'],
    ['REQUEST_CHANGES', 'changes_requested'],
    ['REQUEST_REVIEW', 'review_requested'],
    ['COMMENT', 'commented'],
    ['PENDING', 'commented'],
    ['LOVED', 'commented'],
    ['approved', 'commented'],
    ['', 'commented'],
  ])('reads the word "%s" as %s', async (word, state) => {
    const { gitea } = await againstGitea((seen, response) => paged(seen, response, [review(1, { state: word })]));
    expect(await gitea.reviews(slug, 4)).toMatchObject([{ state }]);
  });
});

describe('postReview', () => {
  const verdict = { head, vote: 'approved' as const, body: 'Fine' };

  async function reviewing(existing: unknown[], answer: Answer, reviewer = true) {
    return againstGitea(
      (seen, response) => {
        const me = seen.headers.authorization === `token ${reviewerToken}` ? 'reviewer' : 'bot';
        if (seen.path === '/api/v1/user') return json(response, 200, { login: me });
        if (seen.method === 'GET') return paged(seen, response, existing);
        if (me === 'bot') return json(response, 422, { message: 'approve your own pull is not allowed' });
        answer(response);
      },
      { reviewer },
    );
  }
  const posted: Answer = (response) =>
    json(response, 200, review(9, { user: { login: 'reviewer' }, state: 'APPROVED' }));
  const mine = (id: number, more: Record<string, unknown> = {}) =>
    review(id, { user: { login: 'reviewer' }, state: 'APPROVED', body: 'Fine', ...more });

  it('posts with the second account, pinned to the reviewed commit', async () => {
    const { gitea, server } = await reviewing([], posted);
    expect(gitea.hasReviewer()).toBe(true);
    await gitea.postReview(slug, 4, verdict);
    const post = server.seen.at(-1);
    expect(post).toMatchObject({ method: 'POST', path: `${root}/pulls/4/reviews` });
    expect(post?.headers.authorization).toBe(`token ${reviewerToken}`);
    expect(JSON.parse(post?.body ?? '')).toEqual({ commit_id: shaA, event: 'APPROVED', body: 'Fine' });
  });

  it('does not post twice', async () => {
    const { gitea, server } = await reviewing([mine(1)], posted);
    await gitea.postReview(slug, 4, verdict);
    expect(server.seen.every((seen) => seen.method === 'GET')).toBe(true);
  });

  it.each([
    ['dismissed', [mine(1, { dismissed: true })]],
    ['asked for again', [mine(1), mine(2, { state: 'REQUEST_REVIEW' })]],
    ['for another commit', [mine(1, { commit_id: shaB })]],
    ['the other way', [mine(1, { state: 'REQUEST_CHANGES' })]],
    ["somebody else's", [review(1, { state: 'APPROVED', body: 'Fine' })]],
  ])('posts again when the review there is %s', async (_name, existing) => {
    const { gitea, server } = await reviewing(existing, posted);
    await gitea.postReview(slug, 4, verdict);
    expect(server.seen.filter((seen) => seen.method === 'POST')).toHaveLength(1);
  });

  it('hands on the refusal of an own pull request', async () => {
    const { gitea } = await reviewing([], posted, false);
    const error = await failureOf(gitea.postReview(slug, 4, verdict), secrets);
    expect(error).toMatchObject({ code: 'gitea_refused', retry: 'never' });
    expect(error.message).toContain('approve your own pull is not allowed');
  });

  it('does not believe a review that came out pending', async () => {
    const { gitea } = await reviewing([], (response) => json(response, 200, mine(9, { state: 'PENDING' })));
    expect(await failureOf(gitea.postReview(slug, 4, verdict), secrets)).toMatchObject({ code: 'gitea_garbage' });
  });

  it('names neither account’s token when one is refused', async () => {
    const { gitea } = await againstGitea(
      (_seen, response) => json(response, 401, { message: `${token} ${reviewerToken}` }),
      {
        reviewer: true,
      },
    );
    expect(await failureOf(gitea.postReview(slug, 4, verdict), secrets)).toMatchObject({ code: 'gitea_token_refused' });
  });
});
