import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { CommitSha } from '../../src/core/model/index.ts';
import { gitBench, slug, type GitBench } from '../support/git-server.ts';
import { until } from '../support/until.ts';

const branch = 'feature/ET-012-totals';
const day = 24 * 3_600_000;
let bench: GitBench;
let start: CommitSha;
beforeEach(async () => {
  bench = await gitBench();
  start = await bench.push(branch, { 'docs/work-items/ET-012/00-business-request.md': '# Totals\n' });
});
afterEach(() => bench.stop());

async function work(n: number, base: CommitSha): Promise<CommitSha> {
  await bench.workspaces.prepare(slug, branch, 'main');
  const folder = bench.workspaces.pathOf(slug, branch);
  mkdirSync(path.join(folder, 'src'), { recursive: true });
  writeFileSync(path.join(folder, 'src', `${n}.txt`), `work of run ${n}\n`);
  const request = { repo: slug, branch, base, baseBranch: 'main', allowed: () => true, message: `feat: run ${n}` };
  return (await bench.workspaces.commit({ ...request, patchFile: path.join(bench.root, 'run', 'out.patch') })).sha;
}

async function publish(n: number, base: CommitSha): Promise<CommitSha> {
  const sha = await work(n, base);
  expect(await bench.git.push(slug, sha, branch, base)).toBe('ok');
  return sha;
}

const refs = (): string[] =>
  bench.bare('for-each-ref', '--format=%(refname)', 'refs/orch/').split('\n').filter(Boolean);
const loose = (): number => Number(/count: (\d+)/.exec(bench.bare('count-objects', '-v'))?.[1]);
const whole = (): void => void bench.bare('fsck', '--full', '--strict', '--no-dangling');
const crowd = (): void => {
  const folder = path.join(bench.root, 'repos', `${slug}.git`, 'refs', 'orch');
  mkdirSync(folder, { recursive: true });
  for (let n = 0; n < 250; n++) writeFileSync(path.join(folder, String(n).padStart(64, '0')), `${start}\n`);
};

describe('packing a bare copy', () => {
  it('keeps what is needed or unpushed, drops what is on the server, and leaves few files', async () => {
    let head = start;
    for (let n = 1; n <= 5; n++) head = await publish(n, head);
    const unpushed = await work(6, head);
    const before = loose();
    expect(await bench.git.pack(slug, await bench.workspaces.commits(slug), Date.now())).toBeGreaterThan(4);
    whole();
    expect(loose()).toBeLessThan(before / 4);
    // The commit that the workspace began from, pushed and pinned; the one that never got to the server.
    expect(refs().filter((ref) => ref.startsWith('refs/orch/pushed/'))).toEqual([`refs/orch/pushed/${head}`]);
    expect(await bench.workspaces.unpushed(slug, branch)).toBe(true);
    expect(await bench.git.push(slug, unpushed, branch, head)).toBe('ok');
    expect(bench.serverHead(branch)).toBe(unpushed);
    expect(await bench.workspaces.unpushed(slug, branch)).toBe(false);
  });

  it('keeps needed commits that no branch has any more, whatever git prunes, and lets them go when they are not', async () => {
    const first = await publish(1, start);
    // Somebody rewrites the branch: nothing but orch's own refs holds the first commit then.
    bench.bare('update-ref', `refs/heads/${branch}`, start);
    bench.bare('update-ref', '-d', `refs/orch/pushed/${first}`);
    await bench.git.pack(slug, [first], Date.now());
    bench.bare('gc', '--quiet', '--prune=now');
    expect(await bench.git.has(slug, first)).toBe(true);
    expect(refs()).toContain(`refs/orch/needed/${first}`);
    // Unpushed as far as anybody knows: only a word of the server lets it go.
    await bench.git.pack(slug, [], Date.now());
    bench.bare('gc', '--quiet', '--prune=now');
    expect(await bench.git.has(slug, first)).toBe(true);
    bench.bare('update-ref', `refs/orch/pushed/${first}`, first);
    await bench.git.pack(slug, [], Date.now() + day);
    expect(refs()).toEqual([]);
    bench.bare('gc', '--quiet', '--prune=now');
    expect(await bench.git.has(slug, first)).toBe(false);
  });

  it('is due when much has gathered, once a day', async () => {
    await bench.fetch();
    const now = Date.now();
    expect(await bench.git.crowded(slug, now)).toBe(false);
    crowd();
    expect(await bench.git.crowded(slug, now)).toBe(true);
    await bench.git.pack(slug, [], now);
    crowd();
    expect(await bench.git.crowded(slug, now + day - 1)).toBe(false);
    expect(await bench.git.crowded(slug, now + day)).toBe(true);
  });

  it('loses nothing when it is killed, or when two do it during a run', async () => {
    let head = start;
    for (let n = 1; n <= 3; n++) head = await publish(n, head);
    const copy = path.join(bench.root, 'repos', `${slug}.git`);
    const killed = spawn('git', ['--git-dir', copy, 'repack', '-a', '-d', '-q', '--threads=1'], { stdio: 'ignore' });
    await until(
      'the packing',
      () => readdirSync(path.join(copy, 'objects', 'pack')).length > 0 || killed.exitCode !== null,
    );
    killed.kill('SIGKILL');
    const needed = await bench.workspaces.commits(slug);
    const both = [bench.git.pack(slug, needed, Date.now()), bench.gitAs({}).pack(slug, needed, Date.now())];
    const [, , made] = await Promise.all([...both.map((one) => one.catch(() => -1)), work(4, head)]);
    whole();
    expect(await bench.git.push(slug, made as CommitSha, branch, head)).toBe('ok');
    expect(existsSync(path.join(copy, 'gc.pid'))).toBe(false);
  });
});
