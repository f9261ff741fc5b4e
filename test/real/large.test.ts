import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createGit } from '../../src/core/git/git.ts';
import { createWorkspaces } from '../../src/core/git/workspaces.ts';
import type { RepoSlug } from '../../src/core/model/index.ts';
import { silentLog } from '../../src/core/platform/log.ts';
import { startGitea, type SandboxGitea } from '../../src/sandbox/gitea/server.ts';
import { commitTo, fileOf, makeBigRepository } from '../support/big-repository.ts';

const slug = 'acme/shop' as RepoSlug;
const identity = { name: 'orch', email: 'orch@example.org' };
const size = { files: 40_000, historyMegabytes: 300, foreign: 3_000 };
const branch = 'feature/ET-012-totals';
const megabyte = 1024 * 1024;

let root = '';
let server: SandboxGitea;
let dir = '';
let token = '';
beforeAll(async () => {
  root = mkdtempSync(path.join(tmpdir(), 'orch-large-'));
  server = await startGitea({ root: path.join(root, 'server'), lagMs: 0 });
  const owner = server.addUser({ login: 'acme' });
  token = owner.tokens[0]?.value ?? '';
  const repo = await server.addRepo({ owner, name: 'shop', files: { 'README.md': '# Shop\n' }, private: true });
  dir = repo.dir;
  rmSync(dir, { recursive: true });
  await makeBigRepository(dir, size);
}, 300_000);
afterAll(async () => {
  await server.close();
  rmSync(root, { recursive: true, force: true });
});

const sizeOf = (folder: string): number =>
  Number(/^\d+/.exec(execFileSync('du', ['-sk', folder], { encoding: 'utf8' }))?.[0]) * 1024;

it(
  'a repository of 40,000 files, 300 MB of history and 3,000 branches of others: two branches are fetched, a workspace ' +
    'borrows the history, and a run brings and sends what changed',
  async () => {
    const reposDir = path.join(root, 'repos');
    const git = createGit({
      reposDir,
      remoteUrl: (repo) => `${server.url}/${repo}.git`,
      token: () => token,
      identity,
      timeouts: { gitMs: 120_000, transferMs: 120_000 },
      log: silentLog,
    });
    const workspaces = createWorkspaces({
      workspacesDir: path.join(root, 'workspaces'),
      git,
      identity,
      limits: { fileBytes: megabyte, totalBytes: 10 * megabyte },
      log: silentLog,
    });
    const bare = path.join(reposDir, `${slug}.git`);
    commitTo(dir, branch, fileOf(1), 'the first\n');
    await git.fetch(slug, ['main', branch]);
    const refs = execFileSync('git', ['--git-dir', bare, 'for-each-ref', '--format=%(refname)'], { encoding: 'utf8' });
    expect(refs.trim().split('\n')).toHaveLength(2);
    expect(sizeOf(bare)).toBeLessThan(1.2 * sizeOf(dir));

    const folder = workspaces.pathOf(slug, branch);
    const patchFile = path.join(root, 'out.patch');
    for (const round of [1, 2]) {
      await workspaces.prepare(slug, branch, 'main');
      expect(readFileSync(path.join(folder, fileOf(size.files - 1)), 'utf8')).toContain(`file ${size.files - 1}`);
      const newest = statSync(path.join(folder, fileOf(7))).mtimeMs;
      writeFileSync(path.join(folder, fileOf(2)), `round ${round}\n`);
      const base = await git.head(slug, branch);
      if (base === null) throw new Error('no head');
      const published = await workspaces.commit({
        repo: slug,
        branch,
        baseBranch: 'main',
        base,
        allowed: () => true,
        message: `feat: round ${round}`,
        patchFile,
      });
      expect(published.committed).toBe(true);
      const sha = published.sha;
      if (sha === null) throw new Error('no commit');
      expect(await git.push(slug, sha, branch, base)).toBe('ok');
      expect((await git.lsRemoteHeads(slug)).get(branch)).toBe(sha);
      const changed = execFileSync('git', ['--git-dir', dir, 'diff', '--name-only', base, sha], { encoding: 'utf8' });
      expect(changed.trim()).toBe(fileOf(2));
      expect(statSync(path.join(folder, fileOf(7))).mtimeMs).toBe(newest);
    }
    expect(sizeOf(path.join(folder, '.git'))).toBeLessThan(20 * megabyte);
    expect(existsSync(path.join(folder, '.git', 'objects', 'pack'))).toBe(true);
    expect(readdirSync(path.join(folder, '.git', 'objects', 'pack'))).toEqual([]);
  },
  300_000,
);
