import { lstat } from 'node:fs/promises';
import path from 'node:path';
import type { CommitSha, RepoSlug } from '../model/index.ts';
import type { Bare } from './bare.ts';
import { utf8 } from './run.ts';
import { removeFromIndex } from './scratch.ts';

/** Mode and blob of a path in a tree. */
interface Entry {
  mode: string;
  blob: string;
}

/** One path that differs between two trees; null: it is not there. */
export interface Change {
  /** Bytes of the path as Latin-1. */
  raw: string;
  path: string;
  before: Entry | null;
  after: Entry | null;
}

/** A submodule's commit in a tree. */
export const gitlinkMode = '160000';

/**
 * The tree of a working folder, taken with orch's own git folder: hooks, filters, configuration and commits of the
 * folder's `.git` have no say; only its files do. Repositories within are named and left out: `git add` would look into
 * them by running git there, under a configuration that the agent wrote.
 * @param forced paths (Latin-1 bytes) that count although the branch ignores them
 */
export async function treeOfFolder(
  bare: Bare,
  repo: RepoSlug,
  folder: string,
  base: CommitSha,
  env: Record<string, string>,
  forced: string[] = [],
): Promise<{ tree: string; repositories: string[] }> {
  const there = { cwd: folder, env: { ...env, GIT_WORK_TREE: folder }, timeoutMs: bare.timeouts.transferMs };
  await bare.run(repo, ['read-tree', base], { env });
  const tracked = records((await bare.run(repo, ['ls-files', '-z', '--stage', '--modified'], there)).stdout).map(
    (line) => ({ raw: line.slice(line.indexOf('\t') + 1), gitlink: line.startsWith(gitlinkMode) }),
  );
  const others = records((await bare.run(repo, ['ls-files', '-z', '--others', '--exclude-standard'], there)).stdout);
  const ours = others.filter(isPublishable);
  const repositories = ours.filter((raw) => raw.endsWith('/'));
  const { add, remove } = await sortOut(folder, [
    ...tracked.filter(({ raw }) => isPublishable(raw)),
    ...[...ours.filter((raw) => !raw.endsWith('/')), ...forced.filter(isPublishable)].map((raw) => ({
      raw,
      gitlink: false,
    })),
  ]);
  await removeFromIndex(bare, repo, env, remove);
  if (add.length > 0) {
    const input = Buffer.from(add.map((raw) => `${raw}\0`).join(''), 'latin1');
    await bare.run(repo, ['update-index', '-z', '--add', '--replace', '--stdin'], { ...there, input });
  }
  return { tree: (await bare.run(repo, ['write-tree'], { env })).stdout.trim(), repositories: repositories.map(utf8) };
}

function records(output: string): string[] {
  return output.split('\0').filter((text) => text !== '');
}

/** Not orch's own folder, which a `.gitignore` of the branch may have made visible, nor a name that git keeps for itself. */
function isPublishable(raw: string): boolean {
  const parts = raw.split('/');
  return parts[0] !== '.orch' && !parts.some((part) => /^(\.git|git~\d+)[. ]*(:.*)?$/i.test(part));
}

/** Files and links that are there, and paths that are not any more or are something git does not keep (a pipe). */
async function sortOut(
  folder: string,
  found: { raw: string; gitlink: boolean }[],
): Promise<{ add: string[]; remove: string[] }> {
  const folders = new Map<string, boolean>([['.', true]]);
  const kindOf = async (raw: string): Promise<'keep' | 'folder' | 'none'> => {
    const stat = await lstat(Buffer.from(path.posix.join(toBytes(folder), raw), 'latin1')).catch(() => null);
    if (stat === null) return 'none';
    return stat.isDirectory() ? 'folder' : stat.isFile() || stat.isSymbolicLink() ? 'keep' : 'none';
  };
  // What lies behind a link is not in the folder, whatever the link's target holds.
  const isInside = async (parent: string): Promise<boolean> => {
    const known = folders.get(parent);
    if (known !== undefined) return known;
    const inside = (await isInside(path.posix.dirname(parent))) && (await kindOf(parent)) === 'folder';
    folders.set(parent, inside);
    return inside;
  };
  const [add, remove]: [Set<string>, Set<string>] = [new Set(), new Set()];
  for (const { raw, gitlink } of found) {
    const kind = (await isInside(path.posix.dirname(raw))) ? await kindOf(raw) : 'none';
    // A submodule's folder says nothing: agents cannot fetch one, so its commit stays as it is.
    if (gitlink && kind === 'folder') continue;
    if (kind === 'keep') add.add(raw);
    else remove.add(raw);
  }
  return { add: [...add], remove: [...remove].filter((raw) => !add.has(raw)) };
}

function toBytes(text: string): string {
  return Buffer.from(text).toString('latin1');
}

export async function changesBetween(bare: Bare, repo: RepoSlug, before: string, after: string): Promise<Change[]> {
  const args = ['diff-tree', '-r', '-z', '--raw', '--no-renames', '--full-index', before, after];
  const parts = (await bare.run(repo, args)).stdout.split('\0');
  const changes: Change[] = [];
  for (let i = 0; i + 1 < parts.length; i += 2) {
    const match = /^:(\d{6}) (\d{6}) ([0-9a-f]{40}) ([0-9a-f]{40}) [A-Z]/.exec(parts[i] ?? '');
    const raw = parts[i + 1];
    if (match === null || raw === undefined) continue;
    const [, oldMode = '', newMode = '', oldBlob = '', newBlob = ''] = match;
    changes.push({ raw, path: utf8(raw), before: entryOf(oldMode, oldBlob), after: entryOf(newMode, newBlob) });
  }
  return changes;
}

function entryOf(mode: string, blob: string): Entry | null {
  return mode === '000000' ? null : { mode, blob };
}

/** The tree that some changes make of another one. */
export async function treeWith(
  bare: Bare,
  repo: RepoSlug,
  env: Record<string, string>,
  tree: string,
  changes: Change[],
): Promise<string> {
  await bare.run(repo, ['read-tree', tree], { env });
  const gone = changes.filter((change) => change.after === null).map((change) => change.raw);
  await removeFromIndex(bare, repo, env, gone);
  const lines = changes.flatMap(({ raw, after }) => (after === null ? [] : [`${after.mode} ${after.blob}\t${raw}\0`]));
  if (lines.length > 0) {
    const input = Buffer.from(lines.join(''), 'latin1');
    await bare.run(repo, ['update-index', '-z', '--add', '--replace', '--index-info'], { env, input });
  }
  return (await bare.run(repo, ['write-tree'], { env })).stdout.trim();
}
