import { chmodSync, existsSync, mkdirSync, readdirSync, renameSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { CommitSha, PublishResult } from '../../src/core/model/index.ts';
import { gitBench, slug, type GitBench } from '../support/git-server.ts';

const branch = 'feature/ET-012-totals';
const folder = 'docs/work-items/ET-012';
let bench: GitBench;
let start: CommitSha;
beforeEach(async () => {
  bench = await gitBench();
  start = await bench.push(branch, { [`${folder}/00-business-request.md`]: '# Totals\n' });
});
afterEach(() => bench.stop());

const commit = (base: CommitSha, allowed: (file: string) => boolean = () => true): Promise<PublishResult> =>
  bench.workspaces.commit({
    repo: slug,
    branch,
    base,
    allowed,
    message: 'feat(ET-012): developer, run 1',
    patchFile: path.join(bench.root, 'run', 'out.patch'),
  });
const parents = (sha: string): string => bench.bare('log', '-1', '--format=%P', sha);

/** A server that answers everything in one way. */
async function servedBy(
  answer: (req: IncomingMessage, res: ServerResponse) => void,
  use: (url: string) => Promise<void>,
): Promise<void> {
  const server = createServer(answer);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  try {
    await use(`http://127.0.0.1:${address.port}`);
  } finally {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
}

describe('answers of the server', () => {
  it.each(['nope', '404 not found', 'HTTP 401 Authentication failed', 'does not exist'])(
    'takes a hook that says "%s" for a refusal, and repeats its words',
    async (words) => {
      const hook = path.join(bench.root, 'server', `${slug}.git`, 'hooks', 'pre-receive');
      writeFileSync(hook, `#!/bin/sh\necho '${words}' >&2\nexit 1\n`);
      chmodSync(hook, 0o755);
      await bench.git.fetch(slug);
      const sha = await bench.git.commitFiles(slug, start, [{ path: 'x.md', content: 'x' }], 'x');
      await expect(bench.git.push(slug, sha, branch, start)).rejects.toMatchObject({
        retry: 'never',
        exit: 'failed',
        message: expect.stringContaining(words) as string,
      });
    },
  );

  it('repeats no credential that a server echoes', async () => {
    const basic = Buffer.from(`orch:${bench.token}`).toString('base64');
    await servedBy(
      (req, res) => {
        const sent = String(req.headers.authorization);
        res.writeHead(500, { 'content-type': 'text/plain' }).end(`you sent ${sent} and ${bench.token}\u001b[2J\n`);
      },
      async (url) => {
        const error: unknown = await bench
          .gitAs({ url })
          .fetch(slug)
          .catch((e: unknown) => e);
        const told = `${String(error)} ${JSON.stringify(error)}`;
        expect(told).toContain('you sent');
        expect(told.includes(bench.token) || told.includes(basic) || told.includes('\u001b')).toBe(false);
      },
    );
  });

  it('says that a redirect is one', async () => {
    await servedBy(
      (_req, res) => res.writeHead(302, { location: `${bench.server.url}/acme/shop.git/info/refs` }).end(),
      async (url) => {
        await expect(bench.gitAs({ url }).fetch(slug)).rejects.toMatchObject({ code: 'git_redirected' });
      },
    );
  });

  it('gives up on a server that says nothing while the heads are listed', async () => {
    await servedBy(
      () => {},
      async (url) => {
        await expect(bench.gitAs({ url, transferMs: 400 }).fetch(slug)).rejects.toMatchObject({ retry: 'retry' });
      },
    );
  });

  it('asks for no objects when the server has nothing new', async () => {
    await bench.git.fetch(slug);
    const packs = (): number => bench.server.requests.filter((line) => line.includes('git-upload-pack')).length;
    const refs = (): string => bench.bare('for-each-ref', '--format=%(refname) %(objectname)');
    const [before, seen] = [packs(), refs()];
    await bench.git.fetch(slug);
    expect(packs() - before).toBeLessThanOrEqual(2);
    expect(refs()).toBe(seen);
  });
});

describe('what an agent left', () => {
  it('keeps a merge that was not committed, and believes no parent that the server has not', async () => {
    const main = await bench.push('main', { 'lib.txt': 'lib\n' });
    const { path: ws } = await bench.workspaces.prepare(slug, branch);
    bench.inFolder(ws, 'merge', '--quiet', '--no-commit', '--no-ff', 'origin/main');
    expect(parents((await commit(start)).sha)).toBe(`${start} ${main}`);
    const forged = bench.inFolder(ws, 'commit-tree', `${main}^{tree}`, '-m', 'forged');
    writeFileSync(path.join(ws, '.git/MERGE_HEAD'), `${forged}\n`);
    expect(parents((await commit(start)).sha)).toBe(start);
    writeFileSync(path.join(ws, '.git/MERGE_HEAD'), Buffer.alloc(300 * 1024 * 1024, `${main}\n`));
    expect((await commit(start)).committed).toBe(true);
  });

  it('publishes what the agent committed although the branch ignores it', async () => {
    const { path: ws } = await bench.workspaces.prepare(slug, branch);
    writeFileSync(path.join(ws, '.gitignore'), '*.log\n');
    writeFileSync(path.join(ws, 'kept.log'), 'kept\n');
    writeFileSync(path.join(ws, 'left.log'), 'left\n');
    bench.inFolder(ws, 'add', '-f', '.gitignore', 'kept.log');
    bench.inFolder(ws, 'commit', '--quiet', '-m', 'x');
    const { sha } = await commit(start);
    expect(bench.bare('diff-tree', '-r', '--name-only', start, sha)).toBe('.gitignore\nkept.log');
  });

  it('names repositories within, and is not stopped by them later', async () => {
    const { path: ws } = await bench.workspaces.prepare(slug, branch);
    mkdirSync(path.join(ws, 'app'));
    bench.inFolder(path.join(ws, 'app'), 'init', '--quiet');
    writeFileSync(path.join(ws, 'app', 'main.c'), 'int main;\n');
    writeFileSync(path.join(ws, 'x.md'), 'x\n');
    const made = await commit(start);
    expect(made.outOfScope.map((name) => name.replace(/\/$/, ''))).toEqual(['app']);
    await bench.git.push(slug, made.sha, branch, start);
    const next = await bench.push(branch, { 'y.md': 'y\n' });
    expect(await bench.workspaces.prepare(slug, branch)).toMatchObject({ head: next, state: 'clean' });
  });

  it('is not followed when the workspace itself is a link', async () => {
    const { path: ws } = await bench.workspaces.prepare(slug, branch);
    const home = path.join(bench.root, 'home');
    mkdirSync(home);
    writeFileSync(path.join(home, 'precious'), 'x');
    renameSync(ws, `${ws}-aside`);
    symlinkSync(home, ws);
    await bench.workspaces.prepare(slug, branch).catch(() => null);
    await commit(start).catch(() => null);
    expect(readdirSync(home)).toEqual(['precious']);
    await bench.workspaces.remove(slug, branch);
    expect(existsSync(path.join(home, 'precious'))).toBe(true);
  });

  it('finds its way when the branch was merged and deleted after the last run', async () => {
    const { path: ws } = await bench.workspaces.prepare(slug, branch);
    writeFileSync(path.join(ws, 'x.md'), 'x\n');
    const { sha } = await commit(start);
    await bench.git.push(slug, sha, branch, start);
    const [shop, owner] = [bench.server.state.repos[0], bench.server.state.users[0]];
    if (shop === undefined || owner === undefined) throw new Error('no repository');
    await bench.server.deleteBranch(shop, branch, owner);
    expect(await bench.workspaces.prepare(slug, branch)).toMatchObject({ head: sha, state: 'clean' });
  });
});

describe('what a killed process left', () => {
  it('is mended: half of a clone, half of a bare copy', async () => {
    const { path: ws } = await bench.workspaces.prepare(slug, branch);
    const halves = [`${ws}.git-1234567`, path.join(path.dirname(ws), `.${path.basename(ws)}.new`)];
    for (const half of halves) mkdirSync(path.join(half, '.git', 'objects'), { recursive: true });
    mkdirSync(path.join(bench.root, 'repos', 'acme', 'other.git.999999.tmp'), { recursive: true });
    const next = await bench.push(branch, { 'y.md': 'y\n' });
    expect(await bench.workspaces.prepare(slug, branch)).toMatchObject({ head: next, state: 'clean' });
  });

  it('is mended: files that are partly of the new head', async () => {
    const { path: ws } = await bench.workspaces.prepare(slug, branch);
    writeFileSync(path.join(ws, 'mine.md'), 'mine\n');
    const kept = await bench.workspaces.prepare(slug, branch);
    expect(kept.state).toBe('dirty');
    expect(existsSync(path.join(ws, 'mine.md'))).toBe(true);
  });
});

describe('folders of others', () => {
  it.each([['shop/.git'], ['other/.git'], ['acme/other/.git']])('is refused untouched: %s', async (inside) => {
    const repos = path.join(bench.root, 'repos');
    mkdirSync(path.join(repos, inside), { recursive: true });
    await expect(bench.git.fetch(slug)).rejects.toMatchObject({ code: 'repos_foreign' });
    expect(readdirSync(repos, { recursive: true }).length).toBe(inside.split('/').length);
  });
});

describe('odd trees', () => {
  it('has a code tree when the folder is a file, and lists odd names', async () => {
    const asFile = await bench.push('odd', { [folder]: 'a file\n' });
    await bench.git.fetch(slug);
    const main = await bench.git.head(slug, 'main');
    if (main === null) throw new Error('no main');
    expect(await bench.git.codeTree(slug, asFile, folder)).not.toBe('');
    expect(await bench.git.listTree(slug, asFile, folder)).toEqual([]);
    expect(await bench.git.listTree(slug, asFile, ':(glob)**')).toEqual([]);
  });

  it('lists the commits of a branch after the base was merged into it', async () => {
    const main = await bench.push('main', { 'lib.txt': 'lib\n' });
    const { path: ws } = await bench.workspaces.prepare(slug, branch);
    bench.inFolder(ws, 'merge', '--quiet', '--no-ff', 'origin/main');
    const { sha } = await commit(start);
    await bench.git.push(slug, sha, branch, start);
    await bench.git.fetch(slug);
    const listed = await bench.git.commitsSince(slug, main, sha);
    expect(listed.map((one) => one.sha)).toEqual([sha, start]);
  });
});

describe('size', () => {
  it('publishes 20,000 small files, and takes as many back, in seconds', async () => {
    const { path: ws } = await bench.workspaces.prepare(slug, branch);
    for (const top of ['docs/many', 'many'])
      for (let i = 0; i < 100; i++) {
        mkdirSync(path.join(ws, top, String(i)), { recursive: true });
        for (let j = 0; j < 100; j++) writeFileSync(path.join(ws, top, String(i), `${j}.txt`), `${i} ${j}\n`);
      }
    const began = performance.now();
    const made = await commit(start, (file) => file.startsWith('docs/'));
    expect(performance.now() - began).toBeLessThan(40_000);
    expect(made.outOfScope.length).toBe(10_000);
    expect(existsSync(path.join(ws, 'many'))).toBe(false);
    expect(bench.bare('diff-tree', '-r', '--name-only', start, made.sha).split('\n').length).toBe(10_000);
  });
});
