import type { CommitSha, RepoSlug } from '../model/index.ts';
import type { Bare } from './bare.ts';
import { utf8 } from './run.ts';
import { removeFromIndex } from './scratch.ts';

/** One path that differs between two trees. */
export interface Change {
  /** Bytes of the path as Latin-1. */
  raw: string;
  path: string;
  /** A commit of another repository, put in as a submodule. */
  gitlink: boolean;
  /** Mode and blob in the older tree; null: it was not there. */
  before: { mode: string; blob: string } | null;
}

const none = '0'.repeat(40);

/**
 * The tree of a working folder, taken with orch's own git folder: hooks, filters, configuration and commits of the
 * folder's `.git` have no say; only its files do.
 */
export async function treeOfFolder(
  bare: Bare,
  repo: RepoSlug,
  folder: string,
  base: CommitSha,
  env: Record<string, string>,
): Promise<string> {
  await bare.run(repo, ['read-tree', base], { env });
  await bare.run(repo, ['--work-tree', folder, 'add', '--all', '--', ':/'], {
    env: { ...env, GIT_WORK_TREE: folder },
    timeoutMs: bare.timeouts.transferMs,
  });
  return (await bare.run(repo, ['write-tree'], { env })).stdout.trim();
}

export async function changesBetween(bare: Bare, repo: RepoSlug, before: string, after: string): Promise<Change[]> {
  const out = (await bare.run(repo, ['diff-tree', '-r', '-z', '--raw', '--no-renames', '--full-index', before, after]))
    .stdout;
  const parts = out.split('\0');
  const changes: Change[] = [];
  for (let i = 0; i + 1 < parts.length; i += 2) {
    const match = /^:(\d{6}) (\d{6}) ([0-9a-f]{40}) ([0-9a-f]{40}) [A-Z]/.exec(parts[i] ?? '');
    const raw = parts[i + 1];
    if (match === null || raw === undefined) continue;
    const [, oldMode = '', newMode = '', oldBlob = ''] = match;
    changes.push({
      raw,
      path: utf8(raw),
      gitlink: newMode === '160000',
      before: oldBlob === none ? null : { mode: oldMode, blob: oldBlob },
    });
  }
  return changes;
}

/** A patch of some paths, binary files included. */
export async function patchOf(
  bare: Bare,
  repo: RepoSlug,
  before: string,
  after: string,
  changes: Change[],
): Promise<string> {
  const paths = changes.map((change) => `:(top,literal)${change.path}`);
  const answer = await bare.run(repo, [
    'diff-tree',
    '-r',
    '-p',
    '--binary',
    '--no-renames',
    '--no-ext-diff',
    '--no-textconv',
    before,
    after,
    '--',
    ...paths,
  ]);
  return answer.stdout;
}

/** The index with some paths as they were before. */
export async function restoreInIndex(
  bare: Bare,
  repo: RepoSlug,
  env: Record<string, string>,
  changes: Change[],
): Promise<void> {
  await removeFromIndex(
    bare,
    repo,
    env,
    changes.filter((change) => change.before === null).map((change) => change.raw),
  );
  const back = changes
    .filter((change) => change.before !== null)
    .map((change) => `${change.before?.mode} ${change.before?.blob}\t${change.raw}\0`);
  if (back.length > 0)
    await bare.run(repo, ['update-index', '-z', '--add', '--index-info'], {
      env,
      input: Buffer.from(back.join(''), 'latin1'),
    });
}
