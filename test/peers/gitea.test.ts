import { describe, expect, it } from 'vitest';
import type { CommitSha, MergeAnswer } from '../../src/core/model/index.ts';
import { failureOf } from './errors-of.ts';
import {
  againstGitea,
  missing,
  notFound,
  paged,
  pull,
  repository,
  root,
  secrets,
  shaA,
  shaB,
  slug,
  token,
} from './fake-gitea.ts';
import { html, json, truncated } from './fake-server.ts';
import type { Handler } from './fake-server.ts';

type Answer = (response: Parameters<Handler>[1]) => void;
const head = shaA as CommitSha;

describe('pulls', () => {
  it('reads pages of any state, most recently updated first, until one is older', async () => {
    const all = Array.from({ length: 180 }, (_, n) => pull(n + 1));
    const { server, gitea } = await againstGitea((seen, response) => paged(seen, response, all));
    const since = 1_000_000_000 - 60_000;
    const pulls = await gitea.pulls(slug, since);
    expect(pulls.map((one) => one.number)).toEqual(Array.from({ length: 60 }, (_, n) => n + 1));
    expect(server.seen.map((seen) => seen.query.get('page'))).toEqual(['1', '2']);
    expect(Object.fromEntries(server.seen[0]?.query ?? [])).toMatchObject({
      state: 'all',
      sort: 'recentupdate',
      limit: '50',
    });
    expect(await gitea.pulls(slug, null)).toHaveLength(180);
  });

  it('reads everything from a server that gives smaller pages than asked for', async () => {
    const all = Array.from({ length: 45 }, (_, n) => pull(n + 1));
    const { gitea } = await againstGitea((seen, response) => paged(seen, response, all, (page) => page, 10));
    expect(await gitea.pulls(slug, null)).toHaveLength(45);
  });

  it('reads everything from a server that does not count', async () => {
    const all = Array.from({ length: 70 }, (_, n) => pull(n + 1));
    const { gitea } = await againstGitea((seen, response) => {
      const page = Number(seen.query.get('page'));
      json(response, 200, all.slice((page - 1) * 30, page * 30));
    });
    expect(await gitea.pulls(slug, null)).toHaveLength(70);
  });

  it('notices a server that counts more than it shows, page after page', async () => {
    const { gitea } = await againstGitea((_seen, response) => json(response, 200, [pull(1)], { 'x-total-count': 9 }));
    expect(await failureOf(gitea.pulls(slug, null), secrets)).toMatchObject({ code: 'gitea_garbage', retry: 'later' });
  });

  it('names the branch by the label once the branch is gone, and tells forks apart', async () => {
    const { gitea } = await againstGitea((seen, response) =>
      paged(seen, response, [
        pull(1, {
          state: 'closed',
          merged: true,
          merge_commit_sha: shaB,
          head: { label: 'feature/ET-001', ref: 'refs/pull/1/head', sha: shaA, repo_id: 1 },
        }),
        pull(2, { head: { label: 'feature/ET-001', ref: 'feature/ET-001', sha: shaA, repo_id: 7 } }),
        pull(3, {
          head: { label: 'x', ref: 'refs/pull/3/head', sha: '', repo: null, repo_id: -1 },
          merge_commit_sha: shaB,
        }),
      ]),
    );
    const pulls = await gitea.pulls(slug, null);
    expect(pulls[0]).toEqual({
      kind: 'pr',
      repo: slug,
      number: 1,
      state: 'closed',
      merged: true,
      mergedSha: shaB,
      headBranch: 'feature/ET-001',
      headSha: shaA,
      baseBranch: 'main',
      author: 'bot',
      title: 'Pull 1',
      sameRepo: true,
      updatedAt: 999_999_000,
    });
    expect(pulls[1]).toMatchObject({ headBranch: 'feature/ET-001', sameRepo: false });
    expect(pulls[2]).toMatchObject({ headSha: '0'.repeat(40), sameRepo: false, mergedSha: null });
  });

  it('takes null for an empty list, and an empty repository for one without pull requests', async () => {
    const { gitea } = await againstGitea((_seen, response) => json(response, 200, null));
    expect(await gitea.pulls(slug, null)).toEqual([]);
    const empty = await againstGitea((seen, response) =>
      seen.path === root ? json(response, 200, repository({ empty: true })) : json(response, 404, missing),
    );
    expect(await empty.gitea.pulls(slug, null)).toEqual([]);
    const hidden = await againstGitea((_seen, response) => json(response, 404, missing));
    expect(await failureOf(hidden.gitea.pulls(slug, null), secrets)).toMatchObject({ code: 'gitea_not_found' });
  });

  it.each([
    ['a null row', [pull(1), null]],
    ['a short sha', [pull(1, { head: { label: 'a', ref: 'a', sha: 'abc', repo_id: 1 } })]],
    ['an unknown state', [pull(1, { state: 'merged' })]],
    ['an object instead of a list', { pulls: [] }],
  ])('fails the whole call for %s', async (_name, body) => {
    const { gitea } = await againstGitea((_seen, response) => json(response, 200, body));
    expect(await failureOf(gitea.pulls(slug, null), secrets)).toMatchObject({ code: 'gitea_garbage', retry: 'later' });
  });

  it('takes a missing pull request for gone only while the repository is there', async () => {
    let visible = true;
    const { gitea } = await againstGitea((seen, response) =>
      seen.path === root && visible ? json(response, 200, repository()) : json(response, 404, missing),
    );
    expect(await gitea.pull(slug, 5)).toBeNull();
    visible = false;
    expect(await failureOf(gitea.pull(slug, 5), secrets)).toMatchObject({ code: 'gitea_not_found', exit: 'notFound' });
    const lost = await againstGitea((_seen, response) => notFound(response));
    expect(await failureOf(lost.gitea.pull(slug, 5), secrets)).toMatchObject({ code: 'gitea_garbage', retry: 'later' });
  });
});

