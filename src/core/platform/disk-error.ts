import { statfsSync } from 'node:fs';
import { OrchError } from '../model/index.ts';

/**
 * What the operating system refused, as an error that an operator can act on; anything else unchanged.
 * A disk that is full passes, a folder of somebody else does not.
 */
export function diskError(error: unknown): unknown {
  if (!(error instanceof Error) || error instanceof OrchError) return error;
  const { code, path } = error as NodeJS.ErrnoException;
  const where = path === undefined ? '' : ` at ${path}`;
  if (code === 'ENOSPC' || code === 'EDQUOT') return diskFull(`No space left on the disk${where}.`);
  if (code === 'EACCES' || code === 'EROFS' || code === 'EPERM') {
    return new OrchError(`The operating system refuses access${where} (${code}).`, {
      code: 'no_access',
      hint: 'Check that it belongs to the user orch runs as and is not mounted read-only.',
      cause: error,
    });
  }
  return error;
}

export function diskFull(message: string): OrchError {
  return new OrchError(message, {
    code: 'disk_full',
    hint: 'Free disk space; the same can be repeated then, and services go on by themselves.',
  });
}

/** Less than this is none, bytes: SQLite's shared index grows by as much, and git writes its packs in larger pieces. */
const minSpace = 32 * 1024;

/** Whether a disk has no room for anything more, in bytes or in files. @param place a file or folder on it */
export function hasNoRoom(place: string): boolean {
  try {
    const { bavail, bsize, files, ffree } = statfsSync(place);
    return bavail * bsize < minSpace || (files > 0 && ffree === 0);
  } catch {
    return false;
  }
}
