import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { failingFirst, startCi } from '../../src/sandbox/gitea/ci.ts';
import { startGitea } from '../../src/sandbox/gitea/server.ts';
import type { SandboxGitea } from '../../src/sandbox/gitea/server.ts';
import type { GiteaUser, Pull, Repo } from '../../src/sandbox/gitea/state.ts';
import { until } from '../support/until.ts';

let root: string;
let gitea: SandboxGitea;
let owner: GiteaUser;
let bot: GiteaUser;
let repo: Repo;
let head: string;

const lagMs = 300;

beforeEach(async () => {
  root = mkdtempSync(path.join(tmpdir(), 'orch-gitea-'));
  gitea = await startGitea({ root, lagMs });
  owner = gitea.addUser({ login: 'acme' });
  bot = gitea.addUser({ login: 'bot' });
  repo = await gitea.addRepo({ owner, name: 'shop', files: { 'a.txt': 'one\n' } });
  gitea.grant(repo, bot, 'write');
  head = await gitea.pushFile(repo, 'feature/one', { 'b.txt': 'b\n' }, 'b', bot);
});
afterEach(async () => {
  await gitea.close();
  rmSync(root, { recursive: true, force: true });
});

interface Answer {
  status: number;
  body: Record<string, unknown>;
  headers: Headers;
  text: string;
}

async function ask(
  route: string,
  options: { as?: GiteaUser | null; method?: string; body?: unknown; on?: SandboxGitea } = {},
): Promise<Answer> {
  const user = options.as === undefined ? bot : options.as;
  const response = await fetch(`${(options.on ?? gitea).url}/api/v1${route}`, {
    method: options.method ?? 'GET',
    headers: {
      ...(user === null ? {} : { authorization: `token ${user.tokens[0]?.value ?? ''}` }),
      'content-type': 'application/json',
    },
    ...(options.body === undefined ? {} : { body: JSON.stringify(options.body) }),
  });
  const text = await response.text();
  const json = (response.headers.get('content-type') ?? '').includes('json');
  return {
    status: response.status,
    body: json ? (JSON.parse(text) as Record<string, unknown>) : {},
    headers: response.headers,
    text,
  };
}

const inRepo = (route: string, options: Parameters<typeof ask>[1] = {}): Promise<Answer> =>
  ask(`/repos/acme/shop${route}`, options);
const rows = (answer: Answer): Record<string, unknown>[] => answer.body as unknown as Record<string, unknown>[];
const open = (): Promise<Answer> =>
  inRepo('/pulls', { method: 'POST', body: { title: 'One', head: 'feature/one', base: 'main' } });

describe('who asks', () => {
  test('strangers see no private repository, wrong tokens not even the version, scopes count', async () => {
    expect((await ask('/version', { as: null })).body).toEqual({ version: '1.26.3' });
    const wrong = { ...bot, tokens: [{ value: 'f'.repeat(40), scopes: ['all'] }] };
    expect((await ask('/version', { as: wrong })).status).toBe(401);
    expect((await inRepo('', { as: null })).status).toBe(404);
    expect((await inRepo('', { as: gitea.addUser({ login: 'stranger' }) })).status).toBe(404);
    const reader = gitea.addUser({ login: 'reader', scopes: ['read:repository'] });
    gitea.grant(repo, reader, 'write');
    expect((await inRepo('', { as: reader })).status).toBe(200);
    const refused = await inRepo('/statuses/' + head, { as: reader, method: 'POST', body: { state: 'success' } });
    expect(refused).toMatchObject({
      status: 403,
      body: { message: expect.stringContaining('required scope') as string },
    });
    expect((await ask('/user', { as: reader })).status).toBe(403);
  });

  test('unknown routes are plain text, wrong verbs 405, an archived repository 423', async () => {
    const unknown = await ask('/nothing');
    expect(unknown).toMatchObject({ status: 404, text: '404 page not found\n' });
    expect((await inRepo('/pulls', { method: 'PUT' })).status).toBe(405);
    repo.archived = true;
    expect((await open()).status).toBe(423);
  });
});

