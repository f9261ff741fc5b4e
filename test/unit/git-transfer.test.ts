import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { CommitSha } from '../../src/core/model/index.ts';
import { gitBench, slug, type GitBench } from '../support/git-server.ts';

// A transfer ends when nothing moves any more, not after a fixed time; and it brings what orch works on, not everybody's branches.

const branch = 'feature/ET-012-totals';
const foreign = 200;
const bytesPerMs = 1500;
let bench: GitBench;
beforeAll(async () => {
  bench = await gitBench();
  await bench.push(branch, { 'x.txt': 'x\n' });
});
afterAll(() => bench.stop());

const noise = (megabytes: number): string => randomBytes(megabytes * 1_000_000).toString('base64');

/** A way to the server that lets 1.5 MB through in a second in each direction, and stops after so many bytes. */
async function slowly<T>(stopAfter: number, use: (url: string) => Promise<T>): Promise<T> {
  const { port } = new URL(bench.server.url);
  const sockets = new Set<Socket>();
  const server: Server = createServer((near) => {
    const far = connect(Number(port), '127.0.0.1');
    pace(near, far);
    pace(far, near);
  });
  let passed = 0;
  function pace(from: Socket, to: Socket): void {
    sockets.add(from);
    from.on('error', () => to.destroy());
    from.on('close', () => to.end());
    const begun = performance.now();
    let sent = 0;
    from.on('data', (chunk: Buffer) => {
      from.pause();
      if (passed > stopAfter) return;
      passed += chunk.length;
      sent += chunk.length;
      to.write(chunk);
      setTimeout(() => from.resume(), sent / bytesPerMs - (performance.now() - begun));
    });
  }
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  try {
    return await use(`http://127.0.0.1:${address.port}`);
  } finally {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  }
}

describe('a transfer over a slow line', () => {
  it('lasts as long as bytes move, down and up', { timeout: 60_000 }, async () => {
    const start = await bench.push(branch, { 'a.txt': noise(13) });
    await longerThan(6000, (of) => of.fetch(slug, [branch]));
    expect(await bench.git.head(slug, branch)).toBe(start);
    const sha = await bench.git.commitFiles(slug, start, [{ path: 'b.txt', content: noise(14) }], 'b');
    // More than the sockets in between hold: what they have taken has moved, for curl.
    await longerThan(6000, async (of) => expect(await of.push(slug, sha, branch, start)).toBe('ok'));
  });

  it('ends when nothing moves any more', { timeout: 60_000 }, async () => {
    await bench.push('main', { 'c.txt': noise(3) });
    const error = await slowly(1_000_000, (url) =>
      bench
        .gitAs({ url, transferMs: 3000 })
        .fetch(slug, ['main'])
        .catch((thrown: unknown) => thrown),
    );
    expect(error).toMatchObject({ code: 'git_unreachable', retry: 'later' });
    expect(String(error)).toContain('too slow');
  });
});

async function longerThan(
  transferMs: number,
  use: (of: ReturnType<GitBench['gitAs']>) => Promise<void>,
): Promise<void> {
  const startedAt = performance.now();
  await slowly(Infinity, (url) => use(bench.gitAs({ url, transferMs })));
  expect(performance.now() - startedAt).toBeGreaterThan(transferMs);
}

it('fetches the branches it is asked for, and none of hundreds of others', async () => {
  const folder = `${bench.root}/server/${slug}.git`;
  const input = Array.from({ length: foreign }, (_, n) => {
    const text = `stranger ${n}\n`;
    const blob = `M 100644 inline s${n}.txt\ndata ${text.length}\n${text}`;
    return `commit refs/heads/strangers/${n}\ncommitter a <a@example.org> 1700000000 +0000\ndata 1\nx\nfrom refs/heads/main^0\n${blob}\n`;
  }).join('');
  execFileSync('git', ['--git-dir', folder, 'fast-import', '--quiet'], { input });
  const theirs = execFileSync('git', ['--git-dir', folder, 'rev-parse', 'strangers/7'], { encoding: 'utf8' }).trim();
  const next = await bench.push(branch, { 'd.txt': 'd\n' });
  await bench.git.fetch(slug, ['main', branch]);
  expect(await bench.git.head(slug, branch)).toBe(next);
  expect(bench.bare('for-each-ref', '--format=%(refname)', 'refs/heads/').split('\n')).toEqual([
    `refs/heads/${branch}`,
    'refs/heads/main',
  ]);
  expect(await bench.git.has(slug, theirs as CommitSha)).toBe(false);
  const { path: ws } = await bench.workspaces.prepare(slug, branch, 'main');
  expect(bench.inFolder(ws, 'branch', '--remotes', '--format=%(refname)').split('\n')).toEqual([
    `refs/remotes/origin/${branch}`,
    'refs/remotes/origin/main',
  ]);
});

it('believes a look of this round, and looks again when a branch that is here was not in it', async () => {
  const asked = (): number => bench.server.requests.filter((line) => line.startsWith('GET ')).length;
  const since = performance.now();
  await bench.git.fetch(slug, ['main', branch], since);
  const before = asked();
  await bench.git.fetch(slug, ['main', branch], since);
  expect(asked() - before).toBe(0);
  // Another process of orch makes a branch meanwhile.
  const head = (await bench.git.head(slug, branch)) as CommitSha;
  expect(await bench.gitAs({}).push(slug, head, 'feature/ET-013-new', null)).toBe('ok');
  await bench.git.fetch(slug, ['feature/ET-013-new'], since);
  expect(await bench.git.head(slug, 'feature/ET-013-new')).toBe(head);
  bench.git.outdated(slug);
  const again = asked();
  await bench.git.fetch(slug, ['main'], since);
  expect(asked() - again).toBe(1);
});
