import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { CommitSha, Published, RepoSlug } from '../../src/core/model/index.ts';
import { gitBench, slug, type GitBench } from '../support/git-server.ts';

const branch = 'feature/ET-012-totals';
let bench: GitBench;
let start: CommitSha;
beforeEach(async () => {
  bench = await gitBench();
  start = await bench.push(branch, { 'docs/work-items/ET-012/00-business-request.md': '# Totals\n' });
});
afterEach(() => bench.stop());

const put = (file: string, content: string): void => {
  const target = path.join(bench.workspaces.pathOf(slug, branch), file);
  mkdirSync(path.dirname(target), { recursive: true });
  writeFileSync(target, content);
};
const read = (file: string): string => readFileSync(path.join(bench.workspaces.pathOf(slug, branch), file), 'utf8');
const agent = (...args: string[]): string => bench.inFolder(bench.workspaces.pathOf(slug, branch), ...args);
const commit = (base: CommitSha): Promise<Published> => bench.commit({ branch, base });
const publish = async (base: CommitSha): Promise<CommitSha> => {
  const { sha } = await commit(base);
  await bench.workspaces.exportCommit(slug, branch, sha);
  expect(await bench.git.push(slug, sha, branch, base)).toBe('ok');
  return sha;
};

describe('where workspaces are', () => {
  it('stays below its folder and keeps apart what looks alike', () => {
    const root = path.join(bench.root, 'workspaces', slug);
    const names = ['a/b', 'a_b', 'a;b', "a'b", '..', '../../x', '.git', 'ветка', 'вётка', 'x'.repeat(300)];
    const paths = names.map((name) => bench.workspaces.pathOf(slug, name));
    expect(new Set(paths).size).toBe(names.length);
    for (const at of paths) {
      expect(path.dirname(at)).toBe(root);
      expect(path.basename(at)).toMatch(/^[A-Za-z0-9_][A-Za-z0-9._-]{0,120}$/);
    }
    expect(bench.workspaces.pathOf(slug, 'main')).toBe(path.join(root, 'main'));
    expect(() => bench.workspaces.pathOf('../x' as RepoSlug, 'main')).toThrow();
  });
});

