import type { CommitSha, GitPort, RepoSlug, TreeEntry } from '../model/index.ts';
import { hasLine, OrchError, parseCommitSha } from '../model/index.ts';
import type { Bare } from './bare.ts';
import { nearAncestor } from './history.ts';
import { readRef } from './refs.ts';
import { latin1, utf8 } from './run.ts';
import { everything, folderMode, isFileMode, lookUp, treeWithout } from './trees.ts';

type Reads = Pick<
  GitPort,
  'has' | 'head' | 'readFile' | 'listTree' | 'codeTree' | 'commitsSince' | 'isAncestor' | 'mergeTree' | 'findCommit'
>;

/** What follows from commits alone is asked for again and again and never changes; this many answers are kept of each kind. */
const maxKept = 2000;
/** Of lists of commits, which are larger. */
const maxKeptLists = 100;
/** Upper bound of the commits of one branch that are read. */
const maxCommits = 1000;

/** What merging two commits gives, without a checkout; conflicts leave their marks in the tree. Null: nothing in common. */
export async function mergedTree(
  bare: Bare,
  repo: RepoSlug,
  base: CommitSha,
  tip: CommitSha,
): Promise<{ tree: string; clean: boolean; conflicts: string[] } | null> {
  const answer = await bare.run(repo, ['merge-tree', '--write-tree', '-z', '--name-only', '--no-messages', base, tip], {
    // It ends with 1 for conflicts, whose tree it prints, and for a commit that is not there.
    answers: ({ code, stdout, stderr }) =>
      code === 0 || (code === 1 && stdout !== '') || stderr.includes('unrelated histories'),
  });
  if (answer.stdout === '') return null;
  const [tree = '', ...paths] = answer.stdout.split('\0');
  const conflicts = answer.code === 0 ? [] : [...new Set(paths.filter((path) => path !== '').map(utf8))];
  return { tree, clean: answer.code === 0, conflicts };
}

/** @returns null when the bare copy lacks one of the commits */
async function ancestry(
  bare: Bare,
  repo: RepoSlug,
  ancestor: CommitSha,
  descendant: CommitSha,
): Promise<boolean | null> {
  const near = await nearAncestor(await bare.objects(repo), ancestor, descendant);
  if (near !== null) return near;
  const args = ['merge-base', '--is-ancestor', ancestor, descendant];
  const { code } = await bare.run(repo, args, { answers: [0, 1, 128] });
  return code === 128 ? null : code === 0;
}

export async function isAncestor(bare: Bare, ...of: [RepoSlug, CommitSha, CommitSha]): Promise<boolean> {
  return (await ancestry(bare, ...of)) ?? false;
}

/** The tree of a commit, or a tree itself. @throws OrchError `git_failed` when the bare copy does not have it */
export async function treeOf(bare: Bare, repo: RepoSlug, sha: string): Promise<string> {
  const found = await (await bare.objects(repo)).info(`${sha}^{tree}`);
  if (found === null) throw new OrchError(`the bare copy of ${repo} has no commit ${sha}`, { code: 'git_failed' });
  return found.id;
}

/** The commit of a ref by its whole name; null when there is none, or when its commit is lost. */
export async function commitOf(bare: Bare, repo: RepoSlug, ref: string): Promise<CommitSha | null> {
  const sha = await readRef(await bare.ensure(repo), ref);
  return sha !== null && (await hasCommit(bare, repo, sha)) ? sha : null;
}

async function hasCommit(bare: Bare, repo: RepoSlug, sha: CommitSha): Promise<boolean> {
  return (await (await bare.objects(repo)).info(`${sha}^{commit}`)) !== null;
}

/** Keeps answers by key; null is no answer and is asked for again. */
function kept<T>(max: number): (key: string, work: () => Promise<T | null>) => Promise<T | null> {
  const answers = new Map<string, T>();
  return async (key, work) => {
    const known = answers.get(key);
    if (known !== undefined) return known;
    const answer = await work();
    if (answer === null) return null;
    if (answers.size >= max) answers.clear();
    answers.set(key, answer);
    return answer;
  };
}

/** UTF-8 text of the first bytes, cut before a character that would not be whole; null when the bytes are none. */
function textOf(bytes: Buffer, most: number): string | null {
  try {
    const decoder = new TextDecoder('utf-8', { fatal: true });
    return decoder.decode(bytes.subarray(0, most), { stream: bytes.length > most });
  } catch {
    return null;
  }
}

