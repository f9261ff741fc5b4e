import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { lstat, readFile, readdir, rm } from 'node:fs/promises';
import path from 'node:path';
import type {
  CommitLimits,
  CommitSha,
  GitIdentity,
  GitPort,
  Published,
  RepoSlug,
  WorkspacePort,
} from '../model/index.ts';
import { errorText, isCommitSha, OrchError, parseRepoSlug } from '../model/index.ts';
import { removeTree, renameFolder, writeFileAtomic } from '../platform/files.ts';
import type { Log } from '../platform/log.ts';
import type { Bare } from './bare.ts';

import {
  checkOut,
  indexOf,
  keepGitFolder,
  keepOnly,
  objectsOf,
  renewGitFolder,
  resetIndex,
  type GitFolderOptions,
} from './git-folder.ts';
import { workspaceLeftovers } from './leftovers.ts';
import { foreignParents } from './merge-parents.ts';
import { safeBranch } from './names.ts';
import { commitFolder } from './publish.ts';
import { pushedRef } from './push.ts';
import { commitOf, treeOf } from './reads.ts';
import { withIndex, type IndexEnv } from './scratch.ts';
import { treeOfFolder } from './snapshot.ts';

export interface WorkspaceOptions {
  workspacesDir: string;
  git: GitPort & { bare: Bare };
  identity: GitIdentity;
  limits: CommitLimits;
  log: Log;
}

/** In place of a commit: the checkout has begun, whatever is in the folder is not work. */
const resetting = 'reset';

