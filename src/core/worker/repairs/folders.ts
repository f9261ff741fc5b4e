import { existsSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs';
import path from 'node:path';
import { bareFolder } from '../../git/bare.ts';
import type { Finding, Repair, RepairDeps } from './repair.ts';

/** No step of orch's takes as long: what is older was left by a process that is dead, milliseconds. */
const leftMs = 3_600_000;

/** What is made aside and renamed or removed within one step (core/git): bare copies, indexes, `.git` folders, settings. */
const temporary = {
  bare: /^.+\.git\.[0-9a-f-]{36}\.tmp$/,
  inBare: /^orch-index-[0-9a-f-]{36}(\.lock)?$/,
  workspace: /^(.+\.git-\d+|\..+\.config|\..+\.\d+\.tmp)$/,
};

/** Folders and files that a killed process had made on the way to something else. */
export const leftovers: Repair = {
  name: 'leftovers of killed processes',
  find: (deps) => Promise.resolve(found(deps).map((file) => leftover(file))),
};

function found(deps: RepairDeps): string[] {
  const before = deps.store.now() - leftMs;
  const isOld = (file: string): boolean => (statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? before) < before;
  const matching = (folder: string, pattern: RegExp): string[] =>
    namesIn(folder)
      .filter((name) => pattern.test(name))
      .map((name) => path.join(folder, name));
  const owners = below(deps.reposDir);
  const copies = owners.flatMap(below).filter((folder) => folder.endsWith('.git'));
  const places = below(deps.workspacesDir).flatMap(below);
  return [
    ...owners.flatMap((folder) => matching(folder, temporary.bare)),
    ...copies.flatMap((folder) => matching(folder, temporary.inBare)),
    ...places.flatMap((folder) => matching(folder, temporary.workspace)).filter((file) => !isWorkspace(file)),
  ].filter(isOld);
}

/** A branch may be called like one of these; a workspace has a note beside it of where its files began. */
function isWorkspace(folder: string): boolean {
  return existsSync(path.join(path.dirname(folder), `.${path.basename(folder)}.head`));
}

function leftover(file: string): Finding {
  return {
    line: `${file} was left by a process that is dead`,
    fix: () => {
      rmSync(file, { recursive: true, force: true });
      return Promise.resolve(`${file} removed`);
    },
  };
}

/**
 * A bare copy without the parts every repository has: half deleted, or a disk's doing. It is put aside, not removed, for
 * it may hold commits that are nowhere else; the next fetch makes a new one.
 */
export const brokenCopies: Repair = {
  name: 'broken bare copies',
  find: (deps) => {
    const copies = deps.repos.map((repo) => bareFolder(deps.reposDir, repo)).filter((copy) => existsSync(copy));
    const broken = copies.filter((copy) =>
      ['HEAD', 'objects', 'refs'].some((part) => !existsSync(path.join(copy, part))),
    );
    return Promise.resolve(
      broken.map((copy) => ({ line: `${copy} is no repository any more`, fix: () => putAside(deps, copy) })),
    );
  },
};

function putAside(deps: RepairDeps, copy: string): Promise<string> {
  const aside = `${copy}.broken-${deps.store.now()}`;
  renameSync(copy, aside);
  return Promise.resolve(`${copy} put aside as ${path.basename(aside)}; the next fetch makes a new one`);
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function below(folder: string): string[] {
  return namesIn(folder)
    .map((name) => path.join(folder, name))
    .filter((file) => statSync(file, { throwIfNoEntry: false })?.isDirectory() === true);
}
