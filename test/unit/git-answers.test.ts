import { chmodSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { coalesce } from '../../src/core/platform/coalesce.ts';
import type { CommitSha } from '../../src/core/model/index.ts';
import { gitBench, slug, type GitBench } from '../support/git-server.ts';
import { until } from '../support/until.ts';

const branch = 'feature/ET-012-totals';
let bench: GitBench;
let start: CommitSha;
beforeEach(async () => {
  bench = await gitBench();
  start = await bench.push(branch, { 'docs/x.md': 'x\n' });
});
afterEach(() => bench.stop());

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
      await bench.fetch();
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
          .fetch(slug, ['main'])
          .catch((e: unknown) => e);
        const said = `${String(error)} ${JSON.stringify(error)}`;
        expect(said).toContain('you sent');
        expect(said.includes(bench.token) || said.includes(basic) || said.includes('\u001b')).toBe(false);
      },
    );
  });

  it('says that a redirect is one', async () => {
    await servedBy(
      (_req, res) => res.writeHead(302, { location: `${bench.server.url}/acme/shop.git/info/refs` }).end(),
      async (url) => {
        await expect(bench.gitAs({ url }).fetch(slug, ['main'])).rejects.toMatchObject({ code: 'git_redirected' });
      },
    );
  });

  it('gives up on a server that says nothing while the heads are listed', async () => {
    await servedBy(
      () => {},
      async (url) => {
        await expect(bench.gitAs({ url, gitMs: 400 }).fetch(slug, ['main'])).rejects.toMatchObject({ retry: 'later' });
      },
    );
  });

  it('waits for a lock that another process holds for a moment', async () => {
    await bench.fetch();
    const sha = await bench.push('main', { 'y.md': 'y' });
    const lock = path.join(bench.root, 'repos', `${slug}.git`, 'refs', 'heads', 'main.lock');
    mkdirSync(path.dirname(lock), { recursive: true });
    writeFileSync(lock, '');
    const tries = (): number => bench.server.requests.filter((line) => line.includes('/info/refs')).length;
    const before = tries();
    const fetched = bench.fetch();
    await until('a second try', () => tries() >= before + 2);
    rmSync(lock);
    await fetched;
    expect(await bench.git.head(slug, 'main')).toBe(sha);
  });

  it('lets those who wait share the next turn, and nobody the one under way', async () => {
    const ends: (() => void)[] = [];
    const turn = coalesce(() => new Promise<void>((resolve) => ends.push(resolve)));
    const [first, second, third] = [turn('x'), turn('x'), turn('x')];
    expect(ends.length).toBe(1);
    ends[0]?.();
    await first;
    await until('the next turn', () => ends.length === 2);
    void turn('y');
    expect(ends.length).toBe(3);
    ends[1]?.();
    await Promise.all([second, third]);
    expect(ends.length).toBe(3);
  });

  it('asks for no objects when the server has nothing new', async () => {
    await bench.git.fetch(slug, ['main', branch]);
    const packs = (): number => bench.server.requests.filter((line) => line.includes('git-upload-pack')).length;
    const refs = (): string => bench.bare('for-each-ref', '--format=%(refname) %(objectname)');
    const [before, seen] = [packs(), refs()];
    await bench.git.fetch(slug, ['main', branch]);
    expect(packs() - before).toBeLessThanOrEqual(2);
    expect(refs()).toBe(seen);
  });
});
