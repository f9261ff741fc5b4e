import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { createWorker } from '../../src/core/worker/worker.ts';
import { until } from '../support/until.ts';
import { workerWorld } from '../support/worker-world.ts';

/** Whether this user may mount file systems: there is no other way to a disk that is really full. */
const mounts = ((): boolean => {
  const folder = mkdtempSync(path.join(tmpdir(), 'orch-mount-'));
  const works = spawnSync('mount', ['-t', 'tmpfs', 'tmpfs', folder]).status === 0;
  if (works) spawnSync('umount', [folder]);
  rmSync(folder, { recursive: true });
  return works;
})();

/** Short: where git writes, which names no reason at times. Long (`npm run test:crash`): all of them. */
const long = process.env['ORCH_CRASH_LONG'] === '1';
const folders = { database: 'state', 'bare copies': 'repos', workspaces: 'workspaces', 'run folders': 'state/runs' };

function mount(root: string, name: string): void {
  const folder = path.join(root, name);
  mkdirSync(folder, { recursive: true });
  const how = ['-t', 'tmpfs', '-o', 'size=8m,nr_inodes=4000', 'tmpfs', folder];
  expect(spawnSync('mount', how).status).toBe(0);
}

/** Takes all that is left, in bytes or in files; answers the way back. */
function fill(folder: string, kind: 'space' | 'inodes'): () => void {
  const filler = path.join(folder, 'filler');
  mkdirSync(filler);
  for (let n = 0; ; n += 1) {
    const { bavail, bsize } = statfsSync(folder);
    if (kind === 'space' && bavail === 0) break;
    try {
      writeFileSync(
        path.join(filler, String(n)),
        Buffer.alloc(kind === 'space' ? Math.min(bavail * bsize, 1 << 20) : 0),
      );
    } catch {
      if (kind === 'inodes') break;
    }
  }
  return () => rmSync(filler, { recursive: true });
}

const cases = (['space', 'inodes'] as const).flatMap((kind) =>
  Object.entries(folders)
    .filter(([, name]) => long || !name.startsWith('state'))
    .map(([what, name]) => ({ what, name, kind })),
);

describe.skipIf(!mounts)('a disk that fills up while an agent works', () => {
  it.each(cases)(
    '$what, no $kind left: all goes on by itself when there is room',
    async ({ name, kind }) => {
      const world = await workerWorld('other', (root) => {
        for (const one of Object.values(folders)) mount(root, one);
      });
      const [started, go] = [world.path('started'), world.path('go')];
      world.agent(`touch ${started}; while [ ! -e ${go} ]; do sleep 0.05; done; echo new > new.txt`);
      const task = await world.addTask(12);
      const job = await world.addJob(task);
      const stop = new AbortController();
      const serving = createWorker(world.deps()).serve(stop.signal);
      try {
        await until('the agent', () => existsSync(started), 20_000);
        const free = fill(world.path(name), kind);
        writeFileSync(go, '');
        // Long enough for several tries of everything that follows.
        await new Promise((resolve) => setTimeout(resolve, 1500));
        free();
        await until('the end of the job', async () => (await world.job(job)).state === 'done', 30_000);
        // An agent that could not write its files has failed for no reason of its own.
        const interruptions = name === 'workspaces' ? 1 : 0;
        expect(await world.job(job)).toMatchObject({ attempts: 0, transient: 0, interruptions });
        expect((await world.finished(task))?.published).toMatchObject({ committed: true });
      } finally {
        stop.abort();
        await serving;
        await world.remove().catch(() => {});
        for (const one of Object.values(folders).reverse()) spawnSync('umount', ['--lazy', world.path(one)]);
        rmSync(world.root, { recursive: true, force: true });
      }
    },
    90_000,
  );
});