describe('statuses', () => {
  const status = (id: number, context: string, state: string) => ({
    id,
    context,
    status: state,
    description: '',
    target_url: '',
  });
  const combined = (sha: string) => (statuses: unknown[]) => ({
    state: 'success',
    sha,
    total_count: statuses.length,
    statuses: statuses.length === 0 ? null : statuses,
  });

  it('finds the old failure on page 2 behind a page that says success', async () => {
    const rows = [
      ...Array.from({ length: 60 }, (_, n) => status(1_000 - n, `ci/${n}`, 'success')),
      status(1, 'ci/old', 'failure'),
    ];
    const { server, gitea } = await againstGitea((seen, response) => paged(seen, response, rows, combined(shaA)));
    const statuses = await gitea.statuses(slug, head);
    expect(statuses).toHaveLength(61);
    expect(statuses.find((one) => one.context === 'ci/old')).toEqual({
      id: 1,
      context: 'ci/old',
      state: 'failed',
      description: '',
      url: '',
    });
    expect(server.seen.map((seen) => seen.path)).toEqual(Array(2).fill(`${root}/commits/${shaA}/status`));
  });

  it('keeps the highest id of a context', async () => {
    const rows = [status(3, 'ci', 'failure'), status(7, 'ci', 'success'), status(5, 'ci', 'pending')];
    const { gitea } = await againstGitea((seen, response) => paged(seen, response, rows, combined(shaA)));
    expect(await gitea.statuses(slug, head)).toMatchObject([{ id: 7, state: 'passed' }]);
  });

  it.each([
    ['success', 'passed'],
    ['failure', 'failed'],
    ['error', 'failed'],
    ['warning', 'failed'],
    ['pending', 'pending'],
    ['skipped', 'skipped'],
    ['sunny', 'failed'],
    ['', 'failed'],
    ['Success', 'failed'],
  ])('reads the word "%s" as %s', async (word, state) => {
    const { gitea } = await againstGitea((seen, response) =>
      paged(seen, response, [status(1, 'ci', word)], combined(shaA)),
    );
    expect(await gitea.statuses(slug, head)).toMatchObject([{ state }]);
  });

  it.each([
    ['1.24', { state: '', sha: '', total_count: 0, statuses: null, repository: null }],
    ['1.26', { state: 'pending', sha: shaA, total_count: 0, statuses: null }],
  ])('sees no status in the answer of %s', async (_name, body) => {
    const { gitea } = await againstGitea((_seen, response) => json(response, 200, body));
    expect(await gitea.statuses(slug, head)).toEqual([]);
  });

  it.each([
    ['another commit', { sha: shaB, statuses: null }],
    ['a null row', { sha: shaA, statuses: [null] }],
    ['a row without its state', { sha: shaA, statuses: [{ id: 1, context: 'ci', state: 'success' }] }],
  ])('fails for %s', async (_name, body) => {
    const { gitea } = await againstGitea((_seen, response) => json(response, 200, body));
    expect(await failureOf(gitea.statuses(slug, head), secrets)).toMatchObject({ code: 'gitea_garbage' });
  });
});

