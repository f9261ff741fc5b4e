import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { runCommand } from '../../core/platform/command.ts';

interface GitAnswer {
  code: number;
  out: string;
  err: string;
}

/** git of the sandbox sees no configuration but its own, and never asks anybody anything. */
export function gitEnvironment(extra: Record<string, string> = {}): Record<string, string> {
  const { PATH = '', HOME = '', LANG = 'C.UTF-8' } = process.env;
  return {
    PATH,
    HOME,
    LANG,
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_CONFIG_GLOBAL: '/dev/null',
    GIT_TERMINAL_PROMPT: '0',
    ...extra,
  };
}

export interface GitPerson {
  name: string;
  email: string;
}

function asPerson(person: GitPerson): Record<string, string> {
  return {
    GIT_AUTHOR_NAME: person.name,
    GIT_AUTHOR_EMAIL: person.email,
    GIT_COMMITTER_NAME: person.name,
    GIT_COMMITTER_EMAIL: person.email,
  };
}

/** Longest wait for a command of git on a small repository, milliseconds, and its longest answer, bytes. */
const limits = { timeoutMs: 120_000, maxBytes: 64 * 1024 * 1024 };

/** Runs git in a bare repository and answers whatever came of it. */
async function tryGit(
  dir: string,
  args: string[],
  options: { env?: Record<string, string>; input?: string } = {},
): Promise<GitAnswer> {
  const { env = {}, input = '' } = options;
  const end = await runCommand({
    file: 'git',
    args,
    cwd: dir,
    env: gitEnvironment(env),
    input,
    encoding: 'utf8',
    ...limits,
  });
  return { code: end.status ?? -1, out: end.stdout.trimEnd(), err: end.notStarted ?? end.stderr };
}

/** @throws Error with git's own words when it fails. */
export async function git(
  dir: string,
  args: string[],
  options: { env?: Record<string, string>; input?: string } = {},
): Promise<string> {
  const answer = await tryGit(dir, args, options);
  if (answer.code !== 0) throw new Error(`git ${args[0] ?? ''} ended with ${answer.code}: ${answer.err.trim()}`);
  return answer.out;
}

export async function initBare(dir: string, defaultBranch: string): Promise<void> {
  await git(path.dirname(dir), ['init', '-q', '--bare', `--initial-branch=${defaultBranch}`, dir]);
}

/** Branch → head of a bare repository. */
export async function heads(dir: string): Promise<Map<string, string>> {
  const out = await git(dir, ['for-each-ref', '--format=%(objectname) %(refname)', 'refs/heads']);
  const rows = out === '' ? [] : out.split('\n');
  return new Map(rows.map((row) => [row.slice(41 + 'refs/heads/'.length), row.slice(0, 40)]));
}

/** Full sha of a commit-ish, or null. */
export async function resolveCommit(dir: string, ref: string): Promise<string | null> {
  const answer = await tryGit(dir, ['rev-parse', '--verify', '--quiet', '--end-of-options', `${ref}^{commit}`]);
  return answer.code === 0 ? answer.out : null;
}

export async function isAncestor(dir: string, ancestor: string, descendant: string): Promise<boolean> {
  return (await tryGit(dir, ['merge-base', '--is-ancestor', ancestor, descendant])).code === 0;
}

export async function mergeBase(dir: string, a: string, b: string): Promise<string> {
  return (await tryGit(dir, ['merge-base', a, b])).out;
}

/** Tree of the merge of two commits, or null when they conflict. */
export async function mergeTree(dir: string, base: string, head: string): Promise<string | null> {
  const answer = await tryGit(dir, ['merge-tree', '--write-tree', base, head]);
  return answer.code === 0 ? (answer.out.split('\n', 1)[0] ?? null) : null;
}

export async function commitTree(
  dir: string,
  tree: string,
  parents: string[],
  message: string,
  by: GitPerson,
): Promise<string> {
  const args = ['commit-tree', tree, ...parents.flatMap((parent) => ['-p', parent])];
  return git(dir, args, { env: asPerson(by), input: message });
}

/** Moves a ref if it still is where it was; false when somebody else was faster. `to` null deletes it. */
export async function moveRef(dir: string, ref: string, from: string | null, to: string | null): Promise<boolean> {
  const zero = '0'.repeat(40);
  const args = to === null ? ['update-ref', '-d', ref, from ?? zero] : ['update-ref', ref, to, from ?? zero];
  return (await tryGit(dir, args)).code === 0;
}

/** Makes a commit with changed files (null removes one) on top of a parent, without a checkout. */
export async function commitFiles(
  dir: string,
  parent: string | null,
  files: Record<string, string | null>,
  message: string,
  by: GitPerson,
): Promise<string> {
  const folder = await mkdtemp(path.join(tmpdir(), 'orch-sandbox-index-'));
  const env = { GIT_INDEX_FILE: path.join(folder, 'index') };
  try {
    if (parent !== null) await git(dir, ['read-tree', parent], { env });
    for (const [file, content] of Object.entries(files)) {
      if (content === null) {
        await git(dir, ['update-index', '--force-remove', '--', file], { env });
        continue;
      }
      const blob = await git(dir, ['hash-object', '-w', '--stdin'], { input: content });
      await git(dir, ['update-index', '--add', '--cacheinfo', `100644,${blob},${file}`], { env });
    }
    const tree = await git(dir, ['write-tree'], { env });
    return await commitTree(dir, tree, parent === null ? [] : [parent], message, by);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Replays the commits of `head` on `base` in a throw-away work tree; null when that conflicts. */
export async function rebased(dir: string, base: string, head: string, by: GitPerson): Promise<string | null> {
  const folder = await mkdtemp(path.join(tmpdir(), 'orch-sandbox-rebase-'));
  const tree = path.join(folder, 'tree');
  try {
    await git(dir, ['worktree', 'add', '-q', '--detach', tree, head]);
    const answer = await tryGit(tree, ['rebase', '-q', base], { env: asPerson(by) });
    return answer.code === 0 ? await git(tree, ['rev-parse', 'HEAD']) : null;
  } finally {
    await tryGit(dir, ['worktree', 'remove', '--force', tree]);
    await rm(folder, { recursive: true, force: true });
  }
}
