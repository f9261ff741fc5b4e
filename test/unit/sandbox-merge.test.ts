import { mkdtempSync, rmSync } from 'node:fs';
import http from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { git } from '../../src/sandbox/gitea/git.ts';
import { startGitea } from '../../src/sandbox/gitea/server.ts';
import type { SandboxGitea } from '../../src/sandbox/gitea/server.ts';
import type { GiteaUser, Pull, Repo } from '../../src/sandbox/gitea/state.ts';
import { until } from '../support/until.ts';

let root: string;
let gitea: SandboxGitea;
let owner: GiteaUser;
let bot: GiteaUser;
let repo: Repo;
let pull: Pull;
let head: string;

beforeEach(async () => {
  root = mkdtempSync(path.join(tmpdir(), 'orch-merge-'));
  gitea = await startGitea({ root, lagMs: 20 });
  owner = gitea.addUser({ login: 'acme' });
  bot = gitea.addUser({ login: 'bot', email: 'bot@example.org' });
  repo = await gitea.addRepo({ owner, name: 'shop', files: { 'a.txt': 'one\n' } });
  gitea.grant(repo, bot, 'write');
  await gitea.pushFile(repo, 'feature/x', { 'b.txt': 'b\n' }, 'first', bot);
  head = await gitea.pushFile(repo, 'feature/x', { 'b.txt': 'bb\n' }, 'second', bot);
  pull = await gitea.openPr(bot, repo, { head: 'feature/x', title: 'Feature x' });
});
afterEach(async () => {
  await gitea.close();
  rmSync(root, { recursive: true, force: true });
});

