import { execFile } from 'node:child_process';
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { gitEnvironment } from '../../src/sandbox/gitea/git.ts';
import { startGitea } from '../../src/sandbox/gitea/server.ts';
import type { SandboxGitea } from '../../src/sandbox/gitea/server.ts';
import type { GiteaUser, PushEvent, Repo } from '../../src/sandbox/gitea/state.ts';

const run = promisify(execFile);
let root: string;
let gitea: SandboxGitea;
let owner: GiteaUser;
let bot: GiteaUser;
let repo: Repo;

beforeEach(async () => {
  root = mkdtempSync(path.join(tmpdir(), 'orch-git-http-'));
  gitea = await startGitea({ root: path.join(root, 'server'), lagMs: 20 });
  owner = gitea.addUser({ login: 'acme' });
  bot = gitea.addUser({ login: 'bot' });
  repo = await gitea.addRepo({ owner, name: 'shop', files: { 'a.txt': 'one\n' } });
  gitea.grant(repo, bot, 'write');
});
afterEach(async () => {
  await gitea.close();
  rmSync(root, { recursive: true, force: true });
});

function git(cwd: string, args: string[], header?: string): Promise<{ stdout: string; stderr: string }> {
  const config = header === undefined ? [] : ['-c', `http.extraHeader=Authorization: ${header}`];
  const identity = {
    GIT_AUTHOR_NAME: 'a',
    GIT_AUTHOR_EMAIL: 'a@example.org',
    GIT_COMMITTER_NAME: 'a',
    GIT_COMMITTER_EMAIL: 'a@example.org',
  };
  return run('git', [...config, ...args], { cwd, env: gitEnvironment(identity) });
}

const basic = (user: GiteaUser): string =>
  `Basic ${Buffer.from(`${user.login}:${user.tokens[0]?.value ?? ''}`).toString('base64')}`;
const url = (): string => `${gitea.url}/acme/shop.git`;

async function cloned(): Promise<string> {
  const folder = path.join(root, 'clone');
  await git(root, ['clone', '-q', url(), folder], basic(bot));
  await git(folder, ['checkout', '-q', '-b', 'feature/x']);
  writeFileSync(path.join(folder, 'b.txt'), 'b\n');
  await git(folder, ['add', '-A']);
  await git(folder, ['commit', '-q', '-m', 'b']);
  return folder;
}

test('a private repository is cloned with the token, as Basic or by name, and not without', async () => {
  await expect(git(root, ['ls-remote', url()])).rejects.toThrow(/terminal prompts disabled|could not read Username/);
  await expect(git(root, ['ls-remote', url()], 'token wrong')).rejects.toThrow(
    /Authentication failed|could not read Username/,
  );
  const { stdout } = await git(root, ['ls-remote', '--heads', url()], `token ${bot.tokens[0]?.value ?? ''}`);
  expect(stdout).toBe(`${gitea.head(repo, 'main') ?? ''}\trefs/heads/main\n`);
  await expect(git(root, ['ls-remote', `${gitea.url}/acme/nothing.git`], basic(bot))).rejects.toThrow('not found');
  repo.private = false;
  expect((await git(root, ['ls-remote', '--heads', url()])).stdout).toContain('refs/heads/main');
});

test('a push is seen before its client hears of it, and pull requests have followed', async () => {
  const events: PushEvent[] = [];
  gitea.state.pushListeners.push((event) => events.push(event));
  const folder = await cloned();
  await git(folder, ['push', '-q', 'origin', 'feature/x'], basic(bot));
  const first = gitea.head(repo, 'feature/x');
  expect(events).toMatchObject([{ branch: 'feature/x', before: null, after: first, by: 'bot' }]);
  const pull = await gitea.openPr(bot, repo, { head: 'feature/x', title: 'x' });
  writeFileSync(path.join(folder, 'b.txt'), 'x'.repeat(2_000_000));
  await git(folder, ['commit', '-q', '-am', 'large']);
  await git(folder, ['push', '-q', 'origin', 'feature/x'], basic(bot));
  expect(gitea.headOf(repo, pull)).toBe((await git(folder, ['rev-parse', 'HEAD'])).stdout.trim());
  expect(await gitea.readFile(repo, 'refs/pull/1/head', 'b.txt')).toHaveLength(2_000_000);
});

