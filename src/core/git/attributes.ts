import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { below, sizesOf, unchanged, type Files, type LeftOut, type Looking } from './candidates.ts';
import { isFileMode, type Change, type Entry } from './trees.ts';

/** What git knows of paths by `.gitattributes`. */
export type Attributes = Map<string, Record<string, string>>;

/** Attributes by which a checkout makes other bytes of a blob. */
const conversions = ['ident', 'eol', 'working-tree-encoding'];
/** No pointer of Git LFS is larger, bytes (its specification). */
const maxPointerBytes = 1024;

/** The object that a pointer of Git LFS stands for; null when the text is none. */
function pointer(text: string): { sha256: string; size: number } | null {
  const match =
    /^version https:\/\/git-lfs\.github\.com\/spec\/v1\n(?:.+\n)*?oid sha256:([0-9a-f]{64})\nsize (\d+)\n$/.exec(text);
  return match === null ? null : { sha256: match[1] ?? '', size: Number(match[2]) };
}

/**
 * Files that the branch wants passed through a filter (`filter=lfs`, `filter=git-crypt`), which orch does not run: it would be a
 * program of the repository's choice. As they are in the branch, or as the filter made them of it, they are no change; a
 * pointer of Git LFS may be moved and copied. Anything else would be published without its filter, in full or in the
 * clear, and is left out by name.
 */
export async function filteredFiles(
  look: Looking,
  files: Files,
  tracked: ReadonlyMap<string, Entry>,
  attributes: Attributes,
): Promise<LeftOut> {
  const filters = new Map([...attributes].filter(([raw, { filter }]) => files.get(raw)?.isFile() === true && filter));
  const known = [...filters.keys()].filter((raw) => tracked.has(raw));
  const blobOf = (raw: string): string => tracked.get(raw)?.blob ?? '';
  const sizeOf = (raw: string): number => files.get(raw)?.size ?? 0;
  const sizes = await sizesOf(look, known.map(blobOf));
  const left: LeftOut = new Map((await unchanged(look, known, tracked)).map((raw) => [raw, null]));
  const small = known.filter((raw) => !left.has(raw) && (sizes.get(blobOf(raw)) ?? 0) <= maxPointerBytes);
  const pointers = await blobsOf(look, small.map(blobOf));
  for (const [raw, { filter = '' }] of filters) {
    if (left.has(raw)) continue;
    if (await isObjectOf(look, raw, sizeOf(raw), pointers.get(blobOf(raw)) ?? '')) left.set(raw, null);
    else if (filter !== 'lfs' || sizeOf(raw) > maxPointerBytes || pointer(await text(look, raw)) === null)
      left.set(raw, `its filter "${filter}" (.gitattributes) is not run by orch: it has to be added by hand`);
  }
  return left;
}

/** Whether a file is the object that a pointer stands for. */
async function isObjectOf(look: Looking, raw: string, size: number, blob: string): Promise<boolean> {
  const known = pointer(blob);
  if (known === null || known.size !== size) return false;
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(below(look.folder, raw))) hash.update(chunk as Buffer);
  return hash.digest('hex') === known.sha256;
}

/** Contents of small blobs, as Latin-1. */
async function blobsOf({ bare, repo }: Looking, blobs: string[]): Promise<Map<string, string>> {
  const objects = await bare.objects(repo);
  const read = async (blob: string): Promise<[string, string]> => [
    blob,
    (await objects.contents(blob))?.toString('latin1') ?? '',
  ];
  return new Map(await Promise.all([...new Set(blobs)].map(read)));
}

async function text({ folder }: Looking, raw: string): Promise<string> {
  return (await readFile(below(folder, raw))).toString('latin1');
}

/**
 * Changed files that are byte for byte what the branch has, or what a checkout makes of it: git's conversions (`eol`, `text`,
 * `ident`, an encoding) would make another blob of them, although nobody touched them. Their blobs stay; a mode may change.
 */
export async function asCheckedOut(
  look: Looking,
  changes: Change[],
  attributes: Attributes,
): Promise<(Entry & { raw: string })[]> {
  const before = new Map<string, Entry>();
  const after = new Map<string, Entry>();
  for (const change of changes) {
    if (!isFile(change.before) || !isFile(change.after) || change.before.blob === change.after.blob) continue;
    before.set(change.raw, change.before);
    after.set(change.raw, change.after);
  }
  const same = new Set(await unchanged(look, [...before.keys()], before));
  const rest = [...before.keys()].filter((raw) => !same.has(raw));
  const converted = rest.filter((raw) => conversions.some((name) => attributes.get(raw)?.[name] !== undefined));
  for (const raw of converted) if (await isSmudged(look, raw, before.get(raw)?.blob ?? '')) same.add(raw);
  return [...same].map((raw) => ({ raw, mode: after.get(raw)?.mode ?? '', blob: before.get(raw)?.blob ?? '' }));
}

function isFile(entry: Entry | null): entry is Entry {
  return entry !== null && isFileMode(entry.mode);
}

async function isSmudged(look: Looking, raw: string, blob: string): Promise<boolean> {
  const args = ['cat-file', '--filters', `--path=${Buffer.from(raw, 'latin1').toString()}`, blob];
  const { stdout } = await look.bare.run(look.repo, args, look.there);
  return stdout === (await text(look, raw));
}

/** The attributes that matter and are set, for the paths that have one of them. */
export async function attributesOf({ bare, repo, there }: Looking, paths: string[]): Promise<Attributes> {
  const set: Attributes = new Map();
  const names = ['filter', ...conversions];
  if (paths.length === 0) return set;
  const input = Buffer.from(paths.map((raw) => `${raw}\0`).join(''), 'latin1');
  const parts = (await bare.run(repo, ['check-attr', '-z', '--stdin', ...names], { ...there, input })).stdout.split(
    '\0',
  );
  for (let at = 0; at + 2 < parts.length; at += 3) {
    const [raw = '', name = '', value = ''] = parts.slice(at, at + 3);
    if (value !== 'unspecified' && value !== 'unset') set.set(raw, { ...set.get(raw), [name]: value });
  }
  return set;
}
