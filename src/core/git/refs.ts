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

/** The branches with the commits they stand at. */
export async function branchesOf(copy: string): Promise<Map<string, CommitSha>> {
  const found = new Map<string, CommitSha>();
  const add = (name: string, sha: string): void => void (isCommitSha(sha) && found.set(name, sha));
  // Read before the packed ones, as above; what a file says goes before what was packed once.
  const loose: [string, string][] = [];
  await collectLoose(path.join(copy, 'refs', 'heads'), '', loose);
  for (const line of await packedRefs(copy)) {
    const name = line.slice(41);
    if (name.startsWith('refs/heads/')) add(name.slice('refs/heads/'.length), line.slice(0, 40));
  }
  for (const [name, sha] of loose) add(name, sha);
  return found;
}

async function collectLoose(folder: string, prefix: string, into: [string, string][]): Promise<void> {
  for (const entry of await readdir(folder, { withFileTypes: true }).catch(() => [])) {
    const file = path.join(folder, entry.name);
    if (entry.isDirectory()) await collectLoose(file, `${prefix}${entry.name}/`, into);
    else into.push([`${prefix}${entry.name}`, (await readFile(file, 'latin1').catch(() => '')).trim()]);
  }
}

async function packedRefs(copy: string): Promise<string[]> {
  const text = await readFile(path.join(copy, 'packed-refs'), 'utf8').catch(() => '');
  return text.split('\n');
}