describe('prepare', () => {
  it('checks the branch out in a repository of its own that leads nowhere and copies no object', async () => {
    const made = await bench.workspaces.prepare(slug, branch, 'main');
    expect(made).toEqual({ path: bench.workspaces.pathOf(slug, branch), head: start, state: 'clean' });
    expect(agent('status', '--porcelain', '--branch')).toBe(`## ${branch}`);
    expect(agent('rev-parse', 'HEAD')).toBe(start);
    expect(agent('rev-parse', 'origin/main')).toBe(bench.serverHead('main'));
    expect(() => agent('config', 'remote.origin.url')).toThrow();
    // Objects are borrowed, not copied.
    const [objects = ''] = bench.workspaces.readPaths(slug);
    expect(readFileSync(path.join(made.path, '.git', 'objects', 'info', 'alternates'), 'utf8')).toBe(`${objects}\n`);
    expect(readdirSync(path.join(made.path, '.git', 'objects'))).toEqual(['info', 'pack']);
    expect(statSync(made.path).mode & 0o077).toBe(0);
    put('.orch/task.md', 'orders');
    expect(agent('status', '--porcelain')).toBe('');
  });

  it('works for odd branch names', async () => {
    for (const odd of ["feature/ET-001-a'b;c", 'feature/ET-001-$(touch${IFS}pwned)', 'ветка/é']) {
      const head = await bench.push(odd, { 'x.txt': 'x\n' });
      const made = await bench.workspaces.prepare(slug, odd, 'main');
      expect(made.head).toBe(head);
      expect(bench.inFolder(made.path, 'rev-parse', '--abbrev-ref', 'HEAD')).toBe(odd);
    }
  });

  it('follows the server while there is nothing to lose', async () => {
    await bench.workspaces.prepare(slug, branch, 'main');
    const next = await bench.push(branch, { 'src/a.txt': 'new\n', 'src/b.txt': 'b\n' });
    expect(await bench.workspaces.prepare(slug, branch, 'main')).toMatchObject({ head: next, state: 'clean' });
    expect(agent('status', '--porcelain')).toBe('');
    expect(read('src/b.txt')).toBe('b\n');
    expect(read('src/a.txt')).toBe('new\n');
  });

  it('follows a branch that was rewritten on the server', async () => {
    const { path: folder } = await bench.workspaces.prepare(slug, branch, 'main');
    const [shop, owner] = [bench.server.state.repos[0], bench.server.state.users[0]];
    const main = bench.serverHead('main');
    if (shop === undefined || owner === undefined || main === null) throw new Error('no repository');
    await bench.server.forcePush(shop, branch, main, owner);
    expect(await bench.workspaces.prepare(slug, branch, 'main')).toEqual({ path: folder, head: main, state: 'clean' });
    expect(agent('status', '--porcelain')).toBe('');
  });

  it('keeps what is not committed, committed or stashed by the agent, and says so', async () => {
    await bench.workspaces.prepare(slug, branch, 'main');
    put('src/mine.txt', 'committed\n');
    agent('add', '.');
    agent('commit', '--quiet', '-m', 'wip');
    const wip = agent('rev-parse', 'HEAD');
    put('src/stashed.txt', 'stashed\n');
    agent('stash', 'push', '--quiet', '--include-untracked');
    put('src/a.txt', 'edited\n');
    expect(await bench.workspaces.unpushed(slug, branch)).toBe(true);
    expect(await bench.workspaces.prepare(slug, branch, 'main')).toMatchObject({ head: start, state: 'dirty' });
    expect(read('src/mine.txt')).toBe('committed\n');
    expect(read('src/a.txt')).toBe('edited\n');
    expect(agent('cat-file', '-t', wip)).toBe('commit');
    expect(agent('stash', 'list')).toContain('stash@{0}');
    const { sha } = await commit(start);
    expect(bench.bare('diff-tree', '-r', '--name-status', start, sha)).toBe('M\tsrc/a.txt\nA\tsrc/mine.txt');
  });

  it('keeps what is not pushed when its repository gets another name, and what is there under that name', async () => {
    const to = 'acme/store' as RepoSlug;
    await bench.workspaces.prepare(slug, branch, 'main');
    put('src/mine.txt', 'mine\n');
    for (let times = 0; times < 2; times += 1) {
      await bench.git.rename(slug, to);
      await bench.workspaces.rename(slug, to);
    }
    expect(readFileSync(path.join(bench.workspaces.pathOf(to, branch), 'src/mine.txt'), 'utf8')).toBe('mine\n');
    expect(existsSync(bench.workspaces.pathOf(slug, branch))).toBe(false);
    expect(await bench.git.has(to, start)).toBe(true);
    await bench.workspaces.prepare(slug, branch, 'main');
    await bench.workspaces.rename(slug, to);
    expect(existsSync(path.join(bench.workspaces.pathOf(to, branch), 'src/mine.txt'))).toBe(true);
  });

  it('refuses when the server’s branch moved away from under unpublished work, and keeps that', async () => {
    await bench.workspaces.prepare(slug, branch, 'main');
    put('src/mine.txt', 'mine\n');
    await bench.push(branch, { 'src/theirs.txt': 'theirs\n' });
    await expect(bench.workspaces.prepare(slug, branch, 'main')).rejects.toMatchObject({
      code: 'workspace_diverged',
      retry: 'never',
    });
    expect(read('src/mine.txt')).toBe('mine\n');
    expect(await bench.workspaces.unpushed(slug, branch)).toBe(true);
  });

  it('is clean after publishing, and when somebody pushed on top of what was published', async () => {
    const { head } = await bench.workspaces.prepare(slug, branch, 'main');
    put('src/mine.txt', 'mine\n');
    const sha = await publish(head);
    expect(await bench.workspaces.unpushed(slug, branch)).toBe(false);
    expect(await bench.workspaces.prepare(slug, branch, 'main')).toMatchObject({ head: sha, state: 'clean' });
    put('src/mine.txt', 'more\n');
    await publish(sha);
    const onTop = await bench.push(branch, { 'src/theirs.txt': 'theirs\n' });
    expect(await bench.workspaces.prepare(slug, branch, 'main')).toMatchObject({ head: onTop, state: 'clean' });
    expect([read('src/mine.txt'), read('src/theirs.txt')]).toEqual(['more\n', 'theirs\n']);
  });

  it('does not take a commit that never reached the server for published', async () => {
    const { head } = await bench.workspaces.prepare(slug, branch, 'main');
    put('src/mine.txt', 'mine\n');
    const { sha } = await commit(head);
    await bench.workspaces.exportCommit(slug, branch, sha);
    expect(await bench.workspaces.unpushed(slug, branch)).toBe(true);
    expect(await bench.workspaces.prepare(slug, branch, 'main')).toMatchObject({ head, state: 'dirty' });
    expect(read('src/mine.txt')).toBe('mine\n');
    expect(await commit(head)).toMatchObject({ sha, committed: true });
  });

  it('finishes a checkout that was cut off', async () => {
    const { path: folder } = await bench.workspaces.prepare(slug, branch, 'main');
    const next = await bench.push(branch, { 'src/a.txt': 'new\n', 'src/b.txt': 'b\n' });
    await bench.fetch();
    // What a crash within the checkout leaves: the note that it had begun, and a part of the new files.
    writeFileSync(path.join(path.dirname(folder), `.${path.basename(folder)}.head`), 'reset\n');
    put('src/b.txt', 'b\n');
    expect(await bench.workspaces.prepare(slug, branch, 'main')).toMatchObject({ head: next, state: 'clean' });
    expect(agent('status', '--porcelain')).toBe('');
  });

  it('takes files for work when nothing says where they began', async () => {
    const { path: folder } = await bench.workspaces.prepare(slug, branch, 'main');
    put('src/mine.txt', 'mine\n');
    rmSync(path.join(path.dirname(folder), `.${path.basename(folder)}.head`));
    await expect(bench.workspaces.prepare(slug, branch, 'main')).rejects.toMatchObject({ code: 'workspace_diverged' });
    expect(await bench.workspaces.unpushed(slug, branch)).toBe(true);
    expect(read('src/mine.txt')).toBe('mine\n');
  });

  it('repairs a workspace whose .git is gone', async () => {
    const { path: folder } = await bench.workspaces.prepare(slug, branch, 'main');
    put('src/mine.txt', 'mine\n');
    rmSync(path.join(folder, '.git'), { recursive: true });
    expect(await bench.workspaces.prepare(slug, branch, 'main')).toMatchObject({ head: start, state: 'dirty' });
    expect(agent('status', '--porcelain')).toBe('?? src/mine.txt');
  });

  it('says that a branch is missing', async () => {
    await expect(bench.workspaces.prepare(slug, 'none', 'main')).rejects.toMatchObject({ code: 'branch_missing' });
  });
});

