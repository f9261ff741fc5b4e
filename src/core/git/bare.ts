import { randomUUID } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { chmod } from 'node:fs/promises';
import path from 'node:path';
import type { GitIdentity, RepoSlug } from '../model/index.ts';
import { parseRepoSlug } from '../model/index.ts';
import { makerTag } from '../platform/processes.ts';
import { privateFolder } from '../platform/files.ts';
import { refuseForeign, removeHalfMade } from './foreign.ts';
import { createObjectReader, type ObjectReader } from './object-reader.ts';
import { runGit, type GitAnswer, type GitCall } from './run.ts';

export interface GitTimeouts {
  /** Local calls and calls that move data, milliseconds (spec 5: 60 s and 120 s). */
  gitMs: number;
  transferMs: number;
}

/** The folder of bare copies and how git is run on one of them. */
export interface Bare {
  timeouts: GitTimeouts;
  identity: GitIdentity;
  pathOf: (repo: RepoSlug) => string;
  /** Makes the bare copy when there is none. */
  ensure: (repo: RepoSlug) => Promise<string>;
  /** What is read again and again, without a process for each look. */
  objects: (repo: RepoSlug) => Promise<ObjectReader>;
  run: (repo: RepoSlug, args: string[], options?: Partial<Omit<GitCall, 'args'>>) => Promise<GitAnswer>;
}

/** A file in the bare copy that says whose it is. */
const mark = 'orch-bare';
/** Never published: orders and results of runs. */
const excluded = '/.orch/\n';

export function createBare(options: { reposDir: string; timeouts: GitTimeouts; identity: GitIdentity }): Bare {
  const making = new Map<string, Promise<string>>();
  const readers = new Map<string, ObjectReader>();
  const pathOf = (repo: RepoSlug): string => path.resolve(options.reposDir, `${parseRepoSlug(repo)}.git`);

  async function make(repo: RepoSlug): Promise<string> {
    const folder = pathOf(repo);
    await refuseForeign(options.reposDir, mark);
    if (existsSync(path.join(folder, mark))) return folder;
    privateFolder(path.dirname(folder));
    await removeHalfMade(folder);
    // Made aside and renamed, so that a crash leaves no half of one.
    const temporary = `${folder}.${makerTag()}-${randomUUID()}.tmp`;
    await runGit({ args: ['init', '--quiet', '--bare', temporary], timeoutMs: options.timeouts.gitMs });
    // git makes it as open as the umask lets it.
    await chmod(temporary, 0o700);
    privateFolder(path.join(temporary, 'info'));
    writeFileSync(path.join(temporary, 'info', 'exclude'), excluded);
    writeFileSync(path.join(temporary, mark), `${repo}\n`);
    const { rename, rm } = await import('node:fs/promises');
    await rename(temporary, folder).catch(async (error: unknown) => {
      await rm(temporary, { recursive: true, force: true });
      if (!existsSync(path.join(folder, mark))) throw error;
    });
    return folder;
  }

  async function ensure(repo: RepoSlug): Promise<string> {
    const folder = pathOf(repo);
    if (existsSync(path.join(folder, mark)) && readFileSync(path.join(folder, mark), 'utf8').trim() === repo)
      return folder;
    let made = making.get(repo);
    if (made === undefined) {
      made = make(repo).finally(() => making.delete(repo));
      making.set(repo, made);
    }
    return made;
  }

  async function objects(repo: RepoSlug): Promise<ObjectReader> {
    const folder = await ensure(repo);
    const reader = readers.get(folder) ?? createObjectReader(folder, options.timeouts.gitMs);
    readers.set(folder, reader);
    return reader;
  }

  return {
    timeouts: options.timeouts,
    identity: options.identity,
    pathOf,
    ensure,
    objects,
    run: async (repo, args, more = {}) =>
      runGit({
        args: ['--git-dir', await ensure(repo), ...args],
        timeoutMs: more.timeoutMs ?? options.timeouts.gitMs,
        ...more,
      }),
  };
}

/** Variables of a commit by the bot. */
export function identityEnv(identity: GitIdentity): Record<string, string> {
  return {
    GIT_AUTHOR_NAME: identity.name,
    GIT_AUTHOR_EMAIL: identity.email,
    GIT_COMMITTER_NAME: identity.name,
    GIT_COMMITTER_EMAIL: identity.email,
  };
}
