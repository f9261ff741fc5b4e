import { randomUUID } from 'node:crypto';
import { copyFile, rm, stat, utimes } from 'node:fs/promises';
import path from 'node:path';
import type { RepoSlug } from '../model/index.ts';
import { makerTag } from '../platform/processes.ts';
import type { Bare } from './bare.ts';

/** Names the index of a call. */
export type IndexEnv = Record<string, string> & { GIT_INDEX_FILE: string };

/**
 * Gives `work` an index of its own in the bare copy, by environment, and takes it away afterwards.
 * @param from the index to begin with, where it exists
 */
export async function withIndex<T>(
  bare: Bare,
  repo: RepoSlug,
  work: (env: IndexEnv) => Promise<T>,
  from: string | null = null,
): Promise<T> {
  const file = path.join(await bare.ensure(repo), `orch-index-${makerTag()}-${randomUUID()}`);
  try {
    if (from !== null) await copyIndex(from, file);
    return await work({ GIT_INDEX_FILE: file });
  } finally {
    await rm(file, { force: true });
    await rm(`${file}.lock`, { force: true });
  }
}

/** Takes paths (Latin-1 bytes) out of such an index. */
export async function removeFromIndex(bare: Bare, repo: RepoSlug, env: IndexEnv, paths: string[]): Promise<void> {
  if (paths.length === 0) return;
  const lines = paths.map((path) => `0 ${'0'.repeat(40)}\t${path}\0`).join('');
  await bare.run(repo, ['update-index', '-z', '--index-info'], { env, input: Buffer.from(lines, 'latin1') });
}

/**
 * Copies an index, when there is one, with its time: git looks into a file that changed at or after the moment its index was
 * written.
 */
export async function copyIndex(from: string, to: string): Promise<void> {
  await rm(to, { force: true });
  const found = await stat(from).catch(() => null);
  if (found === null) return;
  await copyFile(from, to);
  await utimes(to, found.atime, found.mtime);
}