test('readers, archived repositories and protected branches refuse a push', async () => {
  const folder = await cloned();
  const push = (ref: string, as: GiteaUser): Promise<unknown> => git(folder, ['push', '-q', 'origin', ref], basic(as));
  const reader = gitea.addUser({ login: 'reader' });
  gitea.grant(repo, reader, 'read');
  await expect(push('feature/x', reader)).rejects.toThrow('403');
  gitea.protect(repo, { rule: 'main' });
  await expect(push('feature/x:main', bot)).rejects.toThrow('Not allowed to push to protected branch main');
  await push('feature/x', bot);
  repo.archived = true;
  await expect(push('feature/x:feature/y', bot)).rejects.toThrow('403');
});

test('faults reach git as well', async () => {
  gitea.faults.push({ match: /info\/refs/, times: 1, action: { kind: 'answer', status: 502, body: 'Bad Gateway' } });
  await expect(git(root, ['ls-remote', url()], basic(bot))).rejects.toThrow('502');
  expect((await git(root, ['ls-remote', url()], basic(bot))).stdout).toContain('main');
});

test('refs are listed as they are, whoever moved them and whatever was answered before', async () => {
  const listed = async (): Promise<string[]> => {
    const { stdout } = await git(root, ['ls-remote', '--symref', url(), 'HEAD', 'refs/heads/*'], basic(bot));
    return stdout.trimEnd().split('\n');
  };
  const inBare = (...args: string[]): Promise<unknown> => git(repo.dir, args);
  const main = `${gitea.head(repo, 'main') ?? ''}\trefs/heads/main`;
  const first = await listed();
  expect(first).toContain(main);
  expect(await listed()).toEqual(first);
  await git(await cloned(), ['push', '-q', 'origin', 'feature/x'], basic(bot));
  const head = gitea.head(repo, 'feature/x') ?? '';
  expect(await listed()).toEqual([...first, `${head}\trefs/heads/feature/x`].sort(byName));
  await inBare('pack-refs', '--all');
  expect(await listed()).toContain(main);
  await inBare('update-ref', 'refs/heads/main', head);
  expect(await listed()).toContain(`${head}\trefs/heads/main`);
  await inBare('symbolic-ref', 'HEAD', 'refs/heads/feature/x');
  expect(await listed()).toContain('ref: refs/heads/feature/x\tHEAD');
  await inBare('config', 'transfer.hideRefs', 'refs/heads/main');
  expect((await listed()).join()).not.toContain('refs/heads/main');
  await inBare('config', '--unset', 'transfer.hideRefs');
  await inBare('update-ref', '-d', 'refs/heads/main');
  expect((await listed()).join()).not.toContain('refs/heads/main');
});

/** HEAD first, then the branches, as git lists them. */
function byName(a: string, b: string): number {
  const name = (row: string): string => (row.endsWith('HEAD') ? '' : (row.split('\t')[1] ?? ''));
  return name(a) < name(b) ? -1 : name(a) > name(b) ? 1 : 0;
}

test('a question about refs is put to git once for as long as they stay', async () => {
  const list = async (): Promise<string> => (await git(root, ['ls-remote', url()], basic(bot))).stdout;
  const first = await list();
  // git answers nothing for a folder without objects.
  renameSync(path.join(repo.dir, 'objects'), path.join(repo.dir, 'away'));
  expect(await list()).toBe(first);
  writeFileSync(path.join(repo.dir, 'refs/heads/other'), `${gitea.head(repo, 'main') ?? ''}\n`);
  await expect(list()).rejects.toThrow('404');
});
