import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { CommitSha, Published } from '../../src/core/model/index.ts';
import { gitBench, slug, type GitBench } from '../support/git-server.ts';

const branch = 'feature/ET-012-totals';
const message = 'feat(ET-012): разработчик, run 47\n\nOrch-Run: 47\n';
let bench: GitBench;
let base: CommitSha;
let ws: string;
beforeEach(async () => {
  bench = await gitBench();
  await bench.push(branch, { 'docs/work-items/ET-012/00-business-request.md': '# Totals\n', 'src/b.txt': 'b\n' });
  const made = await bench.workspaces.prepare(slug, branch, 'main');
  base = made.head;
  ws = made.path;
});
afterEach(() => bench.stop());

const patchFile = (): string => path.join(bench.root, 'run', 'out-of-scope.patch');
const put = (file: string | Buffer, content: string | Buffer): void => {
  const target = Buffer.concat([Buffer.from(`${ws}/`), Buffer.from(file)]);
  mkdirSync(path.dirname(target.toString('latin1')).replace(/[^\0-\x7f]/g, ''), { recursive: true });
  writeFileSync(target, content);
};
const commit = (allowed: (file: string) => boolean = () => true): Promise<Published> =>
  bench.workspaces.commit({ baseBranch: 'main', repo: slug, branch, base, allowed, message, patchFile: patchFile() });
const docsOnly = (file: string): boolean => file.startsWith('docs/');
/** `A path` lines of what the commit changed; octal escapes for odd bytes. */
const changed = (sha: string, since: string = base): string[] =>
  bench
    .bare('-c', 'core.quotePath=true', 'diff-tree', '-r', '--no-renames', '--name-status', since, sha)
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => line.replace('\t', ' '));

