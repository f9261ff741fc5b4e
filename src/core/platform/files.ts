import { closeSync, existsSync, fsyncSync, mkdirSync, openSync, renameSync, writeSync } from 'node:fs';
import path from 'node:path';

/** Folders and files orch makes are for its own user only (spec 12). */
const folderMode = 0o700;
const fileMode = 0o600;

export function privateFolder(folder: string): string {
  mkdirSync(folder, { recursive: true, mode: folderMode });
  return folder;
}

/**
 * Writes a file so that a reader, or a power cut, finds the old content or the new one, never a part: a temporary name,
 * flush, rename, flush of the folder.
 */
export function writeFileAtomic(file: string, content: string): void {
  privateFolder(path.dirname(file));
  const temporary = `${file}.${process.pid}.tmp`;
  const handle = openSync(temporary, 'w', fileMode);
  try {
    writeSync(handle, content);
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
  renameSync(temporary, file);
  const folder = openSync(path.dirname(file), 'r');
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}

/** The folder that holds `package.json`: prompts, schema and documentation lie below it, from source and from `dist`. */
export function packageRoot(): string {
  let folder = import.meta.dirname;
  while (!existsSync(path.join(folder, 'package.json'))) {
    const parent = path.dirname(folder);
    if (parent === folder) throw new Error('package.json not found above the program');
    folder = parent;
  }
  return folder;
}