describe('pull requests', () => {
  test('are made once, and refused for missing branches and missing fields', async () => {
    const made = await open();
    expect(made).toMatchObject({
      status: 201,
      body: { number: 1, mergeable: true, state: 'open', head: { label: 'feature/one', sha: head } },
    });
    expect(await open()).toMatchObject({
      status: 409,
      body: { message: expect.stringContaining('issue_id: 1') as string },
    });
    const create = (body: unknown): Promise<Answer> => inRepo('/pulls', { method: 'POST', body });
    expect((await create({ title: 'x', head: 'nope', base: 'main' })).status).toBe(404);
    expect((await create({ title: 'x', head: 'main', base: 'main' })).status).toBe(422);
    expect((await create({ head: 'feature/one', base: 'main' })).body['message']).toBe('[Title]: Required');
  });

  test('four made at once are four', async () => {
    const answers = await Promise.all([open(), open(), open(), open()]);
    expect(answers.map((answer) => answer.status)).toEqual([201, 201, 201, 201]);
  });

  test('lists cut pages at 50 without a word and are sorted by what was asked for', async () => {
    for (let n = 0; n < 55; n++) await gitea.openPr(bot, repo, { head: 'feature/one', title: `PR ${n}` });
    const first = await inRepo('/pulls?limit=100&state=all&sort=oldest');
    expect(rows(first)).toHaveLength(50);
    expect(first.headers.get('x-total-count')).toBe('55');
    expect(rows(await inRepo('/pulls?limit=50&page=2&state=all'))).toHaveLength(5);
    gitea.pull(repo, 3).updatedAt += 60_000;
    expect(rows(await inRepo('/pulls?state=all&sort=recentupdate&limit=1'))[0]?.['number']).toBe(3);
    expect(rows(await inRepo('/pulls?state=closed'))).toEqual([]);
    const empty = await gitea.addRepo({ owner, name: 'empty', files: {} });
    expect((await ask(`/repos/acme/${empty.name}/pulls`, { as: owner })).status).toBe(404);
  });

  test('follow their branch, lose it and keep its name, and close a moment later', async () => {
    await open();
    const next = await gitea.pushFile(repo, 'feature/one', { 'b.txt': 'bb\n' }, 'bb', bot);
    expect((await inRepo('/pulls/1')).body).toMatchObject({ mergeable: false, head: { sha: next } });
    await until('the conflict check', async () => (await inRepo('/pulls/1')).body['mergeable'] === true);
    await gitea.deleteBranch(repo, 'feature/one', bot);
    expect((await inRepo('/pulls/1')).body).toMatchObject({
      state: 'open',
      head: { ref: 'refs/pull/1/head', label: 'feature/one', sha: next },
    });
    await until('the closing', async () => (await inRepo('/pulls/1')).body['state'] === 'closed');
    const reused = await gitea.pushFile(repo, 'feature/one', { 'c.txt': 'c\n' }, 'c', bot);
    expect((await inRepo('/pulls/1')).body['head']).toMatchObject({ sha: reused, ref: 'feature/one' });
  });

  test('asked for by branches, an old closed one may be the answer; a fork has the same label and another repository', async () => {
    gitea.closePr(await gitea.openPr(bot, repo, { head: 'feature/one', title: 'Old' }));
    await open();
    expect((await inRepo('/pulls/main/feature/one')).body['number']).toBe(1);
    await gitea.injectForkPr(owner, repo, { head: 'feature/one', title: 'Theirs', sha: head });
    const fork = (await inRepo('/pulls/3')).body as {
      head: { label: string; repo_id: number };
      base: { repo_id: number };
    };
    expect(fork.head.label).toBe('feature/one');
    expect(fork.head.repo_id).not.toBe(fork.base.repo_id);
  });

  test('take labels by id', async () => {
    const label = gitea.addLabel(repo, 'orch');
    const made = await inRepo('/pulls', {
      method: 'POST',
      body: { title: 'x', head: 'feature/one', base: 'main', labels: [label.id] },
    });
    expect(made.body['labels']).toMatchObject([{ name: 'orch' }]);
    expect(rows(await inRepo('/labels'))).toHaveLength(1);
  });
});

