import type { CommitSha, GitPort, RepoSlug, TreeEntry } from '../model/index.ts';
import { hasLine, isCommitSha, parseCommitSha } from '../model/index.ts';
import type { Bare } from './bare.ts';
import { utf8 } from './run.ts';
import { removeFromIndex, withIndex } from './scratch.ts';

type Reads = Pick<
  GitPort,
  'has' | 'head' | 'readFile' | 'listTree' | 'codeTree' | 'commitsSince' | 'isAncestor' | 'mergeTree' | 'findCommit'
>;

/** Code trees are asked for again and again and never change; this many are remembered. */
const remembered = 2000;
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
    answers: ({ code, stderr }) => code <= 1 || stderr.includes('unrelated histories'),
  });
  if (answer.code > 1) return null;
  const [tree = '', ...paths] = answer.stdout.split('\0');
  const conflicts = answer.code === 0 ? [] : [...new Set(paths.filter((path) => path !== '').map(utf8))];
  return { tree, clean: answer.code === 0, conflicts };
}

export async function isAncestor(
  bare: Bare,
  repo: RepoSlug,
  ancestor: CommitSha,
  descendant: CommitSha,
): Promise<boolean> {
  const args = ['merge-base', '--is-ancestor', ancestor, descendant];
  return (await bare.run(repo, args, { answers: [0, 1, 128] })).code === 0;
}

/**
 * The commit of a ref by its whole name, null when there is none. `rev-parse` looks further: it takes the branch
 * `refs/heads/refs/heads/x`, which one mistyped push makes, for `refs/heads/x`.
 */
export async function commitOf(bare: Bare, repo: RepoSlug, ref: string): Promise<CommitSha | null> {
  const answer = await bare.run(repo, ['show-ref', '--verify', '--hash', ref], { answers: [0, 1, 128] });
  const sha = answer.stdout.trim();
  return answer.code === 0 && isCommitSha(sha) ? sha : null;
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
  const trees = new Map<string, string>();

  async function has(repo: RepoSlug, sha: CommitSha): Promise<boolean> {
    return (await bare.run(repo, ['cat-file', '-e', `${sha}^{commit}`], { answers: [0, 1, 128] })).code === 0;
  }

  async function head(repo: RepoSlug, branch: string): Promise<CommitSha | null> {
    return commitOf(bare, repo, `refs/heads/${branch}`);
  }

  async function listTree(repo: RepoSlug, sha: CommitSha, folder: string): Promise<TreeEntry[]> {
    const out = (await bare.run(repo, ['ls-tree', '-r', '-z', '--long', '--full-tree', sha, '--', `${folder}/`]))
      .stdout;
    return out
      .split('\0')
      .map((line) => /^(\d{6}) blob ([0-9a-f]{40}) +(\d+)\t(.+)$/s.exec(line))
      .filter((match) => match !== null && match[1] !== '120000')
      .map((match) => ({
        mode: match?.[1] ?? '',
        blob: match?.[2] ?? '',
        size: Number(match?.[3]),
        path: utf8(match?.[4] ?? ''),
      }));
  }

  async function readFile(repo: RepoSlug, sha: CommitSha, path: string, maxBytes: number): Promise<string | null> {
    if (path.split('/').some((part) => ['', '.', '..'].includes(part))) return null;
    const out = (await bare.run(repo, ['ls-tree', '-z', '--full-tree', sha, '--', path])).stdout;
    const match = /^(?:100644|100755) blob ([0-9a-f]{40})\t/.exec(out);
    if (match?.[1] === undefined) return null;
    // One byte more shows whether the file continues; the file itself may be larger than memory.
    const blob = await bare.run(repo, ['cat-file', 'blob', match[1]], { cutAt: maxBytes + 1 });
    return textOf(Buffer.from(blob.stdout, 'latin1'), maxBytes);
  }

  async function codeTree(repo: RepoSlug, sha: CommitSha, folder: string): Promise<string> {
    const key = `${repo} ${sha} ${folder}`;
    const known = trees.get(key);
    if (known !== undefined) return known;
    const tree = await withIndex(bare, repo, async (env) => {
      await bare.run(repo, ['read-tree', sha], { env });
      const inside = (
        await bare.run(repo, ['ls-tree', '-r', '-z', '--name-only', '--full-tree', sha, '--', `${folder}/`])
      ).stdout;
      await removeFromIndex(
        bare,
        repo,
        env,
        inside.split('\0').filter((path) => path !== ''),
      );
      return (await bare.run(repo, ['write-tree'], { env })).stdout.trim();
    });
    if (trees.size >= remembered) trees.clear();
    trees.set(key, tree);
    return tree;
  }

  async function commitsSince(
    repo: RepoSlug,
    base: CommitSha,
    tip: CommitSha,
  ): Promise<{ sha: CommitSha; message: string }[]> {
    const out = (
      await bare.run(repo, [
        'log',
        '-z',
        `--max-count=${maxCommits}`,
        '--first-parent',
        '--format=%H%n%B',
        tip,
        '--not',
        base,
        '--',
      ])
    ).stdout;
    return out
      .split('\0')
      .filter((text) => text !== '')
      .map((text) => ({ sha: parseCommitSha(text.slice(0, 40)), message: utf8(text.slice(41)) }));
  }

  async function mergeTree(
    repo: RepoSlug,
    base: CommitSha,
    tip: CommitSha,
  ): Promise<{ clean: boolean; conflicts: string[] }> {
    const merged = await mergedTree(bare, repo, base, tip);
    return { clean: merged?.clean ?? false, conflicts: merged?.conflicts ?? [] };
  }

  async function findCommit(repo: RepoSlug, ref: CommitSha, text: string, limit: number): Promise<CommitSha | null> {
    const out = (await bare.run(repo, ['log', `--max-count=${limit}`, '-z', '--format=%H%n%B', ref, '--'])).stdout;
    const found = out.split('\0').find((commit) => hasLine(utf8(commit), text));
    return found === undefined ? null : parseCommitSha(found.slice(0, 40));
  }

  return {
    has,
    head,
    readFile,
    listTree,
    codeTree,
    commitsSince,
    isAncestor: (...of) => isAncestor(bare, ...of),
    mergeTree,
    findCommit,
  };
}
