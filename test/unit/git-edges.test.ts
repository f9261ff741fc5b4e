import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, renameSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { CommitSha, Published } from '../../src/core/model/index.ts';
import { makerTag } from '../../src/core/platform/processes.ts';
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

const commit = (base: CommitSha, allowed: (file: string) => boolean = () => true): Promise<Published> =>
  bench.workspaces.commit({
    baseBranch: 'main',
    repo: slug,
    branch,
    base,
    allowed,
    message: 'feat(ET-012): developer, run 1',
    patchFile: path.join(bench.root, 'run', 'out.patch'),
  });
const parents = (sha: string): string => bench.bare('log', '-1', '--format=%P', sha);

/** More heads than could be looked at one by one. */
function giantMergeHead(): string {
  return Array.from({ length: 50_000 }, (_, i) => `${i.toString(16).padStart(40, '0')}\n`).join('');
}

describe('what an agent left', () => {
  it('keeps a merge that was not committed, and believes no parent that the server has not', async () => {
    const main = await bench.push('main', { 'lib.txt': 'lib\n' });
    const { path: ws } = await bench.workspaces.prepare(slug, branch, 'main');
    bench.inFolder(ws, 'merge', '--quiet', '--no-commit', '--no-ff', 'origin/main');
    expect(parents((await commit(start)).sha)).toBe(`${start} ${main}`);
    const forged = bench.inFolder(ws, 'commit-tree', `${main}^{tree}`, '-m', 'forged');
    writeFileSync(path.join(ws, '.git/MERGE_HEAD'), `${forged}\n`);
    expect(parents((await commit(start)).sha)).toBe(start);
    writeFileSync(path.join(ws, '.git/MERGE_HEAD'), giantMergeHead());
    expect((await commit(start)).committed).toBe(true);
  });

  it('publishes what the agent committed although the branch ignores it', async () => {
    const { path: ws } = await bench.workspaces.prepare(slug, branch, 'main');
    writeFileSync(path.join(ws, '.gitignore'), '*.log\n');
    writeFileSync(path.join(ws, 'kept.log'), 'kept\n');
    writeFileSync(path.join(ws, 'left.log'), 'left\n');
    bench.inFolder(ws, 'add', '-f', '.gitignore', 'kept.log');
    bench.inFolder(ws, 'commit', '--quiet', '-m', 'x');
    const { sha } = await commit(start);
    expect(bench.bare('diff-tree', '-r', '--name-only', start, sha)).toBe('.gitignore\nkept.log');
  });

  it('names repositories within, and is not stopped by them later', async () => {
    const { path: ws } = await bench.workspaces.prepare(slug, branch, 'main');
    mkdirSync(path.join(ws, 'app'));
    bench.inFolder(path.join(ws, 'app'), 'init', '--quiet');
    writeFileSync(path.join(ws, 'app', 'main.c'), 'int main;\n');
    writeFileSync(path.join(ws, 'x.md'), 'x\n');
    const made = await commit(start);
    expect(made.outOfScope.map((name) => name.replace(/\/$/, ''))).toEqual(['app']);
    await bench.git.push(slug, made.sha, branch, start);
    const next = await bench.push(branch, { 'y.md': 'y\n' });
    expect(await bench.workspaces.prepare(slug, branch, 'main')).toMatchObject({ head: next, state: 'clean' });
  });

  it('is not followed when the workspace itself is a link', async () => {
    const { path: ws } = await bench.workspaces.prepare(slug, branch, 'main');
    const home = path.join(bench.root, 'home');
    mkdirSync(home);
    writeFileSync(path.join(home, 'precious'), 'x');
    renameSync(ws, `${ws}-aside`);
    symlinkSync(home, ws);
    await bench.workspaces.prepare(slug, branch, 'main').catch(() => null);
    await commit(start).catch(() => null);
    expect(readdirSync(home)).toEqual(['precious']);
    await bench.workspaces.remove(slug, branch);
    expect(existsSync(path.join(home, 'precious'))).toBe(true);
  });

  it('finds its way when the branch was merged and deleted after the last run', async () => {
    const { path: ws } = await bench.workspaces.prepare(slug, branch, 'main');
    writeFileSync(path.join(ws, 'x.md'), 'x\n');
    const { sha } = await commit(start);
    await bench.git.push(slug, sha, branch, start);
    const [shop, owner] = [bench.server.state.repos[0], bench.server.state.users[0]];
    if (shop === undefined || owner === undefined) throw new Error('no repository');
    await bench.server.deleteBranch(shop, branch, owner);
    expect(await bench.workspaces.prepare(slug, branch, 'main')).toMatchObject({ head: sha, state: 'clean' });
  });
});