/** The clones agents work in. What is published is always the working folder's files, never what its `.git` says. */
export function createWorkspaces(options: WorkspaceOptions): WorkspacePort {
  const { git, identity, limits, log } = options;
  const { bare } = git;

  /** Outside `A-Za-z0-9._-` becomes `_`; a hash keeps apart what that makes equal. */
  function pathOf(repo: RepoSlug, branch: string): string {
    const safe = branch
      .replace(/[^A-Za-z0-9._-]/g, '_')
      .replace(/^[.-]+/, '_')
      .slice(0, 100);
    const suffix = safe === branch ? '' : `-${createHash('sha256').update(branch).digest('hex').slice(0, 8)}`;
    return path.join(options.workspacesDir, parseRepoSlug(repo), `${safe}${suffix}`);
  }

  /** Next to the folder, where no agent writes: the commit its files began from, and the last one made of them. */
  const noteFile = (folder: string, name: 'head' | 'made'): string =>
    path.join(path.dirname(folder), `.${path.basename(folder)}.${name}`);

  function note(folder: string, name: 'head' | 'made', text: string): void {
    writeFileAtomic(noteFile(folder, name), `${text}\n`);
  }

  async function noted(repo: RepoSlug, folder: string, name: 'head' | 'made'): Promise<CommitSha | null> {
    const text = (await readFile(noteFile(folder, name), 'utf8').catch(() => '')).trim();
    return isCommitSha(text) && (await git.has(repo, text)) ? text : null;
  }

  async function isResetting(folder: string): Promise<boolean> {
    return (await readFile(noteFile(folder, 'head'), 'utf8').catch(() => '')).trim() === resetting;
  }

  async function serverHead(repo: RepoSlug, branch: string): Promise<CommitSha> {
    const head = await git.head(repo, safeBranch(branch));
    // A server that deletes merged branches: the deployer still works on what was merged.
    const folder = pathOf(repo, branch);
    const last = head ?? (await published(repo, folder, null)) ?? (await noted(repo, folder, 'head'));
    if (last !== null) return last;
    throw new OrchError(`${repo} has no branch ${branch}`, {
      code: 'branch_missing',
      hint: 'Restore the branch on the server, then retry.',
    });
  }

  /** The last commit made of the folder, when the server has had it. */
  async function published(repo: RepoSlug, folder: string, head: CommitSha | null): Promise<CommitSha | null> {
    const made = await noted(repo, folder, 'made');
    if (made === null || (head !== null && (await git.isAncestor(repo, made, head)))) return made;
    return (await commitOf(bare, repo, pushedRef(made))) === null ? null : made;
  }

  /** Whether the files are those of a commit that the server has had; `anchors`: the commits that work may begin from. */
  async function inspect(
    repo: RepoSlug,
    folder: string,
    head: CommitSha | null,
  ): Promise<{ clean: boolean; anchors: CommitSha[] }> {
    if (!existsSync(folder) || (await isResetting(folder))) return { clean: true, anchors: [] };
    const begun = await noted(repo, folder, 'head');
    const made = await published(repo, folder, head);
    const anchors = [begun, made].filter((sha) => sha !== null);
    const known = [...anchors, ...(head === null ? [] : [head])];
    const trees = await Promise.all(known.map((sha) => treeOf(bare, repo, sha)));
    const isClean = async (base: CommitSha): Promise<boolean> => {
      const look = (env: IndexEnv): ReturnType<typeof treeOfFolder> =>
        treeOfFolder(bare, repo, folder, base, env, { limits });
      return trees.includes((await withIndex(bare, repo, look, indexOf(folder))).tree);
    };
    // What the files most likely are: then nothing has to be read. What a run may not publish is judged by where it began.
    if (made !== null && made !== known[0] && (await isClean(made))) return { clean: true, anchors };
    return { clean: known[0] !== undefined && (await isClean(known[0])), anchors };
  }

  async function prepare(
    repo: RepoSlug,
    branch: string,
    baseBranch: string,
  ): Promise<{ path: string; head: CommitSha; state: 'clean' | 'dirty' }> {
    await git.fetch(repo, [baseBranch, branch]);
    const head = await serverHead(repo, branch);
    const folder = pathOf(repo, branch);
    await refuseLinks(folder);
    const { clean, anchors } = await inspect(repo, folder, head);
    if (clean) {
      // Noted before the first file changes: a checkout cut off by a crash is no work, and is done again.
      note(folder, 'head', resetting);
      await checkOutAgain({ repo, branch, baseBranch, folder, head });
      note(folder, 'head', head);
      return { path: folder, head, state: 'clean' };
    }
    if (!anchors.includes(head)) {
      const begun = anchors[0]?.slice(0, 12) ?? 'an unknown commit';
      throw new OrchError(
        `the workspace of ${branch} holds work on ${begun}, but the server's branch is at ${head.slice(0, 12)}`,
        { code: 'workspace_diverged', hint: `Take what you need from ${folder}, remove it, then retry.` },
      );
    }
    await foreignParents(bare, repo, folder, head, log);
    if (!(await keepGitFolder(bare, identity, repo, folder))) {
      await renewGitFolder(bare, identity, { repo, branch, baseBranch, folder, head });
      await resetIndex(bare, folder, head);
    }
    return { path: folder, head, state: 'dirty' };
  }

  /** A name that no workspace has: `~` is in none. */
  const testsOf = (folder: string): string => `${folder}~tests`;

  async function prepareTests(
    repo: RepoSlug,
    branch: string,
    baseBranch: string,
    caches: string[],
  ): Promise<{ path: string; head: CommitSha }> {
    await git.fetch(repo, [baseBranch, branch]);
    const head = await serverHead(repo, branch);
    const folder = testsOf(pathOf(repo, branch));
    await refuseLinks(folder);
    await checkOutAgain({ repo, branch, baseBranch, folder, head }, keepOnly(caches));
    return { path: folder, head };
  }

  /** What an agent left can be such that git cannot clear it (a path longer than any may be): then all of it goes. */
  async function checkOutAgain(place: GitFolderOptions, cleaning?: string[]): Promise<void> {
    const { folder, head } = place;
    const make = async (): Promise<void> => {
      await renewGitFolder(bare, identity, place);
      await checkOut(bare, folder, head, cleaning);
    };
    try {
      await make();
    } catch (error) {
      if (error instanceof OrchError && error.retry === 'later') throw error;
      log.warn('a workspace could not be cleared, it is made again', { folder, error: errorText(error) });
      removeTree(folder);
      await make();
    }
  }

  async function unpushed(repo: RepoSlug, branch: string): Promise<boolean> {
    const folder = pathOf(repo, branch);
    return !(await inspect(repo, folder, await git.head(repo, branch))).clean;
  }

  async function commit(request: Parameters<WorkspacePort['commit']>[0]): Promise<Published> {
    const folder = pathOf(request.repo, request.branch);
    await refuseLinks(folder);
    const result = await commitFolder(bare, folder, request, { limits, log });
    if (result.committed) note(folder, 'made', result.sha);
    return result;
  }

  // The commit was made in the bare copy itself; all that is left is to make sure that it is there.
  async function exportCommit(repo: RepoSlug, _branch: string, sha: CommitSha): Promise<void> {
    if (await git.has(repo, sha)) return;
    throw new OrchError(`commit ${sha} is not in the bare copy of ${repo}`, { code: 'commit_missing' });
  }

  async function remove(repo: RepoSlug, branch: string): Promise<void> {
    const folder = pathOf(repo, branch);
    for (const one of [folder, testsOf(folder)]) {
      await rm(one, { recursive: true, force: true }).catch(() => removeTree(one));
      for (const file of [indexOf(one), noteFile(one, 'head'), noteFile(one, 'made')]) await rm(file, { force: true });
    }
  }

  const folderOf = (repo: RepoSlug): string => path.join(options.workspacesDir, parseRepoSlug(repo));

  async function commits(repo: RepoSlug): Promise<CommitSha[]> {
    const folder = folderOf(repo);
    const names = (await readdir(folder).catch(() => [])).filter((name) => /^\..+\.(head|made)$/.test(name));
    const texts = await Promise.all(names.map((name) => readFile(path.join(folder, name), 'utf8').catch(() => '')));
    return texts.map((text) => text.trim()).filter(isCommitSha);
  }

  const leftovers: WorkspacePort['leftovers'] = (before) =>
    Promise.resolve(workspaceLeftovers(options.workspacesDir, before));

  const rename: WorkspacePort['rename'] = (from, to) => Promise.resolve(renameFolder(folderOf(from), folderOf(to)));
  const readPaths: WorkspacePort['readPaths'] = (repo) => [objectsOf(bare, repo)];

  return {
    pathOf,
    prepare,
    prepareTests,
    readPaths,
    unpushed,
    commit,
    exportCommit,
    remove,
    rename,
    commits,
    leftovers,
  };
}

/** A workspace that was exchanged for a link would have its target's files published, or reset. */
async function refuseLinks(folder: string): Promise<void> {
  for (const place of [folder, path.dirname(folder), path.dirname(path.dirname(folder))]) {
    const found = await lstat(place).catch(() => null);
    if (found === null || found.isDirectory()) continue;
    throw new OrchError(`${place} is not a folder`, {
      code: 'workspace_foreign',
      hint: 'Somebody put a link or a file in the place of a workspace; look at it, remove it, then retry.',
    });
  }
}
