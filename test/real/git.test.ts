import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { ensureGitea } from '../../scripts/real-gitea.js';
import { createGit } from '../../src/core/git/git.ts';
import type { GitPort, RepoSlug } from '../../src/core/model/index.ts';
import { silentLog } from '../../src/core/platform/log.ts';
import { type RealGitea, startRealGitea } from '../support/real-gitea.ts';
import { realPart } from '../support/real-part.ts';

const built = await ensureGitea();
const missing = 'missing' in built ? built.missing : null;

realPart('the bare copy and a real Gitea', missing, () => {
  let server: RealGitea;
  let folder = '';
  let repo: RepoSlug;
  let count = 0;

  const gitAs = (token: string, reposDir = path.join(folder, 'repos')): GitPort =>
    createGit({
      reposDir,
      remoteUrl: (slug) => `${server.url}/${slug}.git`,
      token: () => token,
      identity: { name: 'orch', email: 'orch@example.org' },
      timeouts: { gitMs: 60_000, transferMs: 120_000 },
      log: silentLog,
    });

  beforeAll(async () => {
    const started = await startRealGitea();
    if ('missing' in started) throw new Error(started.missing);
    server = started;
  });
  afterAll(() => server.stop());
  beforeEach(async () => {
    folder = mkdtempSync(path.join(tmpdir(), 'orch-git-'));
    count += 1;
    repo = (await server.createRepo(`shop-${count}`, { 'README.md': '# Shop\n' })).slug;
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  const branch = 'feature/ET-012-totals';
  const request = [{ path: 'docs/work-items/ET-012/00-business-request.md', content: '# Totals\n' }];

  it('makes a branch with its first commit by one push, and the server has it', async () => {
    const git = gitAs(server.users.bot.token);
    await git.fetch(repo, ['main', branch]);
    const base = (await git.lsRemoteHeads(repo)).get('main');
    if (base === undefined) throw new Error('no main');
    expect(await git.head(repo, 'main')).toBe(base);
    const sha = await git.commitFiles(repo, base, request, 'docs(ET-012): business request\n\nOrch-Item: 1\n');
    expect(await git.push(repo, sha, branch, null)).toBe('ok');
    expect(await git.push(repo, sha, branch, null)).toBe('ok');
    expect((await git.lsRemoteHeads(repo)).get(branch)).toBe(sha);
    const file = await server.api<{ content: string }>('GET', `/repos/${repo}/contents/${request[0]?.path}?ref=${sha}`);
    expect(Buffer.from(file.body.content, 'base64').toString()).toBe('# Totals\n');
    const commit = await server.api<{ author: { login: string } | null; commit: { author: { name: string } } }>(
      'GET',
      `/repos/${repo}/git/commits/${sha}`,
    );
    expect(commit.body.commit.author.name).toBe('orch');
  });

  it('answers moved when somebody else was faster, and pushes on top after a fetch', async () => {
    const git = gitAs(server.users.bot.token);
    await git.fetch(repo, ['main', branch]);
    const base = (await git.lsRemoteHeads(repo)).get('main');
    if (base === undefined) throw new Error('no main');
    const mine = await git.commitFiles(repo, base, request, 'docs: mine');
    const theirs = await server.push(repo, { branch, files: { 'src/theirs.txt': 'theirs\n' } });
    expect(await git.push(repo, mine, branch, null)).toBe('moved');
    await git.fetch(repo, ['main', branch]);
    const onTop = await git.commitFiles(repo, theirs, request, 'docs: on top');
    expect(await git.push(repo, onTop, branch, theirs)).toBe('ok');
    expect(await git.isAncestor(repo, theirs, onTop)).toBe(true);
    expect((await git.commitsSince(repo, base, onTop)).map((commit) => commit.sha)).toEqual([onTop, theirs]);
  });

  it('tells whether a branch merges, without asking the server', async () => {
    const git = gitAs(server.users.bot.token);
    const ours = await server.push(repo, { branch, files: { 'README.md': '# Ours\n' } });
    const clean = await server.push(repo, { branch: 'clean', files: { 'other.txt': 'x\n' } });
    const main = await server.push(repo, { branch: 'main', files: { 'README.md': '# Theirs\n' } });
    await git.fetch(repo, ['main', branch]);
    expect(await git.mergeTree(repo, main, ours)).toEqual({ clean: false, conflicts: ['README.md'] });
    // A commit that was not fetched is no conflict.
    await expect(git.mergeTree(repo, main, clean)).rejects.toMatchObject({ name: 'OrchError' });
    await git.fetch(repo, ['main', 'clean']);
    expect(await git.mergeTree(repo, main, clean)).toEqual({ clean: true, conflicts: [] });
  });

  it('says what a refused token, an unknown repository and a protected branch are', async () => {
    await expect(gitAs('0'.repeat(40)).lsRemoteHeads(repo)).rejects.toMatchObject({ exit: 'authentication' });
    await expect(gitAs(server.users.bot.token).lsRemoteHeads('acme/none' as RepoSlug)).rejects.toMatchObject({
      exit: 'notFound',
    });
    const git = gitAs(server.users.bot.token);
    await server.protect(repo, { enable_push: false });
    await git.fetch(repo, ['main', branch]);
    const base = (await git.lsRemoteHeads(repo)).get('main');
    if (base === undefined) throw new Error('no main');
    const sha = await git.commitFiles(repo, base, request, 'docs: not allowed');
    await expect(git.push(repo, sha, 'main', base)).rejects.toMatchObject({ name: 'OrchError' });
    expect((await git.lsRemoteHeads(repo)).get('main')).toBe(base);
  });

  it('leaves the token in no file of the bare copy', async () => {
    const { token } = server.users.bot;
    await gitAs(token).fetch(repo, ['main', branch]);
    const basic = Buffer.from(`orch:${token}`).toString('base64');
    const files = readdirSync(path.join(folder, 'repos'), { recursive: true, encoding: 'utf8' })
      .map((name) => path.join(folder, 'repos', name))
      .filter((file) => statSync(file).isFile());
    expect(files.length).toBeGreaterThan(5);
    const telling = files.filter((file) =>
      [token, basic].some((secret) => readFileSync(file, 'latin1').includes(secret)),
    );
    expect(telling).toEqual([]);
  });
});
