import { execFileSync, spawnSync } from 'node:child_process';
import {
  closeSync,
  constants,
  existsSync,
  fstatSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { userInfo } from 'node:os';
import path from 'node:path';
import { makerTag } from './processes.ts';

/** Folders and files orch makes are for its own user only (spec 12). */
const folderMode = 0o700;
const fileMode = 0o600;

export function privateFolder(folder: string): string {
  const missing: string[] = [];
  for (let at = path.resolve(folder); !isFolder(at); at = path.dirname(at)) missing.unshift(at);
  // One by one: Node's own `recursive` loops forever where the system answers ENOENT, as below /proc.
  for (const at of missing) makeFolder(at);
  return folder;
}

/** Gives a folder another place, unless something is there already; repeatable. The new place is made with its parents. */
export function renameFolder(from: string, to: string): void {
  if (!existsSync(from) || existsSync(to)) return;
  privateFolder(path.dirname(to));
  renameSync(from, to);
}

function isFolder(file: string): boolean {
  return statSync(file, { throwIfNoEntry: false })?.isDirectory() === true;
}

/** Another process may have made it in between. */
function makeFolder(folder: string): void {
  try {
    mkdirSync(folder, { mode: folderMode });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST' || !isFolder(folder)) throw error;
  }
}

/**
 * Removes a folder that an agent could write to, with everything in it. What Node cannot remove, the system's own tools
 * can: folders that nobody may read or write, names that are not UTF-8, nesting deeper than a path may be long. Neither
 * follows links. @throws Error when something is left
 */
export function removeTree(folder: string): void {
  try {
    rmSync(folder, { recursive: true, force: true });
  } catch {
    const silent = { stdio: 'ignore' } as const;
    // Its status says nothing: links without a target count as failures. What `rm` answers decides.
    spawnSync('chmod', ['-R', 'u+rwX', '--', folder], silent);
    execFileSync('rm', ['-rf', '--', folder], silent);
  }
}

/**
 * Writes a file so that a reader, or a power cut, finds the old content or the new one, never a part: a temporary name,
 * flush, rename, flush of the folder.
 */
export function writeFileAtomic(file: string, content: string): void {
  privateFolder(path.dirname(file));
  const temporary = `${file}.${makerTag()}.tmp`;
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

/**
 * The start of a regular file as UTF-8, at most `limit` bytes; null when there is none. For places that agents write to:
 * a link is not followed, and the writer of a pipe is not waited for.
 */
export function readSmall(file: string, limit: number): string | null {
  let handle: number;
  try {
    handle = openSync(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch {
    return null;
  }
  try {
    const stat = fstatSync(handle);
    if (!stat.isFile()) return null;
    const buffer = Buffer.alloc(Math.min(stat.size, limit));
    return buffer.toString('utf8', 0, readSync(handle, buffer, 0, buffer.length, 0));
  } catch {
    return null;
  } finally {
    closeSync(handle);
  }
}

/** The home folder; that of the user database where `HOME` is missing, empty or no absolute path. */
export function homeFolder(env: NodeJS.ProcessEnv): string {
  const given = env['HOME'] ?? '';
  return path.isAbsolute(given) ? given : userInfo().homedir;
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

/** The working folder, or the root where it was deleted under the shell or the service: no reason for anything to fail. */
export function workingFolder(): string {
  try {
    return process.cwd();
  } catch {
    return '/';
  }
}