describe('the folder of local tests', () => {
  it('holds what is committed and the caches that are named, whatever the workspace holds', async () => {
    await bench.push(branch, { '.gitignore': 'dist/\nnode_modules/\n', 'src/a.txt': 'a\n' });
    const { path: workspace } = await bench.workspaces.prepare(slug, branch, 'main');
    put('dist/stub.js', 'passes');
    put('node_modules/x.js', 'x');
    put('src/a.txt', 'not committed');
    const made = await bench.workspaces.prepareTests(slug, branch, 'main', ['node_modules/']);
    expect(made.head).toBe(bench.serverHead(branch));
    expect(made.path).not.toBe(workspace);
    expect(existsSync(path.join(made.path, 'dist'))).toBe(false);
    expect(readFileSync(path.join(made.path, 'src/a.txt'), 'utf8')).toBe('a\n');
    // What a test left: of all of it only the cache is there the next time.
    for (const file of ['dist/stub.js', 'node_modules/y.js', 'new.txt', 'src/a.txt', 'inner/.git/HEAD']) {
      mkdirSync(path.dirname(path.join(made.path, file)), { recursive: true });
      writeFileSync(path.join(made.path, file), 'left');
    }
    await bench.workspaces.prepareTests(slug, branch, 'main', ['node_modules/']);
    expect(bench.inFolder(made.path, 'status', '--porcelain', '--ignored')).toBe('!! node_modules/');
    expect(existsSync(path.join(made.path, 'inner'))).toBe(false);
    expect(readFileSync(path.join(made.path, 'node_modules/y.js'), 'utf8')).toBe('left');
    await bench.workspaces.prepareTests(slug, branch, 'main', []);
    expect(existsSync(path.join(made.path, 'node_modules'))).toBe(false);
    // The agent's work is as it was.
    expect(readFileSync(path.join(workspace, 'src/a.txt'), 'utf8')).toBe('not committed');
    expect(await bench.workspaces.unpushed(slug, branch)).toBe(true);
    await bench.workspaces.remove(slug, branch);
    expect(existsSync(made.path)).toBe(false);
  });
});

describe('unpushed and remove', () => {
  it('is false without a workspace, right after prepare, and for a branch merged and deleted', async () => {
    expect(await bench.workspaces.unpushed(slug, branch)).toBe(false);
    const { head } = await bench.workspaces.prepare(slug, branch, 'main');
    expect(await bench.workspaces.unpushed(slug, branch)).toBe(false);
    put('src/mine.txt', 'mine\n');
    await publish(head);
    const [shop, owner] = [bench.server.state.repos[0], bench.server.state.users[0]];
    if (shop === undefined || owner === undefined) throw new Error('no repository');
    await bench.server.deleteBranch(shop, branch, owner);
    await bench.fetch();
    expect(await bench.workspaces.unpushed(slug, branch)).toBe(false);
    put('src/mine.txt', 'after\n');
    expect(await bench.workspaces.unpushed(slug, branch)).toBe(true);
  });

  it('removes everything of it, folders that nobody may write to as well', async () => {
    const { path: folder } = await bench.workspaces.prepare(slug, branch, 'main');
    put('cache/mod/x', 'x');
    const { chmodSync, readdirSync } = await import('node:fs');
    chmodSync(path.join(folder, 'cache/mod'), 0o500);
    await bench.workspaces.remove(slug, branch);
    expect(readdirSync(path.dirname(folder))).toEqual([]);
    await bench.workspaces.remove(slug, branch);
    expect(await bench.workspaces.prepare(slug, branch, 'main')).toMatchObject({ head: start, state: 'clean' });
  });
});
