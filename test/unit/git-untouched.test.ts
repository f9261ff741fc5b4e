import { createHash } from 'node:crypto';
import { chmodSync, linkSync, mkdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { CommitSha, Published } from '../../src/core/model/index.ts';
import { gitBench, slug, type GitBench } from '../support/git-server.ts';

const branch = 'feature/ET-012-totals';
const lfs = (content: string): string =>
  `version https://git-lfs.github.com/spec/v1\noid sha256:${createHash('sha256').update(content).digest('hex')}\nsize ${content.length}\n`;
/** Blobs and attributes that disagree, as pushes from elsewhere leave them. */
const odd = {
  '.gitattributes':
    '*.sh text eol=lf\n*.txt text\n*.bat text eol=crlf\n*.id ident\n*.png filter=lfs diff=lfs merge=lfs -text\n*.key filter=git-crypt\n',
  'run.sh': '#!/bin/sh\r\necho windows\r\n',
  'mixed.txt': 'one\r\ntwo\n',
  'mixed.bat': 'one\r\ntwo\n',
  'version.id': '// $Id: 0123456789012345678901234567890123456789 $\n',
  'logo.png': lfs('the logo'),
  'secret.key': '\0GITCRYPT\0encrypted',
};

let bench: GitBench;
let base: CommitSha;
let ws: string;
beforeEach(async () => {
  bench = await gitBench();
  base = await bench.push(branch, odd);
  ws = (await bench.workspaces.prepare(slug, branch, 'main')).path;
});
afterEach(() => bench.stop());

const put = (file: string, content: string): void => {
  mkdirSync(path.dirname(path.join(ws, file)), { recursive: true });
  writeFileSync(path.join(ws, file), content);
};
const commit = (): Promise<Published> => bench.commit({ branch, base });
const changed = (sha: string): string[] =>
  bench
    .bare('diff-tree', '-r', '--no-renames', '--name-status', base, sha)
    .split('\n')
    .filter((line) => line !== '');
const blob = (sha: string, file: string): string =>
  bench.inFolder(ws, '--git-dir', path.join(bench.root, 'repos', `${slug}.git`), 'cat-file', 'blob', `${sha}:${file}`);

describe('what nobody touched is no work', () => {
  it('in a fresh workspace, whatever git would convert', async () => {
    expect(await bench.workspaces.unpushed(slug, branch)).toBe(false);
    expect(await commit()).toEqual({ sha: base, committed: false, outOfScope: [] });
    // Somebody pushes between two stages: a workspace that looked dirty would be "diverged".
    const next = await bench.push(branch, { 'other.txt': 'x\n' });
    expect(await bench.workspaces.prepare(slug, branch, 'main')).toMatchObject({ head: next, state: 'clean' });
  });

  it('next to real work, also in files of the same kind', async () => {
    put('run.sh', '#!/bin/sh\necho unix\n');
    put('new.txt', 'a\r\nb\r\n');
    put('new.sh', 'x\n');
    const { sha } = await commit();
    expect(changed(sha)).toEqual(['A\tnew.sh', 'A\tnew.txt', 'M\trun.sh']);
    // What was written is converted as the branch wants it.
    expect(blob(sha, 'new.txt')).toBe('a\nb');
  });

  it('when the bytes are as before but the mode is not', async () => {
    chmodSync(path.join(ws, 'run.sh'), 0o755);
    const { sha } = await commit();
    expect(bench.bare('ls-tree', sha, 'run.sh')).toContain('100755');
    expect(bench.bare('rev-parse', `${sha}:run.sh`)).toBe(bench.bare('rev-parse', `${base}:run.sh`));
  });
});

describe('files of a filter', () => {
  it('stay pointers when their content was fetched, and when they are copied', async () => {
    put('logo.png', 'the logo');
    put('copy.png', lfs('the logo'));
    const made = await commit();
    expect(made.leftOut).toBeUndefined();
    expect(changed(made.sha)).toEqual(['A\tcopy.png']);
  });

  it.each([
    ['new.png', 'another picture'],
    ['logo.png', 'another logo'],
    ['new.key', 'in the clear'],
    ['secret.key', 'in the clear'],
  ])('%s is left out by name when it is new work, the rest is published', async (file, content) => {
    put(file, content);
    put('src/work.txt', 'work\n');
    const made = await commit();
    expect(changed(made.sha)).toEqual(['A\tsrc/work.txt']);
    expect(made.leftOut).toEqual([expect.stringMatching(new RegExp(`^${file}: its filter "(lfs|git-crypt)"`))]);
  });
});

describe('files that are too large', () => {
  it('are left out by name, each and in all, and never read', async () => {
    const sizes = {
      'core.1': 4_000_000_000_000,
      'a.bin': 900_000,
      'b.bin': 800_000,
      'c.bin': 700_000,
      'd.bin': 600_000,
    };
    for (const [name, size] of Object.entries(sizes)) {
      put(name, '');
      truncateSync(path.join(ws, name), size);
    }
    const made = await commit();
    expect(made.leftOut).toEqual([
      'a.bin: 1 MB, more than 3 MB in all',
      'core.1: 4000000 MB, more than the 1 MB of one file',
    ]);
    expect(changed(made.sha)).toEqual(['A\tb.bin', 'A\tc.bin', 'A\td.bin']);
    expect(await bench.git.push(slug, made.sha, branch, base)).toBe('ok');
    expect(await bench.workspaces.unpushed(slug, branch)).toBe(false);
  });

  it('do not count when the branch has them already', async () => {
    await bench.push(branch, { 'big.bin': 'x'.repeat(1_500_000) });
    base = (await bench.workspaces.prepare(slug, branch, 'main')).head;
    put('src/work.txt', 'work\n');
    expect(await commit()).toMatchObject({ committed: true, outOfScope: [] });
  });
});

describe('hard links', () => {
  it('to a file outside are left out, those made within are kept', async () => {
    const outside = path.join(bench.root, 'outside.txt');
    writeFileSync(outside, 'secret\n');
    linkSync(outside, path.join(ws, 'stolen.txt'));
    rmSync(path.join(ws, 'mixed.txt'));
    linkSync(outside, path.join(ws, 'mixed.txt'));
    linkSync(path.join(ws, 'README.md'), path.join(ws, 'twice.md'));
    const made = await commit();
    expect(changed(made.sha)).toEqual(['A\ttwice.md']);
    expect(made.leftOut).toEqual([
      expect.stringMatching(/^mixed\.txt: a hard link/),
      expect.stringMatching(/^stolen\.txt: a hard link/),
    ]);
    await bench.git.push(slug, made.sha, branch, base);
    await bench.workspaces.prepare(slug, branch, 'main');
    expect(readFileSync(outside, 'utf8')).toBe('secret\n');
    expect(readFileSync(path.join(ws, 'mixed.txt'), 'utf8')).toBe(odd['mixed.txt']);
  });

  it('are not named where the linked file is as the branch has it', async () => {
    linkSync(path.join(ws, 'run.sh'), path.join(bench.root, 'also.sh'));
    expect(await commit()).toEqual({ sha: base, committed: false, outOfScope: [] });
  });
});
