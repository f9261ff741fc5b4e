import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { CommitSha, RepoSlug } from '../../src/core/model/index.ts';
import { gitBench, slug, type GitBench } from '../support/git-server.ts';

let bench: GitBench;
let main: CommitSha;
let sha: CommitSha;
beforeAll(async () => {
  bench = await gitBench();
  await bench.fetch();
  const head = await bench.git.head(slug, 'main');
  if (head === null) throw new Error('no main');
  main = head;
  sha = await bench.git.commitFiles(slug, main, [{ path: 'x.md', content: 'x' }], 'x');
});
afterAll(() => bench.stop());

/** git as other versions word it, for as long as `use` runs. */
async function gitSaying(words: string, use: () => Promise<void>): Promise<void> {
  const folder = path.join(bench.root, 'other-git');
  const before = process.env['PATH'];
  mkdirSync(folder, { recursive: true });
  writeFileSync(path.join(folder, 'git'), `#!/bin/sh\ncat <<'EOF' >&2\n${words}\nEOF\nexit 128\n`, { mode: 0o755 });
  process.env['PATH'] = `${folder}:${before ?? ''}`;
  try {
    await use();
  } finally {
    process.env['PATH'] = before;
  }
}

it.each([
  'fatal: write error: No space left on device',
  "fatal: sha1 file '<stdout>' write error. Out of diskspace",
  'error: failed to write new configuration file /x/config.lock',
  'error: unable to write loose object file: Disk quota exceeded',
])('takes "%s" for a full disk', async (words) => {
  await gitSaying(words, async () => {
    await expect(bench.git.commitsSince(slug, main, main)).rejects.toMatchObject({ code: 'disk_full', retry: 'later' });
  });
});

it('does not take the words of the server for its own disk', async () => {
  await gitSaying('remote: No space left on device\nfatal: the remote end said no', async () => {
    await expect(bench.git.commitsSince(slug, main, main)).rejects.toMatchObject({ code: 'git_failed' });
  });
});

const holding = (words: string): string => expect.stringContaining(words) as string;

describe('a push that can never succeed', () => {
  it.each([
    [400, 'log of Gitea'],
    [411, 'chunked'],
    [413, 'client_max_body_size'],
    [422, 'log of Gitea'],
    [507, 'disk space'],
  ])('%i is a refusal with a cure, wherever it is said', async (status, cure) => {
    for (const match of [/POST .*git-receive-pack/, /GET .*service=git-receive-pack/]) {
      const action = { kind: 'answer' as const, status, body: 'too big for me\n' };
      bench.server.faults.push({ match, times: 1, action });
      await expect(bench.git.push(slug, sha, `feature/s${status}`, null)).rejects.toMatchObject({
        code: 'git_refused',
        kind: 'refusal',
        message: holding(String(status)),
        hint: holding(cure),
      });
    }
  });

  it.each([408, 425, 429, 500, 502, 503])('%i passes by itself', async (status) => {
    bench.server.faults.push({ match: /POST .*git-receive-pack/, times: 1, action: { kind: 'answer', status } });
    await expect(bench.git.push(slug, sha, `feature/s${status}`, null)).rejects.toMatchObject({ retry: 'later' });
  });

  it.each([
    ['This repo is archived. You can view files and clone it.', 'git_read_only'],
    ['mirror repository is read-only', 'git_read_only'],
    ['User permission denied for writing.', 'git_token_refused'],
  ])('403 "%s" is %s, in the words of the server', async (body, code) => {
    const action = { kind: 'answer' as const, status: 403, body };
    bench.server.faults.push({ match: /GET .*service=git-receive-pack/, times: 1, action });
    await expect(bench.git.push(slug, sha, 'feature/a', null)).rejects.toMatchObject({ code, message: holding(body) });
  });

  it.each([
    ['feature', 'feature/ET-001-x'],
    ['topic/ET-001-x/y', 'topic/ET-001-x'],
  ])('a branch %s in the way of %s is named', async (other, branch) => {
    await bench.push(other, { 'x.txt': 'x\n' });
    await expect(bench.git.push(slug, sha, branch, null)).rejects.toMatchObject({
      code: 'git_branch_in_way',
      retry: 'never',
      message: holding(other),
      hint: holding(other),
    });
  });
});

it('names a repository of SHA-256 when it is looked at and fetched', async () => {
  const folder = path.join(bench.root, 'server', 'acme', 'modern.git');
  const seed = path.join(bench.root, 'seed');
  const git = (...args: string[]): unknown => execFileSync('git', args, { stdio: 'pipe' });
  mkdirSync(seed);
  git('init', '--quiet', '--bare', '--object-format=sha256', folder);
  git('init', '--quiet', '--object-format=sha256', '--initial-branch=main', seed);
  git('-C', seed, '-c', 'user.name=a', '-c', 'user.email=a@b', 'commit', '--quiet', '--allow-empty', '-m', 'x');
  git('-C', seed, 'push', '--quiet', folder, 'main');
  const of = bench.gitAs({ url: `file://${path.join(bench.root, 'server')}` });
  const modern = 'acme/modern' as RepoSlug;
  const error = { code: 'git_sha256', exit: 'notConfigured', hint: holding('SHA-1') };
  await expect(of.lsRemoteHeads(modern)).rejects.toMatchObject(error);
  await expect(of.fetch(modern, ['main'])).rejects.toMatchObject(error);
});

describe('a branch or tag whose name is the full ref of a branch', () => {
  it('is not taken for it, and is named when it stands in the way of a push', async () => {
    const whole = 'refs/heads/plain/ET-001';
    const wrong = await bench.push(whole, { 'x.txt': 'mistyped\n' });
    await bench.fetch();
    expect(await bench.git.head(slug, 'plain/ET-001')).toBeNull();
    await expect(bench.git.push(slug, sha, 'plain/ET-001', null)).rejects.toMatchObject({
      code: 'git_branch_in_way',
      hint: holding(whole),
    });
    expect([bench.serverHead('plain/ET-001'), bench.serverHead(whole)]).toEqual([null, wrong]);
  });

  it('is guessed from what git says where it is a tag, which stays as it is', async () => {
    const folder = path.join(bench.root, 'server', `${slug}.git`);
    bench.inFolder(folder, 'update-ref', 'refs/tags/refs/heads/tagged', main);
    await expect(bench.git.push(slug, sha, 'tagged', null)).rejects.toMatchObject({
      code: 'git_branch_in_way',
      hint: holding('refs/tags'),
    });
    expect(bench.inFolder(folder, 'rev-parse', 'refs/tags/refs/heads/tagged')).toBe(main);
  });
});