describe('what is published', () => {
  it('is one commit of the bot on the base, whatever the agent committed itself', async () => {
    put('src/one.txt', '1\n');
    bench.inFolder(ws, 'add', '.');
    bench.inFolder(ws, 'commit', '--quiet', '-m', 'mine');
    put('src/two.txt', '2\n');
    const made = await commit();
    expect(made).toMatchObject({ committed: true, outOfScope: [] });
    expect(bench.bare('log', '--format=%H %P|%an|%ae|%cn', `${base}..${made.sha}`)).toBe(
      `${made.sha} ${base}|orch bot|orch@example.org|orch bot`,
    );
    expect(bench.bare('log', '-1', '--format=%B', made.sha)).toBe(message.trim());
    expect(changed(made.sha)).toEqual(['A src/one.txt', 'A src/two.txt']);
  });

  it('is nothing when nothing changed, or when the agent only committed and took it back', async () => {
    expect(await commit()).toEqual({ sha: base, committed: false, outOfScope: [] });
    put('src/one.txt', '1\n');
    bench.inFolder(ws, 'add', '.');
    bench.inFolder(ws, 'commit', '--quiet', '-m', 'mine');
    bench.inFolder(ws, 'rm', '--quiet', 'src/one.txt');
    expect(await commit()).toEqual({ sha: base, committed: false, outOfScope: [] });
    expect(existsSync(patchFile())).toBe(false);
  });

  it('keeps modes, links, deletions, moves, odd names and binary content', async () => {
    put('run.sh', '#!/bin/sh\n');
    chmodSync(path.join(ws, 'run.sh'), 0o755);
    symlinkSync('/etc/passwd', path.join(ws, 'link'));
    rmSync(path.join(ws, 'README.md'));
    renameSync(path.join(ws, 'src/a.txt'), path.join(ws, 'src/moved.txt'));
    put('a "b"\n\tc.txt', 'odd\n');
    put('-n', 'option\n');
    put(':(glob)x', 'magic\n');
    put(Buffer.from([0x6c, 0xe9]), Buffer.from([0, 255, 10]));
    put('кот.txt', 'кот\n');
    rmSync(path.join(ws, 'src/b.txt'));
    put('src/b.txt/inner', 'x\n');
    const { sha } = await commit();
    expect(changed(sha).sort()).toEqual(
      [
        'A "-n"',
        'A "a \\"b\\"\\n\\tc.txt"',
        'A "l\\351"',
        'A "\\320\\272\\320\\276\\321\\202.txt"',
        'A ":(glob)x"',
        'A link',
        'A run.sh',
        'A src/b.txt/inner',
        'A src/moved.txt',
        'D README.md',
        'D src/a.txt',
        'D src/b.txt',
      ]
        .map((line) => (/^A "(-n|:\(glob\)x)"$/.test(line) ? line.replaceAll('"', '') : line))
        .sort(),
    );
    expect(bench.bare('ls-tree', sha, 'run.sh', 'link')).toMatch(/^120000 blob .*\tlink\n100755 blob .*\trun\.sh$/);
    expect(bench.bare('cat-file', 'blob', `${sha}:link`)).toBe('/etc/passwd');
  });

  it('leaves out what the branch ignores, orders, and repositories within', async () => {
    put('.gitignore', 'build/\n!.orch/\n!.git/\n');
    put('build/x.o', 'x');
    put('.orch/task.md', 'orders');
    put('.orch/result.json', '{}');
    mkdirSync(path.join(ws, 'sub'));
    bench.inFolder(path.join(ws, 'sub'), 'init', '--quiet');
    put('sub/x.txt', 'x');
    mkdirSync(path.join(ws, 'sub2'));
    bench.inFolder(path.join(ws, 'sub2'), 'init', '--quiet');
    bench.inFolder(path.join(ws, 'sub2'), 'commit', '--quiet', '--allow-empty', '-m', 'x');
    const made = await commit();
    expect(made.outOfScope).toEqual(['sub/', 'sub2/']);
    expect(changed(made.sha)).toEqual(['A .gitignore']);
    expect(existsSync(path.join(ws, 'build/x.o'))).toBe(true);
    expect(existsSync(path.join(ws, '.orch/task.md'))).toBe(true);
  });

  it('is found again by a second call, and made again when the work changed', async () => {
    put('src/one.txt', '1\n');
    const first = await commit();
    expect(await commit()).toEqual(first);
    put('src/one.txt', '2\n');
    const second = await commit();
    expect(second.sha).not.toBe(first.sha);
    expect(bench.bare('rev-parse', `${second.sha}^`)).toBe(base);
  });
});

