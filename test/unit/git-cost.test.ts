import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { CommitSha, Published } from '../../src/core/model/index.ts';
import { gitBench, slug, type GitBench } from '../support/git-server.ts';

// A workspace costs what changed in it: files are told apart by size, times and inode in an index that no agent can write,
// and few processes are started. What an agent can fake must not fool it.

const branch = 'feature/ET-012-totals';
let bench: GitBench;
let ws: string;
let base: CommitSha;
beforeEach(async () => {
  bench = await gitBench();
  await bench.push(branch, { 'src/a.txt': 'one\n', 'src/b.txt': 'two\n', 'docs/c.md': 'three\n' });
  const made = await bench.workspaces.prepare(slug, branch, 'main');
  base = made.head;
  ws = made.path;
});
afterEach(() => bench.stop());

const commit = (): Promise<Published> => bench.commit({ branch, base });
const changed = (sha: CommitSha): string => bench.bare('diff-tree', '-r', '--name-only', base, sha);
const indexFile = (): string => path.join(path.dirname(ws), `.${path.basename(ws)}.index`);

it('sees a change behind the same size, times and name', async () => {
  const file = path.join(ws, 'src/a.txt');
  const { atime, mtime } = statSync(file);
  writeFileSync(file, 'ONE\n');
  utimesSync(file, atime, mtime);
  expect(await bench.workspaces.unpushed(slug, branch)).toBe(true);
  const published = await commit();
  expect(changed(published.sha)).toBe('src/a.txt');
  expect(bench.bare('show', `${published.sha}:src/a.txt`)).toBe('ONE');
});

it('sees a change in the moment after the checkout, and one whose index an agent wrote', async () => {
  writeFileSync(path.join(ws, 'src/b.txt'), 'TWO\n');
  // The agent's own index says that nothing changed.
  execFileSync('git', ['-C', ws, 'update-index', '--assume-unchanged', 'src/b.txt']);
  execFileSync('git', ['-C', ws, 'update-index', '--skip-worktree', 'docs/c.md']);
  writeFileSync(path.join(ws, 'docs/c.md'), 'THREE\n');
  expect(changed((await commit()).sha).split('\n')).toEqual(['docs/c.md', 'src/b.txt']);
});

it('reads every file when its index is damaged or gone', async () => {
  for (const bytes of [Buffer.from('DIRC'), Buffer.alloc(300), readFileSync(indexFile()).subarray(0, 60)]) {
    writeFileSync(indexFile(), bytes);
    expect(await bench.workspaces.unpushed(slug, branch)).toBe(false);
    expect((await commit()).committed).toBe(false);
    expect((await bench.workspaces.prepare(slug, branch, 'main')).state).toBe('clean');
  }
});

it('leaves files alone that the next checkout does not change, and takes back every other change', async () => {
  const kept = path.join(ws, 'src/a.txt');
  const before = statSync(kept).ctimeMs;
  await bench.push(branch, { 'src/b.txt': 'newer\n' });
  await bench.workspaces.prepare(slug, branch, 'main');
  expect(readFileSync(path.join(ws, 'src/b.txt'), 'utf8')).toBe('newer\n');
  expect(statSync(kept).ctimeMs).toBe(before);
});

it('starts few processes', async () => {
  const bin = path.join(bench.root, 'bin');
  const log = path.join(bench.root, 'git.log');
  const git = execFileSync('sh', ['-c', 'command -v git'], { encoding: 'utf8' }).trim();
  mkdirSync(bin);
  writeFileSync(path.join(bin, 'git'), `#!/bin/sh\necho "$@" >> ${log}\nexec ${git} "$@"\n`, { mode: 0o755 });
  const PATH = process.env['PATH'] ?? '';
  process.env['PATH'] = `${bin}:${PATH}`;
  try {
    await bench.workspaces.prepare(slug, branch, 'main');
    writeFileSync(path.join(ws, 'src/a.txt'), 'changed\n');
    const { sha } = await commit();
    expect(await bench.git.push(slug, sha, branch, base)).toBe('ok');
    await bench.fetch();
    await bench.git.codeTree(slug, sha, 'docs/work-items/ET-012');
    await bench.git.listTree(slug, sha, 'docs');
    await bench.git.readFile(slug, sha, 'docs/c.md', 1000);
  } finally {
    process.env['PATH'] = PATH;
  }
  const calls = readFileSync(log, 'utf8')
    .split('\n')
    .filter((line) => line.includes('--git-dir') || line.startsWith('-C'));
  expect(calls.length, calls.join('\n')).toBeLessThanOrEqual(20);
});