describe('merge', () => {
  const request = { number: 4, head, style: 'squash' as const, title: 'T', message: 'M\n\nOrch-Merge: 1' };

  it.each<[string, Answer, MergeAnswer['kind'], string]>([
    ['200 without a body', (response) => response.writeHead(200).end(), 'asked', 'HTTP 200: '],
    [
      '405',
      (response) => json(response, 405, { message: 'Please try again later', url: 'x' }),
      'not_yet',
      'HTTP 405: Please try again later',
    ],
    ['405 without a message, as Forgejo', (response) => json(response, 405, { message: '' }), 'not_yet', 'HTTP 405: '],
    [
      '405 with a rule',
      (response) => json(response, 405, { message: 'Does not have enough approvals' }),
      'refused',
      'HTTP 405: Does not have enough approvals',
    ],
    [
      '409',
      (response) => json(response, 409, { message: 'head out of date' }),
      'head_moved',
      'HTTP 409: head out of date',
    ],
    [
      '409 of another merge',
      (response) => json(response, 409, { message: 'cannot lock ref' }),
      'not_yet',
      'HTTP 409: cannot lock ref',
    ],
    ['404', (response) => json(response, 404, missing), 'not_yet', "HTTP 404: The target couldn't be found."],
    [
      '423',
      (response) => json(response, 423, { message: 'Repo is archived' }),
      'refused',
      'HTTP 423: Repo is archived',
    ],
    ['500 with a page', (response) => html(response, 500), 'trouble', 'HTTP 500: '],
    ['301', (response) => html(response, 301, { location: '/other' }), 'not_yet', 'HTTP 301: '],
    [
      'a wrong token',
      (response) => json(response, 401, { message: `bad ${token}\n!` }),
      'trouble',
      'HTTP 401: bad [redacted] !',
    ],
  ])('hands on %s', async (_name, answer, kind, said) => {
    const { server, gitea } = await againstGitea((_seen, response) => answer(response));
    expect(await gitea.merge(slug, request)).toEqual({ kind, said });
    expect(server.seen).toHaveLength(1);
    expect(server.seen[0]).toMatchObject({ method: 'POST', path: `${root}/pulls/4/merge` });
    expect(JSON.parse(server.seen[0]?.body ?? '')).toEqual({
      Do: 'squash',
      MergeTitleField: 'T',
      MergeMessageField: 'M\n\nOrch-Merge: 1',
      head_commit_id: shaA,
    });
  });

  it('waits longer than an ordinary write, and asks once when no answer comes', async () => {
    const slow = await againstGitea((_seen, response) => void setTimeout(() => response.writeHead(200).end(), 250), {
      writeMs: 50,
      mergeTimeoutMs: 5_000,
    });
    expect(await slow.gitea.merge(slug, request)).toEqual({ kind: 'asked', said: 'HTTP 200: ' });
    const silent = await againstGitea(() => {}, { mergeTimeoutMs: 60 });
    expect(await failureOf(silent.gitea.merge(slug, request), secrets)).toMatchObject({
      code: 'gitea_unreachable',
      retry: 'later',
    });
    expect(silent.server.seen).toHaveLength(1);
    const broken = await againstGitea((_seen, response) => response.destroy());
    expect(await failureOf(broken.gitea.merge(slug, request), secrets)).toMatchObject({ code: 'gitea_unreachable' });
    expect(broken.server.seen).toHaveLength(1);
  });
});