async function merge(
  body: Record<string, unknown>,
  as = bot,
): Promise<{ status: number; message: string; text: string }> {
  const response = await fetch(`${gitea.url}/api/v1/repos/acme/shop/pulls/${pull.number}/merge`, {
    method: 'POST',
    headers: { authorization: `Bearer ${as.tokens[0]?.value ?? ''}`, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  const text = await response.text();
  return {
    status: response.status,
    text,
    message: text === '' ? '' : (JSON.parse(text) as { message: string }).message,
  };
}

const log = (range: string): Promise<string> => git(repo.dir, ['log', '--format=%s', range]);
const parents = async (): Promise<number> =>
  (await git(repo.dir, ['show', '-s', '--format=%P', 'main'])).split(' ').length;
const checked = (): Promise<void> => until('the conflict check', () => Date.now() >= pull.checkingUntil);

describe('styles', () => {
  test('a merge commit with the message that was asked for, an empty answer, and a record of it', async () => {
    const answer = await merge({
      Do: 'merge',
      MergeTitleField: 'Merge it',
      MergeMessageField: 'Marker: abc',
      head_commit_id: head,
    });
    expect(answer).toMatchObject({ status: 200, text: '' });
    expect(await git(repo.dir, ['show', '-s', '--format=%B', 'main'])).toBe('Merge it\n\nMarker: abc');
    expect([await parents(), pull.state, pull.merged?.sha]).toEqual([2, 'closed', gitea.head(repo, 'main')]);
    const response = await fetch(`${gitea.url}/api/v1/repos/acme/shop/pulls/1/merge`, {
      headers: { authorization: `token ${bot.tokens[0]?.value ?? ''}` },
    });
    expect(response.status).toBe(204);
    expect(await merge({ Do: 'merge' })).toMatchObject({ status: 405, message: 'The PR is already merged' });
  });

  test('squash leaves one commit of its own, fast-forward-only none', async () => {
    expect((await merge({ Do: 'squash', MergeTitleField: 'Squashed' })).status).toBe(200);
    expect(await log('main')).toBe('Squashed\nInitial commit');
    expect(await gitea.readFile(repo, 'main', 'b.txt')).toBe('bb');
  });

  test('fast-forward-only moves base to the head, and fails when base went on', async () => {
    expect((await merge({ Do: 'fast-forward-only' })).status).toBe(200);
    expect(gitea.head(repo, 'main')).toBe(head);
    await gitea.pushFile(repo, 'feature/y', { 'y.txt': 'y\n' }, 'y', bot);
    await gitea.pushFile(repo, 'main', { 'm.txt': 'm\n' }, 'm', owner);
    pull = await gitea.openPr(bot, repo, { head: 'feature/y', title: 'y' });
    await gitea.pushFile(repo, 'main', { 'm.txt': 'mm\n' }, 'mm', owner);
    await checked();
    expect((await merge({ Do: 'fast-forward-only' })).status).toBe(500);
  });

  test('rebase and rebase-merge replay the commits on base', async () => {
    await gitea.pushFile(repo, 'main', { 'm.txt': 'm\n' }, 'm', owner);
    await checked();
    expect((await merge({ Do: 'rebase-merge', MergeTitleField: 'Together' })).status).toBe(200);
    expect([await parents(), await log('main^1..main')]).toEqual([2, 'Together\nsecond\nfirst']);
    expect(await git(repo.dir, ['worktree', 'list'])).not.toContain('rebase');
  });

  test('the new names of the keys are unknown before 1.26, and a style may be forbidden', async () => {
    gitea.state.version = '1.25.4';
    expect(await merge({ do: 'merge' })).toMatchObject({ status: 422, message: '[Do]: Required' });
    expect((await merge({ Do: 'octopus' })).status).toBe(422);
    repo.styles = ['squash'];
    expect((await merge({ Do: 'merge' })).status).toBe(405);
    gitea.state.version = '1.26.3';
    expect((await merge({ do: 'squash' })).status).toBe(200);
  });
});

describe('refusals', () => {
  test('the pinned head is compared with the live one', async () => {
    expect(await merge({ Do: 'merge', head_commit_id: '0'.repeat(40) })).toMatchObject({
      status: 409,
      message: 'head out of date',
    });
    expect(pull.merged).toBeNull();
  });

  test('a conflict answers "try again later" forever, a check that runs only for a while', async () => {
    gitea.state.lagMs = 600;
    await gitea.pushFile(repo, 'feature/x', { 'c.txt': 'c\n' }, 'third', bot);
    expect(await merge({ Do: 'merge' })).toMatchObject({ status: 405, message: 'Please try again later' });
    await checked();
    await gitea.pushFile(repo, 'main', { 'b.txt': 'other\n' }, 'conflict', owner);
    await checked();
    expect(await merge({ Do: 'squash' })).toMatchObject({ status: 405, message: 'Please try again later' });
  });

  test('closed is not found, work in progress and readers are not allowed', async () => {
    pull.title = 'WIP: Feature x';
    expect((await merge({ Do: 'merge' })).message).toBe('Work in progress PRs cannot be merged');
    pull.title = 'Feature x';
    const reader = gitea.addUser({ login: 'reader' });
    gitea.grant(repo, reader, 'read');
    expect((await merge({ Do: 'merge' }, reader)).message).toBe('User not allowed to merge PR');
    gitea.closePr(pull);
    expect((await merge({ Do: 'merge' })).status).toBe(404);
  });

  test('protection is named in the words of the version, and met it lets the merge through', async () => {
    gitea.protect(repo, {
      rule: 'main',
      requiredApprovals: 1,
      enableStatusCheck: true,
      contexts: ['ci/test'],
      blockOnRejectedReviews: true,
    });
    expect((await merge({ Do: 'merge' })).message).toBe('Not all required status checks successful');
    gitea.setStatus(repo, head, 'ci/test', 'success');
    expect((await merge({ Do: 'merge' })).message).toBe('Does not have enough approvals');
    gitea.state.version = '1.24.7';
    expect((await merge({ Do: 'merge' })).message).toBe(
      'not allowed to merge [reason: Does not have enough approvals]',
    );
    gitea.state.version = '1.26.3';
    const stranger = gitea.addUser({ login: 'stranger' });
    gitea.reviewAs(stranger, repo, pull, 'APPROVED');
    expect((await merge({ Do: 'merge' })).message).toBe('Does not have enough approvals');
    const second = gitea.addUser({ login: 'second' });
    gitea.grant(repo, second, 'write');
    gitea.reviewAs(second, repo, pull, 'APPROVED');
    gitea.reviewAs(owner, repo, pull, 'REQUEST_CHANGES', 'no');
    expect((await merge({ Do: 'merge' })).message).toBe('There are requested changes');
    gitea.reviewAs(owner, repo, pull, 'APPROVED');
    expect((await merge({ Do: 'merge' })).status).toBe(200);
  });

  test('an administrator may force past the rule', async () => {
    gitea.protect(repo, { rule: 'main', requiredApprovals: 1 });
    expect((await merge({ Do: 'merge', force_merge: true })).status).toBe(405);
    expect((await merge({ Do: 'merge', force_merge: true }, owner)).status).toBe(200);
  });
});

describe('what goes wrong on the real server', () => {
  test('three squashes at once are three commits', async () => {
    const answers = await Promise.all([merge({ Do: 'squash' }), merge({ Do: 'squash' }), merge({ Do: 'squash' })]);
    expect(answers.map((answer) => answer.status)).toEqual([200, 200, 200]);
    expect((await log('main')).split('\n')).toHaveLength(4);
  });

  test('a client that goes away leaves the commit on base and the pull request open; a repair may be allowed', async () => {
    gitea.state.mergeGapMs = 60;
    const before = gitea.head(repo, 'main');
    const request = http.request(`${gitea.url}/api/v1/repos/acme/shop/pulls/1/merge`, {
      method: 'POST',
      headers: { authorization: `token ${bot.tokens[0]?.value ?? ''}` },
    });
    request.on('error', () => {});
    request.end(JSON.stringify({ Do: 'squash' }));
    await until('the moved base', async () => (await git(repo.dir, ['rev-parse', 'main'])) !== before, 30_000, 5);
    request.destroy();
    await until('the server to see it', () => gitea.head(repo, 'main') !== before);
    expect([pull.state, pull.merged]).toEqual(['open', null]);
    const sha = gitea.head(repo, 'main') ?? '';
    expect((await merge({ Do: 'manually-merged', MergeCommitID: sha })).status).toBe(405);
    repo.allowManualMerge = true;
    expect((await merge({ Do: 'manually-merged', MergeCommitID: sha })).status).toBe(200);
    expect(pull.merged?.sha).toBe(sha);
  });

  test('the branch goes after the merge where the repository says so; people merge past everything', async () => {
    repo.deleteBranchAfterMerge = true;
    expect((await merge({ Do: 'merge' })).status).toBe(200);
    expect(gitea.head(repo, 'feature/x')).toBeUndefined();
    await gitea.pushFile(repo, 'feature/z', { 'z.txt': 'z\n' }, 'z', bot);
    const other = await gitea.openPr(bot, repo, { head: 'feature/z', title: 'z' });
    expect(await gitea.mergeAs(owner, repo, other)).toBe(gitea.head(repo, 'main'));
    expect(other.merged?.by).toBe('acme');
  });
});
