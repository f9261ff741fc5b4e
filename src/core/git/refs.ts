import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import type { CommitSha } from '../model/index.ts';
import { isCommitSha } from '../model/index.ts';

// Refs of a bare copy, read from its files as git writes them: a look costs no process, and a name is taken as a whole. git
// itself looks further: it takes the branch `refs/heads/refs/heads/x`, which one mistyped push makes, for `refs/heads/x`.

/** The commit that a ref (its whole name) stands at; null when there is no such ref. */
export async function readRef(copy: string, ref: string): Promise<CommitSha | null> {
  // A ref that is being packed is in the packed file before its own file goes.
  const own = (await readFile(path.join(copy, ref), 'latin1').catch(() => '')).trim();
  if (isCommitSha(own)) return own;
  const line = (await packedRefs(copy)).find((text) => text.slice(41) === ref);
  const sha = line?.slice(0, 40) ?? '';
  return isCommitSha(sha) ? sha : null;
}

/** Whether there is any branch. */
export async function hasBranch(copy: string): Promise<boolean> {
  // In this order, as above.
  if (await hasFile(path.join(copy, 'refs', 'heads'))) return true;
  return (await packedRefs(copy)).some((line) => line.slice(41).startsWith('refs/heads/'));
}

async function hasFile(folder: string): Promise<boolean> {
  for (const entry of await readdir(folder, { withFileTypes: true }).catch(() => []))
    if (!entry.isDirectory() || (await hasFile(path.join(folder, entry.name)))) return true;
  return false;
}

async function packedRefs(copy: string): Promise<string[]> {
  const text = await readFile(path.join(copy, 'packed-refs'), 'utf8').catch(() => '');
  return text.split('\n');
}
