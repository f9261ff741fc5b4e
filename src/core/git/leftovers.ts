import { existsSync, readdirSync, renameSync, statSync } from 'node:fs';
import path from 'node:path';
import { makerState } from '../platform/processes.ts';

/**
 * Names under which something is made and then renamed or removed within one call: bare copies, indexes, `.git` folders,
 * settings. They hold the tag of the process; those of older versions do not.
 */
const temporary = {
  bare: /^.+\.git\.[0-9a-f-]{36,}\.tmp$/,
  inBare: /^orch-index-[0-9a-f-]{36,}(\.lock)?$/,
  workspace:
    /^(.+\.git-\d+(-\d+-[0-9a-f]{8})?|\..+\.config(-\d+-\d+-[0-9a-f]{8})?|\..+\.\d+(-\d+-[0-9a-f]{8})?\.tmp(\.lock)?)$/,
};

/** Temporary bare copies and indexes of dead processes; where that cannot be seen, last changed before a moment, ms since the epoch. */
export function bareLeftovers(reposDir: string, before: number): string[] {
  const owners = foldersIn(reposDir);
  const copies = owners.flatMap(foldersIn).filter((folder) => folder.endsWith('.git'));
  return [
    ...owners.flatMap((folder) => matching(folder, temporary.bare)),
    ...copies.flatMap((folder) => matching(folder, temporary.inBare)),
  ].filter((file) => isLeft(file, before));
}

/** The same among the workspaces. */
export function workspaceLeftovers(workspacesDir: string, before: number): string[] {
  return foldersIn(workspacesDir)
    .flatMap(foldersIn)
    .flatMap((folder) => matching(folder, temporary.workspace))
    .filter((file) => !isWorkspace(file) && isLeft(file, before));
}

/** A branch may be named like a temporary file; a workspace has a note next to it of the commit its files began from. */
function isWorkspace(folder: string): boolean {
  return existsSync(path.join(path.dirname(folder), `.${path.basename(folder)}.head`));
}

/** Whether a bare copy lacks parts that every repository has: it was half deleted, or the disk lost them. */
export function isBroken(copy: string): boolean {
  return existsSync(copy) && ['HEAD', 'objects', 'refs'].some((part) => !existsSync(path.join(copy, part)));
}

/** Renames a broken bare copy: it may hold commits that are nowhere else. The next fetch makes a new one. Answers the new path. */
export function moveBroken(copy: string, now: number): string {
  const moved = `${copy}.broken-${now}`;
  renameSync(copy, moved);
  return moved;
}

/** By its owner: age alone says nothing of a process that was stopped for a while, and one that died needs no waiting. */
function isLeft(file: string, before: number): boolean {
  const maker = makerState(path.basename(file));
  return maker === 'unseen' ? isOlder(file, before) : maker === 'dead';
}

function isOlder(file: string, before: number): boolean {
  return (statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? before) < before;
}

function matching(folder: string, pattern: RegExp): string[] {
  return namesIn(folder)
    .filter((name) => pattern.test(name))
    .map((name) => path.join(folder, name));
}

function foldersIn(folder: string): string[] {
  return namesIn(folder)
    .map((name) => path.join(folder, name))
    .filter((file) => statSync(file, { throwIfNoEntry: false })?.isDirectory() === true);
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
