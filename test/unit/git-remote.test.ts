import { existsSync, mkdirSync, readdirSync, readFileSync, utimesSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { CommitSha, RepoSlug } from '../../src/core/model/index.ts';
import { filesWith, gitBench, slug, type GitBench } from '../support/git-server.ts';
import { until } from '../support/until.ts';

const branch = 'feature/ET-012-itogi';
const text = [{ path: 'docs/work-items/ET-012/00-business-request.md', content: '# Итоги за месяц\n' }];

let bench: GitBench;
beforeEach(async () => {
  bench = await gitBench();
});
afterEach(() => bench.stop());

/** Heads of main after a fetch. */
async function fetched(): Promise<CommitSha> {
  await bench.fetch();
  const head = await bench.git.head(slug, 'main');
  if (head === null) throw new Error('no main');
  return head;
}

describe('reading the server', () => {
  it('lists the heads and brings them into the bare copy, pruned', async () => {
    const work = await bench.push(branch, { 'x.txt': 'x\n' });
    const heads = await bench.git.lsRemoteHeads(slug);
    expect([...heads.keys()].sort()).toEqual([branch, 'main']);
    expect(heads.get(branch)).toBe(work);
    await bench.fetch();
    expect(await bench.git.head(slug, branch)).toBe(work);
    expect(await bench.git.has(slug, work)).toBe(true);
    expect(await bench.git.has(slug, 'a'.repeat(40) as CommitSha)).toBe(false);
    const [shop, owner] = [bench.server.state.repos[0], bench.server.state.users[0]];
    if (shop === undefined || owner === undefined) throw new Error('no repository');
    await bench.server.deleteBranch(shop, branch, owner);
    await bench.fetch();
    expect(await bench.git.head(slug, branch)).toBeNull();
  });

  it('follows a branch that was rewritten, and one whose name became a folder', async () => {
    const first = await bench.push('topic', { 'x.txt': 'x\n' });
    const main = await fetched();
    expect(await bench.git.head(slug, 'topic')).toBe(first);
    const [shop, owner] = [bench.server.state.repos[0], bench.server.state.users[0]];
    if (shop === undefined || owner === undefined) throw new Error('no repository');
    await bench.server.forcePush(shop, 'topic', main, owner);
    await bench.fetch();
    expect(await bench.git.head(slug, 'topic')).toBe(main);
    await bench.server.deleteBranch(shop, 'topic', owner);
    const nested = await bench.push('topic/nested', { 'x.txt': 'y\n' });
    await bench.fetch();
    expect(await bench.git.head(slug, 'topic/nested')).toBe(nested);
  });

  it('lets several calls at once and a second process share the bare copy', async () => {
    await bench.push(branch, { 'x.txt': 'x\n' });
    const other = bench.gitAs({});
    await Promise.all([
      bench.fetch(),
      other.fetch(slug, ['main', branch]),
      bench.fetch(),
      other.fetch(slug, ['main', branch]),
    ]);
    expect(await bench.git.head(slug, branch)).toBe(bench.serverHead(branch));
    expect(readdirSync(path.join(bench.root, 'repos', 'acme'))).toEqual(['shop.git']);
  });

  it.each([
    ['an ordinary clone', 'shop', 'HEAD'],
    ['a bare repository that is not orch’s', 'shop.git', ''],
  ])('refuses %s in its place and touches nothing', async (_what, name, _file) => {
    const folder = path.join(bench.root, 'repos', 'acme', name);
    mkdirSync(folder, { recursive: true });
    bench.inFolder(folder, 'init', '--quiet', ...(name.endsWith('.git') ? ['--bare'] : []), '.');
    const before = filesWith(folder, ['']).hits.map((file) => [file, readFileSync(file, 'latin1')]);
    await expect(bench.fetch()).rejects.toMatchObject({ code: 'repos_foreign', exit: 'notConfigured' });
    expect(filesWith(folder, ['']).hits.map((file) => [file, readFileSync(file, 'latin1')])).toEqual(before);
  });

  it('gets over a lock that a dead process left long ago, and waits for a young one', async () => {
    const main = await fetched();
    const sha = await bench.push('main', { 'x.txt': 'x\n' });
    const lock = path.join(bench.root, 'repos', 'acme', 'shop.git', 'refs', 'heads', 'main.lock');
    mkdirSync(path.dirname(lock), { recursive: true });
    writeFileSync(lock, '');
    await expect(bench.fetch()).rejects.toMatchObject({ retry: 'later' });
    expect(await bench.git.head(slug, 'main')).toBe(main);
    const hourAgo = new Date(Date.now() - 3_600_000);
    utimesSync(lock, hourAgo, hourAgo);
    await bench.fetch();
    expect(await bench.git.head(slug, 'main')).toBe(sha);
    expect(existsSync(lock)).toBe(false);
  });
});

describe('pushing', () => {
  it('makes a branch with its first commit, in Cyrillic, by the bot', async () => {
    const main = await fetched();
    const message = 'docs(ET-012): бизнес-запрос\n\nOrch-Item: 1\n';
    const sha = await bench.git.commitFiles(slug, main, text, message);
    expect(await bench.git.push(slug, sha, branch, null)).toBe('ok');
    expect(bench.serverHead(branch)).toBe(sha);
    expect(await bench.git.head(slug, branch)).toBe(sha);
    expect(await bench.git.push(slug, sha, branch, null)).toBe('ok');
    expect(bench.bare('log', '-1', '--format=%an <%ae> %cn%n%B', sha)).toBe(
      `orch bot <orch@example.org> orch bot\n${message.trim()}`,
    );
    expect(await bench.git.readFile(slug, sha, text[0]?.path ?? '', 1000)).toBe(text[0]?.content);
    expect(bench.bare('diff-tree', '-r', '--name-status', main, sha)).toBe(`A\t${text[0]?.path}`);
  });

  it('answers moved when the branch exists, was moved, or is gone', async () => {
    const main = await fetched();
    const sha = await bench.git.commitFiles(slug, main, text, 'mine');
    const theirs = await bench.push(branch, { 'x.txt': 'theirs\n' });
    expect(await bench.git.push(slug, sha, branch, null)).toBe('moved');
    expect(await bench.git.push(slug, sha, branch, main)).toBe('moved');
    expect(await bench.git.push(slug, sha, 'never-made', main)).toBe('moved');
    expect(bench.serverHead(branch)).toBe(theirs);
    expect(bench.serverHead('never-made')).toBeNull();
  });

  it('never rewrites a branch, even when it knows where it is', async () => {
    const main = await fetched();
    const theirs = await bench.push(branch, { 'x.txt': 'theirs\n' });
    await bench.fetch();
    const sibling = await bench.git.commitFiles(slug, main, text, 'sibling');
    expect(await bench.git.push(slug, sibling, branch, theirs)).toBe('moved');
    expect(bench.serverHead(branch)).toBe(theirs);
  });

  it('calls work that others built upon published', async () => {
    const main = await fetched();
    const sha = await bench.git.commitFiles(slug, main, text, 'mine');
    await bench.git.push(slug, sha, branch, null);
    const onTop = await bench.push(branch, { 'x.txt': 'on top\n' });
    expect(await bench.git.push(slug, sha, branch, null)).toBe('ok');
    expect(bench.serverHead(branch)).toBe(onTop);
  });

  it('believes the server and not the answer when that was lost', async () => {
    const main = await fetched();
    const sha = await bench.git.commitFiles(slug, main, text, 'mine');
    bench.server.faults.push({ match: /POST .*git-receive-pack/, times: 1, action: { kind: 'saved-reset' } });
    expect(await bench.git.push(slug, sha, branch, null).catch(() => 'again')).toMatch(/ok|again/);
    expect(await bench.git.push(slug, sha, branch, null)).toBe('ok');
    expect(bench.serverHead(branch)).toBe(sha);
  });

  it('says that a protected branch refuses', async () => {
    const main = await fetched();
    const shop = bench.server.state.repos[0];
    if (shop === undefined) throw new Error('no repository');
    bench.server.protect(shop, { rule: 'main', enablePush: false });
    const sha = await bench.git.commitFiles(slug, main, text, 'mine');
    await expect(bench.git.push(slug, sha, 'main', main)).rejects.toMatchObject({
      retry: 'never',
      message: expect.stringContaining('protected branch') as string,
    });
    expect(bench.serverHead('main')).toBe(main);
  });

  it.each(['-x', '--upload-pack=touch', 'a..b', 'a b', 'a\nb', 'a~1', '/a', 'a.lock', 'a/.b', 'a@{1}', ''])(
    'takes %j for no branch name',
    async (name) => {
      const main = await fetched();
      await expect(bench.git.push(slug, main, name, null)).rejects.toMatchObject({ code: 'bad_branch' });
    },
  );

  it('takes odd names that git takes', async () => {
    const main = await fetched();
    for (const name of ["feature/ET-001-a'b;c", 'feature/ET-001-$(touch x)`y`', 'ветка/é', 'a&&b|c"d']) {
      const odd = name.replaceAll(' ', '_');
      const sha = await bench.git.commitFiles(slug, main, text, odd);
      expect(await bench.git.push(slug, sha, odd, null)).toBe('ok');
      expect((await bench.git.lsRemoteHeads(slug)).get(odd)).toBe(sha);
    }
  });

  it.each(['../x', '/etc/x', 'a/../b', '.git/config', 'a/.GIT/x', ''])('writes no file named %j', async (file) => {
    const main = await fetched();
    await expect(bench.git.commitFiles(slug, main, [{ path: file, content: 'x' }], 'm')).rejects.toThrow();
  });
});

describe('trouble', () => {
  it('distinguishes a refused token, a missing repository, a server that is down, slow or broken, and a redirect apart', async () => {
    await expect(bench.gitAs({ token: '0'.repeat(40) }).lsRemoteHeads(slug)).rejects.toMatchObject({
      code: 'git_token_refused',
      exit: 'authentication',
    });
    await expect(bench.git.lsRemoteHeads('acme/none' as RepoSlug)).rejects.toMatchObject({
      code: 'git_repo_missing',
      exit: 'notFound',
    });
    await expect(bench.gitAs({ url: 'http://127.0.0.1:1' }).fetch(slug, ['main'])).rejects.toMatchObject({
      code: 'git_unreachable',
      retry: 'later',
    });
    for (const status of [500, 502, 503, 429]) {
      bench.server.faults.push({ match: /info\/refs/, times: 1, action: { kind: 'answer', status } });
      await expect(bench.fetch()).rejects.toMatchObject({ code: 'git_unreachable', retry: 'later' });
    }
    bench.server.faults.push({ match: /info\/refs/, times: 1, action: { kind: 'hang' } });
    await expect(bench.gitAs({ gitMs: 500 }).fetch(slug, ['main'])).rejects.toMatchObject({ retry: 'later' });
    const location = `${bench.server.url}/acme/shop.git/info/refs?service=git-upload-pack`;
    const action = { kind: 'answer' as const, status: 302, headers: { location } };
    bench.server.faults.push({ match: /none\.git\/info\/refs/, times: 1, action });
    await expect(bench.git.fetch('acme/none' as RepoSlug, ['main'])).rejects.toMatchObject({ name: 'OrchError' });
  });

  it('sends the token to nobody but the configured server', async () => {
    const seen: (string | undefined)[] = [];
    const { createServer } = await import('node:http');
    const thief = createServer((req, res) => {
      seen.push(req.headers.authorization);
      res.writeHead(404).end();
    });
    await new Promise<void>((resolve) => thief.listen(0, '127.0.0.1', resolve));
    const address = thief.address();
    if (address === null || typeof address === 'string') throw new Error('no port');
    const headers = { location: `http://127.0.0.1:${address.port}/acme/shop.git/info/refs?service=git-upload-pack` };
    bench.server.faults.push({ match: /info\/refs/, times: 9, action: { kind: 'answer', status: 302, headers } });
    await expect(bench.fetch()).rejects.toThrow();
    await new Promise((resolve) => thief.close(resolve));
    expect(seen).toEqual([]);
  });

  it('keeps the token out of arguments, addresses, errors and files', async () => {
    const basic = Buffer.from(`orch:${bench.token}`).toString('base64');
    bench.server.faults.push({ match: /info\/refs/, times: 1, action: { kind: 'hang' } });
    const call = bench.gitAs({ gitMs: 3000 }).fetch(slug, ['main']);
    const failed = call.then(
      () => '',
      (error: unknown) => JSON.stringify([String(error), error]),
    );
    const transport = (): string[] => commandLines().filter((line) => line.includes('remote-http'));
    await until('a transport', () => transport().some((line) => line.includes(bench.server.url)));
    const lines = commandLines();
    expect(lines.filter((line) => line.includes(bench.token) || line.includes(basic))).toEqual([]);
    const said = await failed;
    expect(said).toContain('git');
    expect(said.includes(bench.token) || said.includes(basic)).toBe(false);
    const main = await fetched();
    await bench.git.push(slug, await bench.git.commitFiles(slug, main, text, 'm'), branch, null);
    await bench.workspaces.prepare(slug, branch, 'main');
    for (const folder of ['repos', 'workspaces']) {
      const { searched, hits } = filesWith(path.join(bench.root, folder), [bench.token, basic]);
      expect(searched).toBeGreaterThan(5);
      expect(hits).toEqual([]);
    }
  });
});

/** Command lines of all processes. */
function commandLines(): string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
      } catch {
        return '';
      }
    });
}
