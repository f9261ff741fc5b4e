import { lstat } from 'node:fs/promises';
import path from 'node:path';
import type { CommitSha, RepoSlug } from '../model/index.ts';
import { isCommitSha, OrchError } from '../model/index.ts';
import { readSmall } from '../platform/files.ts';
import type { Log } from '../platform/log.ts';
import { identityEnv, type Bare } from './bare.ts';
import { commitOf, isAncestor, mergedTree, treeOf } from './reads.ts';

/** Upper bound of an agent's own references that are read, bytes. */
const maxReferenceBytes = 16 * 1024 * 1024;
/** Of a merge's heads: more of them than anybody merges at once, bytes. */
const maxMergeHeadBytes = 41 * 32;

/**
 * Commits of the server that the agent merged into its work, or moved it onto, such as the base branch's head: kept as
 * parents, so that a merged base stays merged. Only hints are taken from the workspace's own `.git`, by reading its files
 * and objects under the bare copy's configuration: git run on that folder obeys what an agent wrote there, down to a
 * program that fetches missing objects. A hint is believed only when a branch of the server has the commit.
 * @throws OrchError `workspace_diverged` when another commit of the server is checked out, so that the files lack the base
 */
export async function foreignParents(
  bare: Bare,
  repo: RepoSlug,
  folder: string,
  base: CommitSha,
  log: Log,
): Promise<CommitSha[]> {
  const gitFolder = path.join(folder, '.git');
  if ((await lstat(gitFolder).catch(() => null))?.isDirectory() !== true) return [];
  const head = headOf(gitFolder);
  if (
    head !== null &&
    head !== base &&
    (await onServer(bare, repo, head)) &&
    !(await isAncestor(bare, repo, base, head))
  ) {
    throw new OrchError(
      `${folder} has ${head.slice(0, 12)} checked out, which the work of ${base.slice(0, 12)} is not in`,
      {
        code: 'workspace_diverged',
        hint: `Check the task's branch out in ${folder} again, or remove that folder; then retry.`,
      },
    );
  }
  const merging = (readSmall(path.join(gitFolder, 'MERGE_HEAD'), maxMergeHeadBytes) ?? '')
    .split('\n')
    .filter(isCommitSha);
  // Nothing was committed, moved or merged.
  if (head === base && merging.length === 0) return [];
  const hints = new Set<CommitSha>();
  for (const tip of new Set([...(head === null ? [] : [head]), ...merging])) {
    const found = (await onServer(bare, repo, tip)) ? [tip] : await leftServerAt(bare, repo, gitFolder, tip, log);
    for (const sha of found) hints.add(sha);
  }
  const parents: CommitSha[] = [];
  for (const hint of hints) if (!(await isAncestor(bare, repo, hint, base))) parents.push(hint);
  return independent(bare, repo, parents);
}

/** Those that are on the base branch: another branch's work, merged in, would go round a role's scope and the gates. */
export async function ofBranch(bare: Bare, repo: RepoSlug, commits: CommitSha[], branch: string): Promise<CommitSha[]> {
  const tip = await commitOf(bare, repo, `refs/heads/${branch}`);
  if (tip === null) return [];
  const kept: CommitSha[] = [];
  for (const commit of commits) if (await isAncestor(bare, repo, commit, tip)) kept.push(commit);
  return kept;
}

/**
 * Tree of the base with those commits merged into it, by which a role's changes are judged: what comes from the server is
 * not the agent's doing. A role that may not settle what conflicts has merged nothing.
 */
export async function mergedBase(
  bare: Bare,
  repo: RepoSlug,
  base: CommitSha,
  parents: CommitSha[],
  allowed: (path: string) => boolean,
): Promise<{ tree: string; parents: CommitSha[] }> {
  let tree = await treeOf(bare, repo, base);
  const plain = { tree, parents: [] };
  let tip = base;
  for (const parent of parents) {
    const merged = await mergedTree(bare, repo, tip, parent);
    if (merged === null || !merged.conflicts.every(allowed)) return plain;
    tree = merged.tree;
    const args = ['commit-tree', tree, '-p', tip, '-p', parent, '-m', 'merged'];
    const made = (await bare.run(repo, args, { env: identityEnv(bare.identity) })).stdout.trim();
    if (isCommitSha(made)) tip = made;
  }
  return { tree, parents };
}

