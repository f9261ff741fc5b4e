import type { Stats } from 'node:fs';
import { lstat, readdir } from 'node:fs/promises';
import path from 'node:path';
import type { CommitLimits, RepoSlug } from '../model/index.ts';
import type { Bare } from './bare.ts';
import type { GitCall } from './run.ts';
import type { Entry } from './trees.ts';

/** A working folder that is looked at with the bare copy's git and an index of its own. */
export interface Looking {
  bare: Bare;
  repo: RepoSlug;
  folder: string;
  there: Pick<GitCall, 'timeoutMs'> & { cwd: string; env: Record<string, string> };
}

/** Regular files and links of a working folder by path (Latin-1 bytes). */
export type Files = Map<string, Stats>;
/** Why files do not count, by path; null: as they are they are no change, and nobody need hear of them. */
export type LeftOut = Map<string, string | null>;

/** A path (Latin-1 bytes) below a folder, for the file system. */
export function below(folder: string, raw: string): Buffer {
  return Buffer.from(path.posix.join(Buffer.from(folder).toString('latin1'), raw), 'latin1');
}

/** Files and links that are there, and paths that are not any more or are something git does not keep (a pipe). */
export async function sortOut(
  folder: string,
  found: string[],
  gitlinks: ReadonlySet<string>,
): Promise<{ files: Files; remove: string[] }> {
  const folders = new Map<string, boolean>([['.', true]]);
  const statOf = (raw: string): Promise<Stats | null> => lstat(below(folder, raw)).catch(() => null);
  // What lies behind a link is not in the folder, whatever the link's target holds.
  const isInside = async (parent: string): Promise<boolean> => {
    const known = folders.get(parent);
    if (known !== undefined) return known;
    const inside = (await isInside(path.posix.dirname(parent))) && (await statOf(parent))?.isDirectory() === true;
    folders.set(parent, inside);
    return inside;
  };
  const files: Files = new Map();
  const remove = new Set<string>();
  for (const raw of found) {
    const stat = (await isInside(path.posix.dirname(raw))) ? await statOf(raw) : null;
    // A submodule's folder says nothing: agents cannot fetch one, so its commit stays as it is.
    if (gitlinks.has(raw) && stat?.isDirectory() === true) continue;
    if (stat?.isFile() === true || stat?.isSymbolicLink() === true) files.set(raw, stat);
    else remove.add(raw);
  }
  return { files, remove: [...remove].filter((raw) => !files.has(raw)) };
}

/**
 * Files that are too large for a commit: each beyond the limit of one, then the largest until the rest keeps the limit of all.
 * Found by their sizes alone; reading them would take the time that the limit is there to save.
 */
export async function tooLarge(
  look: Looking,
  files: Files,
  tracked: ReadonlyMap<string, Entry>,
  { fileBytes, totalBytes }: CommitLimits,
): Promise<LeftOut> {
  const regular = [...files].filter(([, stat]) => stat.isFile());
  const all = regular.reduce((sum, [, { size }]) => sum + size, 0);
  if (all <= totalBytes && regular.every(([, { size }]) => size <= fileBytes)) return new Map();
  const sizes = await sizesOf(
    look,
    regular.flatMap(([raw]) => tracked.get(raw)?.blob ?? []),
  );
  const changed = regular
    .map(([raw, { size }]) => ({ raw, size }))
    .filter(({ raw, size }) => sizes.get(tracked.get(raw)?.blob ?? '') !== size)
    .sort((a, b) => b.size - a.size);
  const left: LeftOut = new Map();
  let rest = changed.reduce((sum, { size }) => sum + size, 0);
  for (const { raw, size } of changed) {
    if (size <= fileBytes && rest <= totalBytes) break;
    rest -= size;
    const limit =
      size > fileBytes
        ? `more than the ${megabytes(fileBytes)} of one file`
        : `more than ${megabytes(totalBytes)} in all`;
    left.set(raw, `${megabytes(size)}, ${limit}`);
  }
  return left;
}

function megabytes(bytes: number): string {
  return `${Math.ceil(bytes / 1_000_000)} MB`;
}

/** Sizes of blobs in the bare copy, bytes. */
export async function sizesOf({ bare, repo }: Looking, blobs: string[]): Promise<Map<string, number>> {
  const objects = await bare.objects(repo);
  const found = await Promise.all([...new Set(blobs)].map((blob) => objects.info(blob)));
  return new Map(found.flatMap((info) => (info === null ? [] : [[info.id, info.size] as const])));
}

/**
 * Files with a further name outside of the folder: what they hold was not made here. Found by counting the names within; only
 * when a file has several.
 */
export async function linkedOutside(
  look: Looking,
  files: Files,
  tracked: ReadonlyMap<string, Entry>,
): Promise<LeftOut> {
  const linked = [...files].filter(([, stat]) => stat.isFile() && stat.nlink > 1);
  if (linked.length === 0) return new Map();
  const inside = await namesWithin(look.folder);
  const out = linked.filter(([, stat]) => (inside.get(inodeOf(stat)) ?? 0) < stat.nlink).map(([raw]) => raw);
  const same = new Set(await unchanged(look, out, tracked));
  return new Map(out.map((raw) => [raw, same.has(raw) ? null : 'a hard link to a file outside of the workspace']));
}

/** Those of the paths whose bytes are those of their blob, without any conversion. */
export async function unchanged(
  look: Looking,
  paths: string[],
  tracked: ReadonlyMap<string, Entry>,
): Promise<string[]> {
  const blobOf = (raw: string): string => tracked.get(raw)?.blob ?? '';
  const sizes = await sizesOf(
    look,
    paths.map(blobOf).filter((blob) => blob !== ''),
  );
  const sizeNow = await Promise.all(
    paths.map(async (raw) => (await lstat(below(look.folder, raw)).catch(() => null))?.size),
  );
  const known = paths.filter((raw, at) => sizeNow[at] !== undefined && sizes.get(blobOf(raw)) === sizeNow[at]);
  if (known.length === 0) return [];
  const input = known.map((raw) => `${quoted(raw)}\n`).join('');
  const how = ['hash-object', '--no-filters', '--stdin-paths'];
  const { stdout } = await look.bare.run(look.repo, how, { ...look.there, input });
  const hashes = stdout.split('\n');
  return known.filter((raw, at) => hashes[at] === blobOf(raw));
}

/** A path as git reads it back from a line: in C's quotes, other bytes than plain ones in octal. */
function quoted(raw: string): string {
  const bytes = raw.replace(/[^ !#-[\]-~]/g, (char) => `\\${char.charCodeAt(0).toString(8).padStart(3, '0')}`);
  return `"${bytes}"`;
}

function inodeOf({ dev, ino }: Stats): string {
  return `${dev}:${ino}`;
}

/** How many names each file with several of them has below a folder. */
async function namesWithin(folder: string): Promise<Map<string, number>> {
  const counts = new Map<string, number>();
  const waiting = [Buffer.from(folder)];
  for (let at = waiting.pop(); at !== undefined; at = waiting.pop()) {
    for (const entry of await readdir(at, { withFileTypes: true, encoding: 'buffer' }).catch(() => [])) {
      const full = Buffer.concat([at, Buffer.from('/'), entry.name]);
      if (entry.isDirectory()) waiting.push(full);
      if (!entry.isFile()) continue;
      const stat = await lstat(full).catch(() => null);
      if (stat !== null && stat.nlink > 1) counts.set(inodeOf(stat), (counts.get(inodeOf(stat)) ?? 0) + 1);
    }
  }
  return counts;
}
