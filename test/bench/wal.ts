import { existsSync, readFileSync } from 'node:fs';
import type Database from 'better-sqlite3';

const headerBytes = 32;
const frameHeaderBytes = 24;

/** Empties the write-ahead log, so that what is in it afterwards was written since. */
export function emptyLog(db: Database.Database): void {
  const [done] = db.pragma('wal_checkpoint(TRUNCATE)') as { busy: number }[];
  if (done?.busy !== 0) throw new Error('the log could not be emptied: somebody reads or writes');
}

/**
 * Committed transactions in the write-ahead log: frames whose header names the size of the database, which only the last
 * frame of a transaction does, under the log's current salt (sqlite.org/fileformat.html 4.1).
 */
export function commitsIn(db: Database.Database): number {
  const file = `${db.name}-wal`;
  if (!existsSync(file)) return 0;
  const log = readFileSync(file);
  if (log.length < headerBytes) return 0;
  const frameBytes = frameHeaderBytes + log.readUInt32BE(8);
  const salt = log.subarray(16, 24);
  let commits = 0;
  for (let at = headerBytes; at + frameBytes <= log.length; at += frameBytes) {
    if (!log.subarray(at + 8, at + 16).equals(salt)) break;
    if (log.readUInt32BE(at + 4) > 0) commits += 1;
  }
  return commits;
}
