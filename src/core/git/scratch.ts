import { randomUUID } from 'node:crypto';
import { rm } from 'node:fs/promises';
import path from 'node:path';
import type { RepoSlug } from '../model/index.ts';
import type { Bare } from './bare.ts';

/** Gives `work` an index of its own in the bare copy, by environment, and takes it away afterwards. */
export async function withIndex<T>(
  bare: Bare,
  repo: RepoSlug,
  work: (env: Record<string, string>) => Promise<T>,
): Promise<T> {
  const file = path.join(await bare.ensure(repo), `orch-index-${randomUUID()}`);
  try {
    return await work({ GIT_INDEX_FILE: file });
  } finally {
    await rm(file, { force: true });
    await rm(`${file}.lock`, { force: true });
  }
}

/** Takes paths (Latin-1 bytes) out of such an index. */
export async function removeFromIndex(
  bare: Bare,
  repo: RepoSlug,
  env: Record<string, string>,
  paths: string[],
): Promise<void> {
  if (paths.length === 0) return;
  const lines = paths.map((path) => `0 ${'0'.repeat(40)}\t${path}\0`).join('');
  await bare.run(repo, ['update-index', '-z', '--index-info'], { env, input: Buffer.from(lines, 'latin1') });
}