describe('reviews', () => {
  const review = (as: GiteaUser, body: unknown): Promise<Answer> =>
    inRepo('/pulls/1/reviews', { as, method: 'POST', body });

  test('nobody approves their own, a word is needed to reject, no event is a draft', async () => {
    await open();
    expect(await review(bot, { event: 'APPROVED' })).toMatchObject({
      status: 422,
      body: { message: 'approve your own pull is not allowed' },
    });
    expect((await review(owner, { event: 'REQUEST_CHANGES' })).status).toBe(422);
    expect((await review(owner, { event: 'APPROVED', commit_id: 'abcdef' })).status).toBe(500);
    expect(await review(owner, { event: 'APPROVED' })).toMatchObject({
      status: 200,
      body: { state: 'APPROVED', official: true, commit_id: head },
    });
    expect((await review(owner, {})).body['state']).toBe('PENDING');
    expect(rows(await inRepo('/pulls/1/reviews')).map((row) => row['state'])).toEqual(['APPROVED']);
    expect(rows(await inRepo('/pulls/1/reviews', { as: owner }))).toHaveLength(2);
  });

  test('come oldest first in pages of 30, or all at once before 1.26', async () => {
    await open();
    const pull = gitea.pull(repo, 1);
    for (let n = 0; n < 33; n++) gitea.reviewAs(owner, repo, pull, 'COMMENT', `note ${n}`);
    const first = await inRepo('/pulls/1/reviews');
    expect(
      rows(first)
        .map((row) => row['body'])
        .slice(0, 2),
    ).toEqual(['note 0', 'note 1']);
    expect([rows(first).length, first.headers.get('x-total-count')]).toEqual([30, '33']);
    gitea.state.version = '1.25.4';
    expect(rows(await inRepo('/pulls/1/reviews'))).toHaveLength(33);
    expect(rows(await inRepo('/pulls/1/reviews?page=2'))).toHaveLength(3);
  });

  test('asking again takes the weight from an approval and leaves it standing', async () => {
    await open();
    const pull = gitea.pull(repo, 1);
    gitea.reviewAs(owner, repo, pull, 'APPROVED');
    await inRepo('/pulls/1/requested_reviewers', { method: 'POST', body: { reviewers: ['acme'] } });
    expect(rows(await inRepo('/pulls/1/reviews'))).toMatchObject([
      { state: 'APPROVED', official: false, dismissed: false },
      { state: 'REQUEST_REVIEW', official: true },
    ]);
  });

  test('are dismissed by administrators only', async () => {
    await open();
    const made = gitea.reviewAs(owner, repo, gitea.pull(repo, 1), 'APPROVED');
    const path = `/pulls/1/reviews/${made.id}/dismissals`;
    expect((await inRepo(path, { method: 'POST', body: { message: 'x' } })).status).toBe(403);
    expect((await inRepo(path, { as: owner, method: 'POST', body: { message: 'x' } })).body['dismissed']).toBe(true);
  });

  test('go stale some time after a push that changes the diff, and are dismissed where the rule says so', async () => {
    gitea.protect(repo, { rule: 'main', dismissStaleApprovals: true });
    await open();
    const row = gitea.reviewAs(owner, repo, gitea.pull(repo, 1), 'APPROVED');
    await gitea.pushFile(repo, 'feature/one', { 'docs/x.md': 'x\n' }, 'docs', bot);
    expect([row.stale, row.dismissed]).toEqual([false, false]);
    await until('a stale, dismissed review', () => row.stale && row.dismissed);
    await gitea.forcePush(repo, 'feature/one', head, bot);
    await until('a review that is not stale any more', () => !row.stale);
  });
});

