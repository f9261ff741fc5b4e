import { lstat, mkdir, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { CommitSha, GitIdentity, RepoSlug } from '../model/index.ts';
import { privateFolder, removeTree } from '../platform/files.ts';
import type { Bare } from './bare.ts';
import { runGit } from './run.ts';

/** Orders and results of runs are never committed. */
const excluded = '/.orch/\n';
/** The bare copy may belong to another account than the one orch runs as now; settings do not reach this process otherwise. */
const uploadPack = 'git -c "safe.directory=*" -c uploadpack.allowAnySHA1InWant=true upload-pack';

export interface GitFolderOptions {
  repo: RepoSlug;
  branch: string;
  folder: string;
  head: CommitSha;
}

/**
 * Gives a working folder a new `.git` made from the bare copy, with the branch at `head`: what an agent wrote into the old
 * one (hooks, configuration, refs) is gone. Files stay as they are.
 */
export async function renewGitFolder(bare: Bare, identity: GitIdentity, options: GitFolderOptions): Promise<void> {
  const { repo, branch, folder, head } = options;
  const timeoutMs = bare.timeouts.transferMs;
  privateFolder(path.dirname(folder));
  const aside = `${folder}.git-${process.pid}`;
  await rm(aside, { recursive: true, force: true });
  const source = await bare.ensure(repo);
  const how = ['--quiet', '--no-checkout', '--no-hardlinks', '--no-tags', '--template=', '--upload-pack', uploadPack];
  await runGit({ args: ['clone', ...how, '--', source, aside], timeoutMs });
  const gitFolder = path.join(aside, '.git');
  const inClone = (...args: string[]): Promise<unknown> =>
    runGit({ args: ['--git-dir', gitFolder, ...args], timeoutMs });
  // By its id: the branch may be gone from the server when its last commit is still worked on (spec 7, deployer).
  const fetch = ['fetch', '--quiet', '--no-tags', '--no-write-fetch-head', '--upload-pack', uploadPack];
  await inClone(...fetch, '--update-head-ok', '--', source, `+${head}:refs/heads/${branch}`);
  await inClone('symbolic-ref', 'HEAD', `refs/heads/${branch}`);
  await settle(gitFolder, identity, timeoutMs);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  removeTree(path.join(folder, '.git'));
  await rename(gitFolder, path.join(folder, '.git'));
  await rm(aside, { recursive: true, force: true });
  await runGit({ args: ['-C', folder, 'read-tree', head], timeoutMs });
}

/**
 * Leaves an agent's `.git` as it is, commits, stashes and merges included, but for its configuration and hooks, by file
 * operations alone: git is not run on it. Answers false when it cannot be one that git works with.
 */
export async function keepGitFolder(bare: Bare, identity: GitIdentity, folder: string): Promise<boolean> {
  const gitFolder = path.join(folder, '.git');
  const isA = async (name: string, kind: 'folder' | 'file'): Promise<boolean> => {
    const stat = await lstat(path.join(gitFolder, name)).catch(() => null);
    return stat !== null && (kind === 'folder' ? stat.isDirectory() : stat.isFile());
  };
  if (!(await isA('.', 'folder')) || !(await isA('HEAD', 'file'))) return false;
  if (!(await isA('objects', 'folder')) || !(await isA('refs', 'folder'))) return false;
  // What would lead to another repository's objects or settings.
  for (const name of ['commondir', 'gitdir', 'objects/info/alternates'])
    if ((await lstat(path.join(gitFolder, name)).catch(() => null)) !== null) return false;
  await settle(gitFolder, identity, bare.timeouts.gitMs);
  return true;
}

/** Makes the files of a working folder those of its branch; ignored ones stay. Its `.git` has just been renewed. */
export async function checkOut(bare: Bare, folder: string, head: CommitSha): Promise<void> {
  const timeoutMs = bare.timeouts.transferMs;
  await runGit({ args: ['-C', folder, 'reset', '--quiet', '--hard', head], timeoutMs });
  await runGit({ args: ['-C', folder, 'clean', '--quiet', '-fd', '-e', '/.orch/'], timeoutMs });
}

/** Configuration and excludes as orch wants them, no hooks. Links in their places are removed, not followed. */
async function settle(gitFolder: string, identity: GitIdentity, timeoutMs: number): Promise<void> {
  // Next to the workspace: a crash must leave nothing in it that would be taken for work.
  const owner = path.dirname(gitFolder);
  const made = path.join(path.dirname(owner), `.${path.basename(owner)}.config`);
  await rm(made, { recursive: true, force: true });
  const basics = { 'core.repositoryformatversion': '0', 'core.bare': 'false', 'core.logAllRefUpdates': 'true' };
  const person = { 'user.name': identity.name, 'user.email': identity.email, 'gc.auto': '0' };
  await writeFile(made, '', { mode: 0o600, flag: 'wx' });
  for (const [key, value] of Object.entries({ ...basics, ...person }))
    await runGit({ args: ['config', '--file', made, key, value], timeoutMs });
  for (const name of ['config', 'config.worktree', 'hooks', 'info']) removeTree(path.join(gitFolder, name));
  await rename(made, path.join(gitFolder, 'config'));
  await mkdir(path.join(gitFolder, 'info'));
  await writeFile(path.join(gitFolder, 'info', 'exclude'), excluded, { flag: 'wx' });
}
