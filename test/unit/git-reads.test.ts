import { statSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parseCommitSha, type CommitSha, type RepoSlug } from '../../src/core/model/index.ts';
import { gitBench, slug, type GitBench } from '../support/git-server.ts';

let bench: GitBench;
let main: CommitSha;
beforeEach(async () => {
  bench = await gitBench();
  await bench.fetch();
  const head = await bench.git.head(slug, 'main');
  if (head === null) throw new Error('no main');
  main = head;
});
afterEach(() => bench.stop());

const folder = 'docs/work-items/ET-012';
const inBare = async (files: Record<string, string>, parent = main, message = 'work'): Promise<CommitSha> =>
  bench.git.commitFiles(
    slug,
    parent,
    Object.entries(files).map(([path, content]) => ({ path, content })),
    message,
  );

describe('a bare copy', () => {
  it('is closed to other users, whatever the umask is', async () => {
    const other = 'acme/open' as RepoSlug;
    const before = process.umask(0);
    try {
      expect(await bench.git.head(other, 'main')).toBeNull();
    } finally {
      process.umask(before);
    }
    expect(statSync(bench.git.bare.pathOf(other)).mode & 0o777).toBe(0o700);
  });
});

describe('code tree', () => {
  it('is the same with and without the task’s folder, and for every content of it', async () => {
    const plain = await bench.git.codeTree(slug, main, folder);
    expect(plain).toBe(bench.bare('rev-parse', `${main}^{tree}`));
    const documents = await inBare({ [`${folder}/01-brd.md`]: 'a\n', [`${folder}/06-adr/001.md`]: 'b\n' });
    const more = await inBare({ [`${folder}/12-review.md`]: 'c\n' }, documents);
    expect(await bench.git.codeTree(slug, documents, folder)).toBe(plain);
    expect(await bench.git.codeTree(slug, more, folder)).toBe(plain);
    expect(await bench.git.codeTree(slug, more, `${folder}/`)).toBe(plain);
  });

  it('differs when code does, or a neighbour of the folder', async () => {
    const plain = await bench.git.codeTree(slug, main, folder);
    const others = await Promise.all(
      [{ 'src/a.txt': 'other\n' }, { [`${folder}3/x.md`]: 'x\n' }, { 'docs/x.md': 'x\n' }].map((files) =>
        inBare(files),
      ),
    );
    const trees = await Promise.all(others.map((sha) => bench.git.codeTree(slug, sha, folder)));
    expect(new Set([plain, ...trees]).size).toBe(4);
  });
});