describe('statuses', () => {
  const combined = (): Promise<Answer> => inRepo(`/commits/${head}/status`);

  test.each([
    ['1.24.7', '', ''],
    ['1.25.4', '', 'sha'],
    ['1.26.3', 'pending', 'sha'],
  ])('without a status %s says "%s"', async (version, state, sha) => {
    gitea.state.version = version;
    expect((await combined()).body).toMatchObject({
      state,
      sha: sha === '' ? '' : head,
      total_count: 0,
      statuses: null,
    });
  });

  test.each([
    ['1.24.7', ['success', 'warning'], 'warning'],
    ['1.24.7', ['success', 'error'], 'failure'],
    ['1.25.4', ['success', 'warning', 'skipped'], 'success'],
    ['1.26.3', ['success', 'warning'], 'failure'],
    ['1.26.3', ['success', 'pending'], 'pending'],
    ['1.26.3', ['success', 'skipped'], 'success'],
  ])('%s folds %j to %s', async (version, states, folded) => {
    gitea.state.version = version;
    states.forEach((state, n) => gitea.setStatus(repo, head, `ci/${n}`, state));
    expect((await combined()).body['state']).toBe(folded);
  });

  test('the newest of a context counts, an old failure hides on page 2, any word is taken', async () => {
    gitea.setStatus(repo, head, 'ci/old', 'failure');
    for (let n = 0; n < 30; n++) gitea.setStatus(repo, head, `ci/${n}`, 'success');
    const first = await combined();
    expect([first.body['state'], first.body['total_count'], first.headers.get('x-total-count')]).toEqual([
      'success',
      30,
      '31',
    ]);
    expect((await inRepo(`/commits/${head}/status?page=2`)).body['state']).toBe('failure');
    const posted = await inRepo(`/statuses/${head}`, { method: 'POST', body: { state: 'bogus', context: 'ci/old' } });
    expect(posted).toMatchObject({ status: 201, body: { status: 'bogus', context: 'ci/old' } });
    expect(rows(await inRepo(`/commits/${head}/statuses`))[0]).toMatchObject({ status: 'bogus' });
  });

  test('a slash in the reference is a path of its own before 1.25', async () => {
    expect((await inRepo('/commits/feature/one/status')).status).toBe(200);
    gitea.state.version = '1.24.7';
    expect((await inRepo('/commits/feature/one/status')).status).toBe(404);
    expect((await inRepo('/commits/feature%2Fone/status')).status).toBe(200);
    expect((await inRepo('/commits/nowhere/status')).status).toBe(404);
  });

  test('the CI robot says pending with the push and its verdict later', async () => {
    const stop = startCi(gitea, repo, { decide: failingFirst(1) });
    const first = await gitea.pushFile(repo, 'feature/two', { 'c.txt': 'c\n' }, 'c', bot);
    const state = async (sha: string): Promise<unknown> => (await inRepo(`/commits/${sha}/status`)).body['state'];
    expect(await state(first)).toBe('pending');
    await until('the failure', async () => (await state(first)) === 'failure');
    const second = await gitea.pushFile(repo, 'feature/two', { 'c.txt': 'cc\n' }, 'cc', bot);
    await until('the success', async () => (await state(second)) === 'success');
    stop();
    const third = await gitea.pushFile(repo, 'feature/two', { 'c.txt': 'ccc\n' }, 'ccc', bot);
    expect((await inRepo(`/commits/${third}/status`)).body['total_count']).toBe(0);
  });
});

describe('branches', () => {
  test('are read with slashes raw or encoded, and made, refused and deleted as the server does', async () => {
    const encoded = await inRepo('/branches/feature%2Fone');
    expect(encoded.body).toMatchObject({ name: 'feature/one', protected: false, commit: { id: head } });
    expect((await inRepo('/branches/feature/one')).body['name']).toBe('feature/one');
    const create = (body: unknown): Promise<Answer> => inRepo('/branches', { method: 'POST', body });
    expect((await create({ new_branch_name: 'feature/two', old_ref_name: head })).status).toBe(201);
    expect((await create({ new_branch_name: 'feature/two', old_ref_name: head })).status).toBe(409);
    expect((await create({ new_branch_name: 'feature/one/x', old_ref_name: head })).status).toBe(409);
    expect((await create({ new_branch_name: 'x', old_branch_name: 'nope' })).status).toBe(404);
    expect((await create({ new_branch_name: 'x', old_ref_name: 'nope' })).status).toBe(500);
    expect((await inRepo('/branches/main', { method: 'DELETE' })).status).toBe(403);
    expect((await inRepo('/branches/feature/two', { method: 'DELETE' })).status).toBe(204);
    expect((await inRepo('/branches/feature/two', { method: 'DELETE' })).status).toBe(404);
    expect(rows(await inRepo('/branches')).map((row) => row['name'])).toEqual(['feature/one', 'main']);
  });

  test('rules are for administrators; everybody sees their summary on the branch', async () => {
    const rule = {
      rule_name: 'main',
      required_approvals: 2,
      enable_status_check: true,
      status_check_contexts: ['ci/test'],
    };
    expect((await inRepo('/branch_protections', { method: 'POST', body: rule })).status).toBe(403);
    expect((await inRepo('/branch_protections', { as: owner, method: 'POST', body: rule })).status).toBe(201);
    expect((await inRepo('/branch_protections', { as: owner, method: 'POST', body: rule })).status).toBe(403);
    expect((await inRepo('/branches/main')).body).toMatchObject({
      protected: true,
      required_approvals: 2,
      status_check_contexts: ['ci/test'],
      user_can_push: false,
      user_can_merge: true,
    });
  });

  test('a deleted base sends its pull requests to main', async () => {
    await gitea.pushFile(repo, 'next', { 'n.txt': 'n\n' }, 'n', bot);
    const pull: Pull = await gitea.openPr(bot, repo, { head: 'feature/one', base: 'next', title: 'x' });
    await gitea.deleteBranch(repo, 'next', bot);
    await until('another base', () => pull.base === 'main');
  });
});
