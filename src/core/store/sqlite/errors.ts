import path from 'node:path';
import { OrchError } from '../../model/index.ts';
import { hasNoRoom } from '../../platform/disk-error.ts';

/** What to do about a damaged file. */
export const damageAdvice = 'Stop the services, keep a copy of the file with its -wal, and restore the last backup.';

/** SQLite's extended result code of an error of the driver (`SQLITE_BUSY_SNAPSHOT`); empty for anything else. */
export function sqliteCode(error: unknown): string {
  if (!(error instanceof Error) || !('code' in error) || typeof error.code !== 'string') return '';
  return error.code.startsWith('SQLITE_') ? error.code : '';
}

/** Another connection holds the lock: nothing was written, the same transaction may be tried again. */
export function isBusy(error: unknown): boolean {
  return /^SQLITE_(BUSY|LOCKED)/.test(sqliteCode(error));
}

/**
 * Turns what SQLite throws into the errors an operator can act on (spec 11). A broken constraint or a bad statement is a
 * defect of orch and passes unchanged.
 */
export function databaseError(error: unknown, file: string): unknown {
  if (error instanceof OrchError) return error;
  const code = sqliteCode(error);
  if (/^SQLITE_(BUSY|LOCKED)/.test(code)) {
    return new OrchError(`The database ${file} is locked by another process.`, {
      code: 'database_busy',
      hint: 'Try again in a moment; if it stays locked, see which process has the file open (`fuser`).',
      cause: error,
    });
  }
  if (/^SQLITE_(CORRUPT|NOTADB)/.test(code)) {
    return new OrchError(`The file ${file} is damaged or is no SQLite database.`, {
      code: 'database_corrupt',
      hint: damageAdvice,
      cause: error,
    });
  }
  // The shared index and a new log fail in other ways than a page when there is no room for them.
  if (code === 'SQLITE_FULL' || (/^SQLITE_(IOERR|CANTOPEN)/.test(code) && hasNoRoom(path.dirname(file)))) {
    return new OrchError(`No space left to write the database ${file}.`, {
      code: 'database_full',
      hint: 'Free disk space; nothing was half written, and the same command can be repeated.',
      cause: error,
    });
  }
  if (/^SQLITE_(READONLY|CANTOPEN|PERM|AUTH)/.test(code)) return unwritable(file, error);
  if (code.startsWith('SQLITE_IOERR')) {
    return new OrchError(`The disk under the database ${file} failed (${code}).`, {
      code: 'database_io',
      hint: 'Look at the kernel log and the free space; nothing was half written.',
      cause: error,
    });
  }
  return error;
}

/** The file or its folder refuses this user, or is no place for a database. */
export function unwritable(file: string, cause: unknown): OrchError {
  return new OrchError(`The database ${file} cannot be opened for writing.`, {
    code: 'database_unwritable',
    hint: 'SQLite writes the file and its folder: check that both belong to the user orch runs as, and `stateDir`.',
    cause,
  });
}
