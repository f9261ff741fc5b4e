import {
  appendFileSync,
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { CommitSha, Published } from '../../src/core/model/index.ts';
import { gitBench, slug, type GitBench } from '../support/git-server.ts';

const branch = 'feature/ET-012-totals';
let bench: GitBench;
let base: CommitSha;
let ws: string;
let trap: string;
beforeEach(async () => {
  bench = await gitBench();
  await bench.push(branch, { 'docs/x.md': 'x\n' });
  const made = await bench.workspaces.prepare(slug, branch, 'main');
  [base, ws] = [made.head, made.path];
  trap = path.join(bench.root, 'sprung');
});
afterEach(() => bench.stop());

const commit = (): Promise<Published> =>
  bench.commit({ branch, base, allowed: (file) => !file.startsWith('.claude/') });

/** Everything that is done with a workspace after an agent had it, who plants again whenever it could have. */
async function wholeRound(plant: () => void): Promise<CommitSha> {
  plant();
  await bench.workspaces.unpushed(slug, branch);
  const { sha } = await commit();
  await bench.workspaces.exportCommit(slug, branch, sha);
  expect(await bench.git.push(slug, sha, branch, base)).toBe('ok');
  await bench.workspaces.unpushed(slug, branch);
  expect(await bench.workspaces.prepare(slug, branch, 'main')).toMatchObject({ head: sha, state: 'clean' });
  plant();
  writeFileSync(path.join(ws, 'src/kept.txt'), 'kept\n');
  expect(await bench.workspaces.prepare(slug, branch, 'main')).toMatchObject({ head: sha, state: 'dirty' });
  base = sha;
  const again = await commit();
  expect(await bench.git.push(slug, again.sha, branch, base)).toBe('ok');
  await bench.workspaces.prepare(slug, branch, 'main');
  return again.sha;
}

/** A program that leaves a trace when it is run, whatever its arguments. */
function program(): string {
  const file = path.join(bench.root, 'evil.sh');
  writeFileSync(file, `#!/bin/sh\necho "$0 $*" >> '${trap}'\ncat\n`);
  chmodSync(file, 0o755);
  return file;
}

describe('an agent that owns its .git', () => {
  it('has no program run by configuration, hooks, filters or attributes, and no address rewritten', async () => {
    const evil = program();
    const settings = [
      ['core.fsmonitor', evil],
      ['core.sshCommand', evil],
      ['core.pager', evil],
      ['core.editor', evil],
      ['core.hooksPath', path.join(ws, 'hooks')],
      ['core.alternateRefsCommand', evil],
      ['diff.external', evil],
      ['diff.evil.textconv', evil],
      ['diff.evil.command', evil],
      ['filter.evil.clean', evil],
      ['filter.evil.smudge', evil],
      ['filter.evil.process', evil],
      ['filter.evil.required', 'true'],
      ['merge.evil.driver', evil],
      ['credential.helper', evil],
      ['gpg.program', evil],
      ['commit.gpgSign', 'true'],
      ['alias.add', `!${evil}`],
      ['alias.commit-tree', `!${evil}`],
      ['uploadpack.packObjectsHook', evil],
      [`url.http://127.0.0.1:1/.insteadOf`, `${bench.server.url}/`],
      [`url.http://127.0.0.1:1/.pushInsteadOf`, `${bench.server.url}/`],
      ['remote.origin.url', 'http://127.0.0.1:1/'],
    ] as const;
    const hooks = [
      'pre-commit',
      'post-checkout',
      'post-index-change',
      'reference-transaction',
      'pre-push',
      'post-merge',
    ];
    const sha = await wholeRound(() => {
      // Written by hand: git itself would run the first of them while the next is set.
      const lines = settings.map(([key, value]) => {
        const [section, name] = [key.slice(0, key.indexOf('.')), key.slice(key.lastIndexOf('.') + 1)];
        const sub = key.slice(section.length + 1, -name.length - 1);
        return `[${section}${sub === '' ? '' : ` "${sub}"`}]\n\t${name} = "${value}"\n`;
      });
      appendFileSync(path.join(ws, '.git/config'), lines.join(''));
      for (const folder of [path.join(ws, 'hooks'), path.join(ws, '.git/hooks')]) {
        mkdirSync(folder, { recursive: true });
        for (const name of hooks) if (!existsSync(path.join(folder, name))) symlinkSync(evil, path.join(folder, name));
      }
      writeFileSync(path.join(ws, '.gitattributes'), '* diff=evil merge=evil\n*.evil filter=evil\n');
      mkdirSync(path.join(ws, '.git/info'), { recursive: true });
      writeFileSync(path.join(ws, '.git/info/attributes'), '* filter=evil diff=evil\n');
      writeFileSync(path.join(ws, 'src/new.txt'), 'new\n');
      writeFileSync(path.join(ws, 'src/new.evil'), 'new\n');
      mkdirSync(path.join(ws, '.claude'), { recursive: true });
      writeFileSync(path.join(ws, '.claude/x'), 'out of scope\n');
    });
    expect(existsSync(trap)).toBe(false);
    expect(bench.serverHead(branch)).toBe(sha);
    expect(bench.bare('cat-file', 'blob', `${sha}:src/new.txt`)).toBe('new');
    expect(bench.bare('ls-tree', '--name-only', sha, 'src/')).not.toContain('new.evil');
    expect(() => bench.inFolder(ws, 'config', 'core.fsmonitor')).toThrow();
  });

  it('has no program run when objects are missing that a remote of its own promises', async () => {
    const evil = program();
    const plant = (): void => {
      rmSync(path.join(ws, '.git/config'));
      bench.inFolder(ws, 'commit', '--quiet', '--allow-empty', '-m', 'one');
      const gone = bench.inFolder(ws, 'rev-parse', 'HEAD');
      bench.inFolder(ws, 'commit', '--quiet', '--allow-empty', '-m', 'two');
      rmSync(path.join(ws, '.git/objects', gone.slice(0, 2), gone.slice(2)));
      const remote = `\turl = ${bench.root}\n\tpromisor = true\n\tuploadpack = ${evil}\n`;
      writeFileSync(
        path.join(ws, '.git/config'),
        `[core]\n\trepositoryformatversion = 1\n[extensions]\n\tpartialClone = origin\n[remote "origin"]\n${remote}`,
      );
      writeFileSync(path.join(ws, 'src/new.txt'), 'new\n');
    };
    await wholeRound(plant);
    expect(existsSync(trap)).toBe(false);
  });

  it('has no program run by a repository within, in the place of a submodule', async () => {
    const evil = program();
    const head = bench.bare('rev-parse', base);
    bench.inFolder(ws, 'update-index', '--add', '--cacheinfo', `160000,${head},sub`);
    bench.inFolder(ws, 'commit', '--quiet', '-m', 'submodule');
    bench.bare('fetch', '--quiet', ws, `+HEAD:refs/heads/${branch}`);
    const server = path.join(bench.root, 'server', `${slug}.git`);
    bench.inFolder(server, 'fetch', '--quiet', ws, `+HEAD:refs/heads/${branch}`);
    const [shop, owner] = [bench.server.state.repos[0], bench.server.state.users[0]];
    if (shop === undefined || owner === undefined) throw new Error('no repository');
    const moved = bench.inFolder(ws, 'rev-parse', 'HEAD');
    shop.heads.set(branch, moved);
    ({ head: base } = await bench.workspaces.prepare(slug, branch, 'main'));
    expect(base).toBe(moved);
    const plant = (): void => {
      for (const name of ['sub', 'other']) {
        const inner = path.join(ws, name);
        if (existsSync(path.join(inner, '.git'))) continue;
        mkdirSync(inner, { recursive: true });
        bench.inFolder(inner, 'init', '--quiet');
        bench.inFolder(inner, 'commit', '--quiet', '--allow-empty', '-m', 'x');
        bench.inFolder(inner, 'config', 'core.fsmonitor', evil);
        writeFileSync(path.join(inner, 'x.txt'), 'x\n');
      }
      writeFileSync(path.join(ws, 'src/new.txt'), 'new\n');
    };
    const sha = await wholeRound(plant);
    expect(existsSync(trap)).toBe(false);
    expect(bench.bare('diff-tree', '-r', '--name-status', moved, sha)).toBe('A\tsrc/kept.txt\nA\tsrc/new.txt');
  });

  it.each(['a file', 'a link', 'a link within', 'alternates', 'a common folder', 'rubbish'])(
    'makes orch write nothing elsewhere by %s in place of it',
    async (how) => {
      const outside = path.join(bench.root, 'outside');
      const gitFolder = path.join(ws, '.git');
      bench.inFolder(bench.root, 'init', '--quiet', 'outside');
      bench.inFolder(outside, 'config', 'core.fsmonitor', program());
      const before = readdirSync(outside, { recursive: true }).sort();
      const plant = (): void => {
        if (how === 'a file' || how === 'a link' || how === 'rubbish') rmSync(gitFolder, { recursive: true });
        if (how === 'a file') writeFileSync(gitFolder, `gitdir: ${outside}/.git\n`);
        if (how === 'a link') symlinkSync(path.join(outside, '.git'), gitFolder);
        if (how === 'rubbish') mkdirSync(path.join(gitFolder, 'HEAD'), { recursive: true });
        if (how === 'a link within') {
          rmSync(path.join(gitFolder, 'refs'), { recursive: true });
          symlinkSync(path.join(outside, '.git', 'refs'), path.join(gitFolder, 'refs'));
        }
        if (how === 'alternates')
          writeFileSync(path.join(gitFolder, 'objects/info/alternates'), `${outside}/.git/objects\n`);
        if (how === 'a common folder') writeFileSync(path.join(gitFolder, 'commondir'), `${outside}/.git\n`);
        writeFileSync(path.join(ws, 'src/new.txt'), 'new\n');
      };
      await wholeRound(plant);
      expect(existsSync(trap)).toBe(false);
      expect(readdirSync(outside, { recursive: true }).sort()).toEqual(before);
      expect(lstatSync(gitFolder).isDirectory()).toBe(true);
      expect(bench.inFolder(ws, 'status', '--porcelain')).toBe('');
      expect(readFileSync(path.join(gitFolder, 'HEAD'), 'utf8')).toBe(`ref: refs/heads/${branch}\n`);
    },
  );

  it('cannot hold orch up with pipes', async () => {
    const { execFileSync } = await import('node:child_process');
    rmSync(path.join(ws, '.git/HEAD'));
    rmSync(path.join(ws, 'README.md'));
    for (const pipe of ['.git/HEAD', '.git/MERGE_HEAD', 'README.md', 'src/pipe'])
      execFileSync('mkfifo', [path.join(ws, pipe)]);
    writeFileSync(path.join(ws, 'src/new.txt'), 'new\n');
    const { sha } = await commit();
    expect(bench.bare('diff-tree', '-r', '--name-status', base, sha)).toBe('D\tREADME.md\nA\tsrc/new.txt');
  });
});

it('asks nobody about a bare copy that belongs to somebody else’s account', async () => {
  if (process.getuid?.() !== 0) return;
  const { execFileSync } = await import('node:child_process');
  execFileSync('chown', ['-R', '12345', path.join(bench.root, 'repos'), path.join(bench.root, 'workspaces')]);
  await wholeRound(() => writeFileSync(path.join(ws, 'src/new.txt'), 'new\n'));
});