/**
 * Files that the agent's own commits have and the base has not, as Latin-1 bytes: they are published even where the branch
 * ignores them, for somebody added them on purpose. Only the names are believed.
 */
export async function committedPaths(
  bare: Bare,
  repo: RepoSlug,
  folder: string,
  base: CommitSha,
  log: Log,
): Promise<string[]> {
  const gitFolder = path.join(folder, '.git');
  const head = (await lstat(gitFolder).catch(() => null))?.isDirectory() === true ? headOf(gitFolder) : null;
  if (head === null || head === base) return [];
  const args = ['diff-tree', '-r', '-z', '--name-only', '--no-renames', '--diff-filter=A', base, head];
  const out = await withObjectsOf(bare, repo, gitFolder, args, log);
  return out.split('\0').filter((raw) => raw !== '');
}

/** What the workspace has checked out, read without running git there; null when it is unknown. */
function headOf(gitFolder: string): CommitSha | null {
  const read = (name: string): string => (readSmall(path.join(gitFolder, name), maxReferenceBytes) ?? '').trim();
  const text = read('HEAD');
  if (isCommitSha(text)) return text;
  const ref = /^ref: (refs\/.+)$/.exec(text)?.[1];
  if (ref === undefined || ref.split('/').includes('..')) return null;
  const loose = read(ref);
  if (isCommitSha(loose)) return loose;
  const packed = read('packed-refs').split('\n');
  const sha = packed.find((line) => line.slice(41) === ref)?.slice(0, 40) ?? '';
  return isCommitSha(sha) ? sha : null;
}

/** The commits of the server's branches on which a commit of the agent's own stands. */
async function leftServerAt(
  bare: Bare,
  repo: RepoSlug,
  gitFolder: string,
  tip: CommitSha,
  log: Log,
): Promise<CommitSha[]> {
  // A graph file would be believed about parents; the agent may have written one.
  const args = ['-c', 'core.commitGraph=false', 'rev-list', '--boundary', tip, '--not', '--glob=refs/heads/*', '--'];
  const lines = (await withObjectsOf(bare, repo, gitFolder, args, log)).split('\n');
  return lines.flatMap((line) => (line.startsWith('-') ? [line.slice(1)] : [])).filter(isCommitSha);
}

/** Reads an agent's objects under the bare copy's configuration; nothing when they cannot be read. */
async function withObjectsOf(bare: Bare, repo: RepoSlug, gitFolder: string, args: string[], log: Log): Promise<string> {
  const env = { GIT_ALTERNATE_OBJECT_DIRECTORIES: JSON.stringify(path.join(gitFolder, 'objects')) };
  try {
    return (await bare.run(repo, args, { env })).stdout;
  } catch (error) {
    if (!(error instanceof OrchError)) throw error;
    log.warn('the history in a workspace cannot be read, merges in it are not kept', { repo, error: error.message });
    return '';
  }
}

async function onServer(bare: Bare, repo: RepoSlug, sha: CommitSha): Promise<boolean> {
  const args = ['for-each-ref', '--count=1', '--format=%(refname)', `--contains=${sha}`, 'refs/heads/'];
  const answer = await bare.run(repo, args, { answers: [0, 128, 129] });
  return answer.code === 0 && answer.stdout.trim() !== '';
}

/** Without those that others contain already. */
async function independent(bare: Bare, repo: RepoSlug, parents: CommitSha[]): Promise<CommitSha[]> {
  if (parents.length < 2) return parents;
  const out = (await bare.run(repo, ['merge-base', '--independent', ...parents])).stdout;
  return out.split('\n').filter(isCommitSha);
}