describe('files at a commit', () => {
  it('reads text whole or cut at a character, and nothing else', async () => {
    const sha = await inBare({ 'ру.md': 'Привет\n', 'sub/x.md': 'x', 'odd\ufffd.md': 'was \ufffd here' });
    expect(await bench.git.readFile(slug, sha, 'ру.md', 100)).toBe('Привет\n');
    expect(await bench.git.readFile(slug, sha, 'ру.md', 5)).toBe('Пр');
    expect(await bench.git.readFile(slug, sha, 'odd\ufffd.md', 100)).toBe('was \ufffd here');
    for (const path of ['none.md', 'sub', 'sub/', '', '*', ':(glob)**', '../README.md', '/README.md'])
      expect(await bench.git.readFile(slug, sha, path, 100)).toBeNull();
  });

  it('reads no link, no bytes that are not UTF-8, and the beginning of a file too large to hold', async () => {
    const work = bench.inFolder(bench.root, 'clone', '--quiet', `${bench.root}/repos/acme/shop.git`, 'work');
    expect(work).toBe('');
    const { symlinkSync, writeFileSync } = await import('node:fs');
    symlinkSync('/etc/passwd', `${bench.root}/work/link.md`);
    writeFileSync(`${bench.root}/work/latin.md`, Buffer.from([0x61, 0xe9, 0x62]));
    writeFileSync(`${bench.root}/work/tail.md`, Buffer.from([0x61, 0xe9]));
    writeFileSync(`${bench.root}/work/large.md`, Buffer.alloc(70 * 1024 * 1024, 'verdict '));
    bench.inFolder(`${bench.root}/work`, 'add', '.');
    bench.inFolder(`${bench.root}/work`, 'commit', '--quiet', '-m', 'x');
    bench.bare('fetch', '--quiet', `${bench.root}/work`, '+HEAD:refs/heads/odd');
    const sha = await bench.git.head(slug, 'odd');
    if (sha === null) throw new Error('no odd');
    for (const path of ['link.md', 'latin.md', 'tail.md'])
      expect(await bench.git.readFile(slug, sha, path, 100)).toBeNull();
    expect(await bench.git.readFile(slug, sha, 'large.md', 12)).toBe('verdict verd');
    expect((await bench.git.listTree(slug, sha, 'src')).map((entry) => entry.path)).toEqual(['src/a.txt']);
  });

  it('lists what is below a folder, by blob and size', async () => {
    const sha = await inBare({ [`${folder}/01-brd.md`]: 'abc', [`${folder}/06-adr/один.md`]: 'x' });
    const listed = await bench.git.listTree(slug, sha, folder);
    expect(listed.map(({ path, size, mode }) => [path, size, mode])).toEqual([
      [`${folder}/01-brd.md`, 3, '100644'],
      [`${folder}/06-adr/один.md`, 1, '100644'],
    ]);
    expect(listed[0]?.blob).toBe(bench.bare('rev-parse', `${sha}:${folder}/01-brd.md`));
    expect(await bench.git.listTree(slug, sha, 'docs/none')).toEqual([]);
  });
});

describe('history', () => {
  it('lists commits since the base, newest first, with whole messages', async () => {
    const first = await inBare({ 'x.md': '1' }, main, 'docs: начало\n\nOrch-Item: 7\n');
    const second = await inBare({ 'x.md': '2' }, first, 'second');
    const listed = await bench.git.commitsSince(slug, main, second);
    expect(listed.map((commit) => commit.sha)).toEqual([second, first]);
    expect(listed[1]?.message.trim()).toBe('docs: начало\n\nOrch-Item: 7');
    expect(await bench.git.commitsSince(slug, second, second)).toEqual([]);
    expect(await bench.git.isAncestor(slug, first, second)).toBe(true);
    expect(await bench.git.isAncestor(slug, second, first)).toBe(false);
  });

  it('finds a commit by a text that is no pattern, within the newest ones', async () => {
    const marked = await inBare({ 'x.md': '1' }, main, 'merge\n\nOrch-Merge: a.b[c]*');
    const later = await inBare({ 'x.md': '2' }, marked, 'later Orch-Merge: aXb[c]*');
    expect(await bench.git.findCommit(slug, later, 'Orch-Merge: a.b[c]*', 10)).toBe(marked);
    expect(await bench.git.findCommit(slug, later, 'Orch-Merge: a.b[c]*', 1)).toBeNull();
    expect(await bench.git.findCommit(slug, later, '--all', 10)).toBeNull();
  });

  it('tells whether a branch merges, with the paths that do not', async () => {
    const ours = await inBare({ 'src/a.txt': 'ours\n', 'имя.txt': 'a' });
    const theirs = await inBare({ 'src/a.txt': 'theirs\n', 'имя.txt': 'b' });
    const sibling = await inBare({ 'other.txt': 'x' });
    const { clean, conflicts } = await bench.git.mergeTree(slug, ours, theirs);
    expect([clean, conflicts.sort()]).toEqual([false, ['src/a.txt', 'имя.txt']]);
    expect(await bench.git.mergeTree(slug, ours, sibling)).toEqual({ clean: true, conflicts: [] });
  });

  it('calls histories that share nothing unmergeable', async () => {
    const tree = bench.bare('rev-parse', `${main}^{tree}`);
    const alone = parseCommitSha(bench.bare('commit-tree', tree, '-m', 'alone'));
    expect((await bench.git.mergeTree(slug, main, alone)).clean).toBe(false);
  });
});
