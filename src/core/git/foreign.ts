import { existsSync } from 'node:fs';
import { readdir, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { OrchError } from '../model/index.ts';

/** A half-made bare copy older than this belongs to a dead process, milliseconds: making one takes a moment. */
const halfMadeMs = 600_000;

/**
 * Refuses a folder in which somebody keeps repositories of their own, at the first or second level, before anything is
 * made in it: a folder of ordinary clones was given by mistake (spec 9).
 * @param mark name of the file that orch's own copies carry
 * @throws OrchError `repos_foreign`
 */
export async function refuseForeign(reposDir: string, mark: string): Promise<void> {
  for (const first of await foldersOf(reposDir)) {
    const outer = path.join(reposDir, first);
    if (isRepository(outer, mark)) throw foreign(outer);
    for (const second of await foldersOf(outer)) {
      const inner = path.join(outer, second);
      if (!second.endsWith('.tmp') && isRepository(inner, mark)) throw foreign(inner);
    }
  }
}

/** Takes away what a process left that was killed while it made a bare copy. */
export async function removeHalfMade(folder: string): Promise<void> {
  for (const name of await foldersOf(path.dirname(folder))) {
    if (!name.startsWith(`${path.basename(folder)}.`) || !name.endsWith('.tmp')) continue;
    const half = path.join(path.dirname(folder), name);
    const found = await stat(half).catch(() => null);
    if (found !== null && Date.now() - found.mtimeMs > halfMadeMs) await rm(half, { recursive: true, force: true });
  }
}

async function foldersOf(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
  return entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name);
}

function isRepository(folder: string, mark: string): boolean {
  if (existsSync(path.join(folder, mark))) return false;
  return existsSync(path.join(folder, '.git')) || existsSync(path.join(folder, 'objects'));
}

function foreign(folder: string): OrchError {
  return new OrchError(`${folder} is not orch's own copy of a repository`, {
    code: 'repos_foreign',
    hint: 'Point `reposDir` (ORCH_REPOS_DIR) at an empty folder; nothing was touched.',
  });
}