describe('scope', () => {
  it('takes back what is outside and saves it as a patch that applies', async () => {
    put('docs/work-items/ET-012/01-brd.md', '# БТ\n');
    put('src/a.txt', 'hacked\n');
    put('src/new/deep.bin', Buffer.from([0, 1, 2, 255]));
    put('latin.txt', Buffer.from([0x63, 0xe9, 0x0a]));
    rmSync(path.join(ws, 'README.md'));
    chmodSync(path.join(ws, 'src/b.txt'), 0o755);
    symlinkSync('/etc', path.join(ws, 'etc'));
    const made = await commit(docsOnly);
    expect(made.outOfScope.sort()).toEqual(
      ['README.md', 'etc', 'latin.txt', 'src/a.txt', 'src/b.txt', 'src/new/deep.bin'].sort(),
    );
    expect(changed(made.sha)).toEqual(['A docs/work-items/ET-012/01-brd.md']);
    expect(readFileSync(path.join(ws, 'src/a.txt'), 'utf8')).toBe('one\ntwo\nthree\n');
    expect(existsSync(path.join(ws, 'src/new'))).toBe(false);
    expect(existsSync(path.join(ws, 'README.md'))).toBe(true);
    expect(statSync(path.join(ws, 'src/b.txt')).mode & 0o111).toBe(0);
    expect(lstatSync(path.join(ws, 'etc'), { throwIfNoEntry: false })).toBeUndefined();
    bench.inFolder(ws, 'apply', '--binary', patchFile());
    expect(readFileSync(path.join(ws, 'src/a.txt'), 'utf8')).toBe('hacked\n');
    expect([...readFileSync(path.join(ws, 'src/new/deep.bin'))]).toEqual([0, 1, 2, 255]);
    expect([...readFileSync(path.join(ws, 'latin.txt'))]).toEqual([0x63, 0xe9, 0x0a]);
  });

  it('names what it took back again when it is called a second time after a crash', async () => {
    put('docs/x.md', 'x\n');
    put('src/a.txt', 'hacked\n');
    put('src/c.txt', 'c\n');
    const first = await commit(docsOnly);
    const patch = readFileSync(patchFile());
    expect(await commit(docsOnly)).toEqual(first);
    expect(readFileSync(patchFile()).equals(patch)).toBe(true);
    expect(first.outOfScope).toEqual(['src/a.txt', 'src/c.txt']);
  });

  it('copes with more paths than fit on a command line, and with names that are not UTF-8', async () => {
    const long = 'x'.repeat(180);
    for (let i = 0; i < 1500; i++) put(`junk/${long}${i}/${long}`, `${i}\n`);
    put(Buffer.from([0x6c, 0xe9]), 'latin name\n');
    put('docs/x.md', 'x\n');
    const made = await commit(docsOnly);
    expect(made.outOfScope.length).toBe(1501);
    expect(changed(made.sha)).toEqual(['A docs/x.md']);
    expect(existsSync(path.join(ws, 'junk'))).toBe(false);
    expect(readFileSync(patchFile(), 'latin1').includes('+latin name')).toBe(true);
  });

  it('lets no allowed path drive out one that is not', async () => {
    rmSync(path.join(ws, 'src'), { recursive: true });
    put('src', 'now a file\n');
    const made = await commit((file) => file === 'src');
    expect(bench.bare('ls-tree', '-r', '--name-only', made.sha, 'src')).toBe('src/a.txt\nsrc/b.txt');
    expect(readFileSync(path.join(ws, 'src/a.txt'), 'utf8')).toBe('one\ntwo\nthree\n');
  });

  it('lets nobody write through a link that an agent put in the place of a folder', async () => {
    const outside = path.join(bench.root, 'outside');
    mkdirSync(outside);
    writeFileSync(path.join(outside, 'a.txt'), 'precious\n');
    rmSync(path.join(ws, 'src'), { recursive: true });
    symlinkSync(outside, path.join(ws, 'src'));
    put('docs/x.md', 'x\n');
    const made = await commit(docsOnly);
    expect(readFileSync(path.join(outside, 'a.txt'), 'utf8')).toBe('precious\n');
    expect(existsSync(path.join(outside, 'b.txt'))).toBe(false);
    expect(lstatSync(path.join(ws, 'src')).isDirectory()).toBe(true);
    expect(changed(made.sha)).toEqual(['A docs/x.md']);
  });
});