describe('repository', () => {
  it('reads what may be done with it', async () => {
    const { gitea } = await againstGitea((_seen, response) =>
      json(response, 200, repository({ allow_manual_merge: true })),
    );
    expect(await gitea.repo(slug)).toEqual({
      id: 1,
      slug,
      defaultBranch: 'main',
      empty: false,
      archived: false,
      mirror: false,
      isSha256: false,
      canPush: true,
      allowsManualMerge: true,
      mergeStyles: ['merge', 'squash'],
    });
  });

  it('refuses a name that could climb out of a folder', async () => {
    const { gitea } = await againstGitea((_seen, response) =>
      json(response, 200, repository({ full_name: 'acme/../../etc' })),
    );
    expect(await failureOf(gitea.repo(slug), secrets)).toMatchObject({ code: 'gitea_garbage' });
  });

  it.each<[string, Answer, unknown]>([
    ['its own', (response) => json(response, 200, repository()), { id: 1, slug }],
    ['a former one', (response) => response.writeHead(301, { location: '/api/v1/repos/acme/new' }).end(), { id: 1 }],
    ['one that leads out', (response) => response.writeHead(301, { location: 'https://x/login' }).end(), null],
    ['one that nothing has', (response) => json(response, 404, missing), null],
  ])('finds a repository by a name: %s', async (_name, answer, found) => {
    const { gitea, server } = await againstGitea((seen, response) =>
      seen.path === '/api/v1/repos/acme/new' ? json(response, 200, repository()) : answer(response),
    );
    const repo = await gitea.findRepo(slug);
    if (found === null) expect(repo).toBeNull();
    else expect(repo).toMatchObject(found as object);
    expect(server.seen.every(({ path }) => path.startsWith('/api/v1/repos/acme/'))).toBe(true);
  });

  it('reads the protection of a branch whose name needs encoding', async () => {
    const { server, gitea } = await againstGitea((seen, response) => {
      if (seen.path === root) return json(response, 200, repository());
      if (seen.path !== `${root}/branches/release/1.0%23b`) return json(response, 404, missing);
      json(response, 200, {
        protected: true,
        required_approvals: 2,
        enable_status_check: true,
        status_check_contexts: ['ci/test'],
        user_can_push: false,
        user_can_merge: true,
      });
    });
    expect(await gitea.protection(slug, 'release/1.0#b')).toEqual({
      protected: true,
      requiredApprovals: 2,
      statusCheck: true,
      contexts: ['ci/test'],
      canPush: false,
      canMerge: true,
    });
    expect(await gitea.protection(slug, 'gone')).toBeNull();
    const asked = server.seen.length;
    expect(await failureOf(gitea.protection(slug, '../../..'), secrets)).toMatchObject({ code: 'bad_path' });
    expect(server.seen).toHaveLength(asked);
  });

  it('reads the account and the version', async () => {
    const { gitea } = await againstGitea((seen, response) => {
      if (seen.path === '/api/v1/user') return json(response, 200, { login: 'bot' });
      if (seen.path === '/api/v1/version') return json(response, 200, { version: '15.0.3+gitea-1.22.0' });
      notFound(response);
    });
    expect(await gitea.me()).toEqual({ login: 'bot' });
    expect(await gitea.version()).toBe('15.0.3+gitea-1.22.0');
    expect(gitea.hasReviewer()).toBe(false);
  });
});

describe('errors', () => {
  it.each<[string, Answer, string, string, string]>([
    [
      'a wrong token',
      (response) => json(response, 401, { message: `token ${token}` }),
      'gitea_token_refused',
      'authentication',
      'never',
    ],
    [
      'a missing scope',
      (response) => json(response, 403, { message: 'token does not have at least one of required scope(s)' }),
      'gitea_token_refused',
      'authentication',
      'never',
    ],
    ['no rights', (response) => json(response, 403, { message: 'no' }), 'gitea_forbidden', 'authentication', 'never'],
    [
      'an archived repository',
      (response) => json(response, 423, { message: 'archived' }),
      'gitea_refused',
      'failed',
      'never',
    ],
    ['a crash', (response) => json(response, 500, { message: '' }), 'gitea_server_error', 'tryAgain', 'later'],
    ['throttling', (response) => json(response, 429, {}), 'gitea_rate_limited', 'tryAgain', 'later'],
    ['a page', (response) => html(response, 200), 'gitea_garbage', 'tryAgain', 'later'],
    ['nothing with 200', (response) => response.writeHead(200).end(), 'gitea_garbage', 'tryAgain', 'later'],
    ['204', (response) => response.writeHead(204).end(), 'gitea_garbage', 'tryAgain', 'later'],
    ['status 999', (response) => response.writeHead(999).end(), 'gitea_garbage', 'tryAgain', 'later'],
    ['half a document', (response) => response.end('{"full_name": "ac'), 'gitea_garbage', 'tryAgain', 'later'],
    ['a hang-up', truncated, 'gitea_unreachable', 'tryAgain', 'later'],
    ['silence', () => {}, 'gitea_unreachable', 'tryAgain', 'later'],
    [
      'a renamed repository',
      (response) => html(response, 301, { location: '/api/v1/repos/x/y' }),
      'gitea_refused',
      'failed',
      'never',
    ],
    ['a login page', (response) => html(response, 302, { location: '/login' }), 'gitea_garbage', 'tryAgain', 'later'],
  ])('%s', async (_name, answer, code, exit, retry) => {
    const { gitea } = await againstGitea((_seen, response) => answer(response), { readMs: 150 });
    expect(await failureOf(gitea.repo(slug), secrets)).toMatchObject({ code, exit, retry });
  });
});