/** What is read from the bare copy without asking the server. */
export function reads(bare: Bare): Reads {
  const keptTrees = kept<string>(maxKept);
  const keptAncestry = kept<boolean>(maxKept);
  const keptMerges = kept<{ clean: boolean; conflicts: string[] }>(maxKept);
  const keptLists = kept<{ sha: CommitSha; message: string }[]>(maxKeptLists);

  async function listTree(repo: RepoSlug, sha: CommitSha, folder: string): Promise<TreeEntry[]> {
    const objects = await bare.objects(repo);
    const top = await lookUp(objects, await treeOf(bare, repo, sha), latin1(folder));
    if (top?.mode !== folderMode) return [];
    const files = (await everything(objects, top.id)).filter(({ mode }) => isFileMode(mode));
    return Promise.all(
      files.map(async ({ mode, id, path }) => ({
        mode,
        blob: id,
        size: (await objects.info(id))?.size ?? 0,
        path: `${folder}/${utf8(path)}`,
      })),
    );
  }

  async function readFile(repo: RepoSlug, sha: CommitSha, path: string, maxBytes: number): Promise<string | null> {
    if (path.split('/').some((part) => ['', '.', '..'].includes(part))) return null;
    const objects = await bare.objects(repo);
    const line = await lookUp(objects, await treeOf(bare, repo, sha), latin1(path));
    if (line === null || !isFileMode(line.mode)) return null;
    const size = (await objects.info(line.id))?.size ?? 0;
    if (size <= maxBytes) return textOf((await objects.contents(line.id)) ?? Buffer.alloc(0), maxBytes);
    // One byte more shows that the file continues; the file itself may be larger than memory.
    const blob = await bare.run(repo, ['cat-file', 'blob', line.id], { cutAt: maxBytes + 1 });
    return textOf(Buffer.from(blob.stdout, 'latin1'), maxBytes);
  }

  async function codeTree(repo: RepoSlug, sha: CommitSha, folder: string): Promise<string> {
    const tree = await keptTrees(`${repo} ${sha} ${folder}`, async () =>
      treeWithout(await bare.objects(repo), await treeOf(bare, repo, sha), latin1(folder)),
    );
    return tree ?? '';
  }

  async function commitsSince(
    repo: RepoSlug,
    base: CommitSha,
    tip: CommitSha,
  ): Promise<{ sha: CommitSha; message: string }[]> {
    const range = [`--max-count=${maxCommits}`, '--first-parent', tip, '--not', base];
    return (await keptLists(`${repo} ${base} ${tip}`, () => log(repo, range))) ?? [];
  }

  async function mergeTree(
    repo: RepoSlug,
    base: CommitSha,
    tip: CommitSha,
  ): Promise<{ clean: boolean; conflicts: string[] }> {
    const merged = await keptMerges(`${repo} ${base} ${tip}`, () => mergedTree(bare, repo, base, tip));
    return { clean: merged?.clean ?? false, conflicts: merged?.conflicts ?? [] };
  }

  async function findCommit(repo: RepoSlug, ref: CommitSha, text: string, limit: number): Promise<CommitSha | null> {
    const commits = await keptLists(`${repo} ${ref} ${limit}`, () => log(repo, [`--max-count=${limit}`, ref]));
    return commits?.find(({ message }) => hasLine(message, text))?.sha ?? null;
  }

  async function log(repo: RepoSlug, range: string[]): Promise<{ sha: CommitSha; message: string }[]> {
    const { stdout } = await bare.run(repo, ['log', '-z', '--format=%H%n%B', ...range, '--']);
    return stdout
      .split('\0')
      .filter((text) => text !== '')
      .map((text) => ({ sha: parseCommitSha(text.slice(0, 40)), message: utf8(text.slice(41)) }));
  }

  return {
    has: (repo, sha) => hasCommit(bare, repo, sha),
    head: (repo, branch) => commitOf(bare, repo, `refs/heads/${branch}`),
    readFile,
    listTree,
    codeTree,
    commitsSince,
    isAncestor: async (...of) => (await keptAncestry(of.join(' '), () => ancestry(bare, ...of))) ?? false,
    mergeTree,
    findCommit,
  };
}