describe('a merged base', () => {
  const protectedPaths = (file: string): boolean => !file.startsWith('.claude/');

  it('stays merged: its head is a parent, and the branch merges cleanly then', async () => {
    const main = await bench.push('main', { 'src/a.txt': 'one\nMAIN\nthree\n', 'lib.txt': 'lib\n' });
    put('src/a.txt', 'one\nBRANCH\nthree\n');
    const first = await commit();
    await bench.git.push(slug, first.sha, branch, base);
    ({ head: base } = await bench.workspaces.prepare(slug, branch, 'main'));
    expect((await bench.git.mergeTree(slug, main, base)).clean).toBe(false);
    expect(() => bench.inFolder(ws, 'merge', 'origin/main')).toThrow();
    put('src/a.txt', 'one\nMAIN and BRANCH\nthree\n');
    bench.inFolder(ws, 'commit', '--quiet', '-a', '-m', 'merge');
    const made = await commit(protectedPaths);
    expect(bench.bare('log', '-1', '--format=%P', made.sha)).toBe(`${base} ${main}`);
    expect((await bench.git.mergeTree(slug, main, made.sha)).clean).toBe(true);
    expect(await bench.git.push(slug, made.sha, branch, base)).toBe('ok');
  });

  it('brings protected files of the base along and takes none of them back', async () => {
    const main = await bench.push('main', { '.claude/rules.md': 'be better\n', 'lib.txt': 'lib\n' });
    await bench.workspaces.prepare(slug, branch, 'main');
    bench.inFolder(ws, 'merge', '--quiet', 'origin/main');
    put('.claude/mine.md', 'obey me\n');
    put('src/new.txt', 'x\n');
    const made = await commit(protectedPaths);
    expect(made.outOfScope).toEqual(['.claude/mine.md']);
    expect(bench.bare('log', '-1', '--format=%P', made.sha)).toBe(`${base} ${main}`);
    expect(changed(made.sha)).toEqual(['M .claude/rules.md', 'A lib.txt', 'A src/new.txt']);
    expect(readFileSync(path.join(ws, '.claude/rules.md'), 'utf8')).toBe('be better\n');
  });

  it('is not lost when the run that merged it failed and another one goes on', async () => {
    const main = await bench.push('main', { 'lib.txt': 'lib\n' });
    await bench.workspaces.prepare(slug, branch, 'main');
    bench.inFolder(ws, 'merge', '--quiet', '--no-ff', 'origin/main');
    put('src/new.txt', 'x\n');
    expect(await bench.workspaces.prepare(slug, branch, 'main')).toMatchObject({ state: 'dirty', head: base });
    const made = await commit();
    expect(bench.bare('log', '-1', '--format=%P', made.sha)).toBe(`${base} ${main}`);
  });

  it('counts for a rebased branch too', async () => {
    const main = await bench.push('main', { 'lib.txt': 'lib\n' });
    await bench.workspaces.prepare(slug, branch, 'main');
    bench.inFolder(ws, 'rebase', '--quiet', 'origin/main');
    put('src/new.txt', 'x\n');
    const made = await commit();
    expect(bench.bare('log', '-1', '--format=%P', made.sha)).toBe(`${base} ${main}`);
    expect(changed(made.sha)).toEqual(['A lib.txt', 'A src/new.txt']);
  });

  it('is no merge when the role may not settle what conflicts', async () => {
    await bench.push('main', { 'src/a.txt': 'one\nMAIN\nthree\n' });
    put('src/a.txt', 'one\nBRANCH\nthree\n');
    const first = await commit();
    await bench.git.push(slug, first.sha, branch, base);
    ({ head: base } = await bench.workspaces.prepare(slug, branch, 'main'));
    expect(() => bench.inFolder(ws, 'merge', 'origin/main')).toThrow();
    put('src/a.txt', 'mine\n');
    bench.inFolder(ws, 'commit', '--quiet', '-a', '-m', 'merge');
    put('docs/x.md', 'x\n');
    const made = await commit(docsOnly);
    expect(bench.bare('log', '-1', '--format=%P', made.sha)).toBe(base);
    expect(changed(made.sha)).toEqual(['A docs/x.md']);
    expect(made.outOfScope).toEqual(['src/a.txt']);
  });

  it('does not publish another commit of the server that was left checked out', async () => {
    put('src/new.txt', 'x\n');
    bench.inFolder(ws, 'checkout', '--quiet', '--detach', 'origin/main');
    await expect(commit()).rejects.toMatchObject({ code: 'workspace_diverged', retry: 'never' });
    expect(existsSync(path.join(ws, 'src/new.txt'))).toBe(true);
    bench.inFolder(ws, 'checkout', '--quiet', branch);
    bench.inFolder(ws, 'checkout', '--quiet', '-b', 'my-own-idea');
    expect(changed((await commit()).sha)).toEqual(['A src/new.txt']);
  });
});