describe('what a killed process left', () => {
  it('is swept by its owner: at once when that is dead, never while it lives, by age where nobody can say', async () => {
    const { path: ws } = await bench.workspaces.prepare(slug, branch, 'main');
    const own = makerTag();
    const place = own.slice(own.lastIndexOf('-') + 1);
    const [dead, foreign] = [`${spawnSync('true').pid}-1-${place}`, `${process.pid}-1-00000000`];
    const copies = path.join(bench.root, 'repos', 'acme');
    const uuid = '00000000-0000-4000-8000-000000000000';
    const namesOf = (tag: string): string[] => [
      path.join(copies, 'shop.git', `orch-index-${tag}-${uuid}`),
      path.join(copies, 'shop.git', `orch-index-${tag}-${uuid}.lock`),
      path.join(copies, `other.git.${tag}-${uuid}.tmp`),
      `${ws}.git-${tag}`,
      path.join(path.dirname(ws), `.${path.basename(ws)}.config-${tag}`),
      path.join(path.dirname(ws), `.${path.basename(ws)}.index.${tag}.tmp`),
    ];
    const hourAgo = new Date(Date.now() - 7_200_000);
    for (const tag of [own, dead, foreign]) for (const name of namesOf(tag)) mkdirSync(name);
    for (const name of namesOf(own)) utimesSync(name, hourAgo, hourAgo);
    const found = async (): Promise<string[]> => {
      const before = Date.now() - 3_600_000;
      return [...(await bench.git.leftovers(before)), ...(await bench.workspaces.leftovers(before))].sort();
    };
    expect(await found()).toEqual(namesOf(dead).sort());
    for (const name of namesOf(foreign)) utimesSync(name, hourAgo, hourAgo);
    expect(await found()).toEqual([...namesOf(dead), ...namesOf(foreign)].sort());
  });

  it('is repaired: half of a clone, half of a bare copy', async () => {
    const { path: ws } = await bench.workspaces.prepare(slug, branch, 'main');
    const halves = [`${ws}.git-1234567`, path.join(path.dirname(ws), `.${path.basename(ws)}.new`)];
    for (const half of halves) mkdirSync(path.join(half, '.git', 'objects'), { recursive: true });
    mkdirSync(path.join(bench.root, 'repos', 'acme', 'other.git.999999.tmp'), { recursive: true });
    const next = await bench.push(branch, { 'y.md': 'y\n' });
    expect(await bench.workspaces.prepare(slug, branch, 'main')).toMatchObject({ head: next, state: 'clean' });
  });

  it('is repaired: a checkout that was cut off, without taking its files for work', async () => {
    const { path: ws } = await bench.workspaces.prepare(slug, branch, 'main');
    const next = await bench.push(branch, { 'a.md': 'a\n', 'b.md': 'b\n' });
    writeFileSync(path.join(path.dirname(ws), `.${path.basename(ws)}.head`), 'reset\n');
    writeFileSync(path.join(ws, 'a.md'), 'a\n');
    expect(await bench.workspaces.unpushed(slug, branch)).toBe(false);
    expect(await bench.workspaces.prepare(slug, branch, 'main')).toMatchObject({ head: next, state: 'clean' });
    expect(bench.inFolder(ws, 'status', '--porcelain')).toBe('');
  });
});

describe('folders of others', () => {
  it.each([['shop/.git'], ['other/.git'], ['acme/other/.git']])('is refused untouched: %s', async (inside) => {
    const repos = path.join(bench.root, 'repos');
    mkdirSync(path.join(repos, inside), { recursive: true });
    await expect(bench.fetch()).rejects.toMatchObject({ code: 'repos_foreign' });
    expect(readdirSync(repos, { recursive: true }).length).toBe(inside.split('/').length);
  });
});

describe('odd trees', () => {
  it('has a code tree when the folder is a file, and lists odd names', async () => {
    const asFile = await bench.push('odd', { [folder]: 'a file\n' });
    await bench.fetch();
    const main = await bench.git.head(slug, 'main');
    if (main === null) throw new Error('no main');
    expect(await bench.git.codeTree(slug, asFile, folder)).not.toBe('');
    expect(await bench.git.listTree(slug, asFile, folder)).toEqual([]);
    expect(await bench.git.listTree(slug, asFile, ':(glob)**')).toEqual([]);
  });

  it('lists the commits of a branch after the base was merged into it', async () => {
    const main = await bench.push('main', { 'lib.txt': 'lib\n' });
    const { path: ws } = await bench.workspaces.prepare(slug, branch, 'main');
    bench.inFolder(ws, 'merge', '--quiet', '--no-ff', 'origin/main');
    const { sha } = await commit(start);
    await bench.git.push(slug, sha, branch, start);
    await bench.fetch();
    const listed = await bench.git.commitsSince(slug, main, sha);
    expect(listed.map((one) => one.sha)).toEqual([sha, start]);
  });
});

describe('size', () => {
  it('publishes 20,000 small files, and takes as many back', async () => {
    const { path: ws } = await bench.workspaces.prepare(slug, branch, 'main');
    for (const top of ['docs/many', 'many'])
      for (let i = 0; i < 100; i++) {
        mkdirSync(path.join(ws, top, String(i)), { recursive: true });
        for (let j = 0; j < 100; j++) writeFileSync(path.join(ws, top, String(i), `${j}.txt`), `${i} ${j}\n`);
      }
    const made = await commit(start, (file) => file.startsWith('docs/'));
    expect(made.outOfScope.length).toBe(10_000);
    expect(existsSync(path.join(ws, 'many'))).toBe(false);
    expect(bench.bare('diff-tree', '-r', '--name-only', start, made.sha).split('\n').length).toBe(10_000);
  }, 300_000);
});
