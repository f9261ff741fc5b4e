import { existsSync } from 'node:fs';
import { lstat, mkdir, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { CommitSha, GitIdentity, RepoSlug } from '../model/index.ts';
import { OrchError } from '../model/index.ts';
import { gitConfigText } from '../platform/git-config.ts';
import { makerTag } from '../platform/processes.ts';
import { privateFolder, removeTree, writeFileAtomic } from '../platform/files.ts';
import type { Bare } from './bare.ts';
import { commitOf } from './reads.ts';
import { runGit } from './run.ts';
import { copyIndex, type IndexEnv } from './scratch.ts';

/** Orders and results of runs are never committed. */
const excluded = '/.orch/\n';

export interface GitFolderOptions {
  repo: RepoSlug;
  branch: string;
  baseBranch: string;
  folder: string;
  head: CommitSha;
}

/** The objects of a bare copy, which a workspace reads but never writes. */
export function objectsOf(bare: Bare, repo: RepoSlug): string {
  return path.join(bare.pathOf(repo), 'objects');
}

/** Orch's own index of a working folder, next to it, where no agent writes: what a file looked like when it was checked out. */
export function indexOf(folder: string): string {
  return path.join(path.dirname(folder), `.${path.basename(folder)}.index`);
}

/** Keeps an index of a call as that of the working folder: what was read of its files need not be read again. */
export async function keepIndex({ GIT_INDEX_FILE }: IndexEnv, folder: string): Promise<void> {
  const index = indexOf(folder);
  const made = `${index}.${makerTag()}.tmp`;
  await copyIndex(GIT_INDEX_FILE, made);
  await rename(made, index);
}

/**
 * Gives a working folder a new `.git` with the branch at `head`, and that branch and its base below `origin/`: what an agent
 * wrote into the old one (hooks, configuration, refs) is gone. Objects stay in the bare copy and are borrowed from there.
 * Files stay as they are.
 */
export async function renewGitFolder(bare: Bare, identity: GitIdentity, options: GitFolderOptions): Promise<void> {
  const { repo, branch, baseBranch, folder, head } = options;
  privateFolder(path.dirname(folder));
  const aside = `${folder}.git-${makerTag()}`;
  await rm(aside, { recursive: true, force: true });
  await bare.ensure(repo);
  for (const name of ['objects/pack', 'refs/heads', 'refs/tags'])
    await mkdir(path.join(aside, name), { recursive: true, mode: 0o700 });
  await writeFile(path.join(aside, 'HEAD'), `ref: refs/heads/${branch}\n`);
  const remote = await remoteBranches(bare, repo, [baseBranch, branch]);
  await writeFile(path.join(aside, 'packed-refs'), `${head} refs/heads/${branch}\n${remote}`);
  await settle(bare, repo, aside, folder, identity);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  removeTree(path.join(folder, '.git'));
  await rename(aside, path.join(folder, '.git'));
}

/** The server's branches as the agent sees them. */
async function remoteBranches(bare: Bare, repo: RepoSlug, branches: string[]): Promise<string> {
  const lines = new Set<string>();
  for (const name of branches) {
    const head = await commitOf(bare, repo, `refs/heads/${name}`);
    if (head !== null) lines.add(`${head} refs/remotes/origin/${name}\n`);
  }
  return [...lines].join('');
}

/**
 * Leaves an agent's `.git` as it is, commits, stashes and merges included, but for its configuration and hooks, by file
 * operations alone: git is not run on it. Answers false when it cannot be one that git works with.
 */
export async function keepGitFolder(
  bare: Bare,
  identity: GitIdentity,
  repo: RepoSlug,
  folder: string,
): Promise<boolean> {
  const gitFolder = path.join(folder, '.git');
  const isA = async (name: string, kind: 'folder' | 'file'): Promise<boolean> => {
    const found = await lstat(path.join(gitFolder, name)).catch(() => null);
    return found !== null && (kind === 'folder' ? found.isDirectory() : found.isFile());
  };
  if (!(await isA('.', 'folder')) || !(await isA('HEAD', 'file'))) return false;
  if (!(await isA('objects', 'folder')) || !(await isA('refs', 'folder'))) return false;
  // What would lead to another repository's refs or settings.
  for (const name of ['commondir', 'gitdir'])
    if ((await lstat(path.join(gitFolder, name)).catch(() => null)) !== null) return false;
  await settle(bare, repo, gitFolder, folder, identity);
  return true;
}

/** Options of `git clean`: ignored files stay, repositories within too. */
const keepIgnored = ['-fd'];
/** Nothing stays but what some patterns name. */
export function keepOnly(patterns: string[]): string[] {
  return ['-ffdx', ...patterns.flatMap((pattern) => ['-e', pattern])];
}

/**
 * Makes the files of a working folder those of its branch; ignored ones stay. Its `.git` has just been renewed. Only what
 * differs from the last checkout is read or written: a file whose size, times and inode are those of orch's own index.
 * @param cleaning options of `git clean`
 */
export async function checkOut(
  bare: Bare,
  folder: string,
  head: CommitSha,
  cleaning: string[] = keepIgnored,
): Promise<void> {
  const index = indexOf(folder);
  const made = `${index}.${makerTag()}.tmp`;
  await copyIndex(index, made);
  try {
    await makeFiles(bare, folder, head, made, cleaning);
  } catch (error) {
    // Git was slow, killed or kept out: the next try begins from the same index.
    if (!existsSync(index) || (error instanceof OrchError && error.retry === 'later')) throw error;
    // The disk may have damaged it; without one, every file is read.
    await rm(index, { force: true });
    await rm(made, { force: true });
    await makeFiles(bare, folder, head, made, cleaning);
  }
  await copyIndex(made, path.join(folder, '.git', 'index'));
  await rename(made, index);
}

async function makeFiles(
  bare: Bare,
  folder: string,
  head: CommitSha,
  index: string,
  cleaning: string[],
): Promise<void> {
  const timeoutMs = bare.timeouts.transferMs;
  const env = { GIT_INDEX_FILE: index };
  await rm(`${index}.lock`, { force: true });
  await runGit({ args: ['-C', folder, 'reset', '--quiet', '--hard', head], env, timeoutMs });
  await runGit({ args: ['-C', folder, 'clean', '--quiet', ...cleaning, '-e', '/.orch/'], env, timeoutMs });
}

/** The index of a kept `.git`, at the commit its files began from: what the agent did shows as changes. */
export async function resetIndex(bare: Bare, folder: string, head: CommitSha): Promise<void> {
  await runGit({ args: ['-C', folder, 'read-tree', head], timeoutMs: bare.timeouts.transferMs });
}

/** Configuration, excludes and borrowed objects as orch wants them, no hooks. Links in their places are removed, not followed. */
async function settle(
  bare: Bare,
  repo: RepoSlug,
  gitFolder: string,
  folder: string,
  identity: GitIdentity,
): Promise<void> {
  // Next to the workspace: a crash must leave nothing in it that would be taken for work.
  const made = path.join(path.dirname(folder), `.${path.basename(folder)}.config-${makerTag()}`);
  await rm(made, { recursive: true, force: true });
  await writeFile(made, configuration(identity), { mode: 0o600, flag: 'wx' });
  for (const name of ['config', 'config.worktree', 'hooks', 'info', 'objects/info'])
    removeTree(path.join(gitFolder, name));
  await rename(made, path.join(gitFolder, 'config'));
  await mkdir(path.join(gitFolder, 'info'));
  await writeFile(path.join(gitFolder, 'info', 'exclude'), excluded, { flag: 'wx' });
  await mkdir(path.join(gitFolder, 'objects', 'info'));
  writeFileAtomic(path.join(gitFolder, 'objects', 'info', 'alternates'), `${objectsOf(bare, repo)}\n`);
}

function configuration({ name, email }: GitIdentity): string {
  return gitConfigText([
    ['core.repositoryformatversion', '0'],
    ['core.bare', 'false'],
    ['core.logAllRefUpdates', 'true'],
    ['user.name', name],
    ['user.email', email],
    ['gc.auto', '0'],
  ]);
}
