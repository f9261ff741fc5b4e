import { createHash } from 'node:crypto';
import { OrchError } from '../model/index.ts';
import type { ObjectReader } from './object-reader.ts';

/** One line of a tree object. */
export interface TreeLine {
  /** Octal digits as git stores them: `100644`, `40000`. */
  mode: string;
  /** Bytes as Latin-1. */
  name: string;
  id: string;
}

/** Mode and blob of a path in a tree. */
export interface Entry {
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

export const folderMode = '40000';

/** A regular file: not a link, a folder or a submodule's commit. */
export function isFileMode(mode: string): boolean {
  return mode.startsWith('100');
}

const idBytes = 20;

/** @throws OrchError `git_failed` when there is no such tree */
async function linesOf(objects: ObjectReader, tree: string): Promise<TreeLine[]> {
  const bytes = await objects.contents(tree);
  if (bytes === null) throw new OrchError(`the bare copy has no tree ${tree}`, { code: 'git_failed' });
  const lines: TreeLine[] = [];
  for (let at = 0; at < bytes.length;) {
    const space = bytes.indexOf(0x20, at);
    const end = bytes.indexOf(0, space);
    lines.push({
      mode: bytes.toString('latin1', at, space),
      name: bytes.toString('latin1', space + 1, end),
      id: bytes.toString('hex', end + 1, end + 1 + idBytes),
    });
    at = end + 1 + idBytes;
  }
  return lines;
}

/** What stands at a path (Latin-1 bytes) below a tree; null when nothing does. */
export async function lookUp(objects: ObjectReader, tree: string, path: string): Promise<TreeLine | null> {
  const [first = '', ...rest] = partsOf(path);
  const line = (await linesOf(objects, tree)).find(({ name }) => name === first) ?? null;
  if (line === null || rest.length === 0) return line;
  return line.mode === folderMode ? lookUp(objects, line.id, rest.join('/')) : null;
}

/** Everything below a tree that is no folder, with its path from there. */
export async function everything(objects: ObjectReader, tree: string): Promise<(TreeLine & { path: string })[]> {
  const lines = await linesOf(objects, tree);
  const found = await Promise.all(
    lines.map(async (line) => {
      if (line.mode !== folderMode) return [{ ...line, path: line.name }];
      const below = await everything(objects, line.id);
      return below.map((inner) => ({ ...inner, path: `${line.name}/${inner.path}` }));
    }),
  );
  return found.flat();
}

/**
 * The id of the tree that is left when a path (Latin-1 bytes) is taken out of one; folders that become empty go with it. It
 * is computed, not stored: the bare copy need not have an object of this id.
 */
export async function treeWithout(objects: ObjectReader, tree: string, path: string): Promise<string> {
  return (await without(objects, tree, partsOf(path))) ?? idOf([]);
}

async function without(objects: ObjectReader, tree: string, [first = '', ...rest]: string[]): Promise<string | null> {
  const lines = await linesOf(objects, tree);
  const line = lines.find(({ name }) => name === first);
  if (line?.mode !== folderMode) return tree;
  const left = rest.length === 0 ? null : await without(objects, line.id, rest);
  const after = lines.flatMap((one) => (one !== line ? [one] : left === null ? [] : [{ ...one, id: left }]));
  return after.length === 0 ? null : idOf(after);
}

function partsOf(path: string): string[] {
  return path.split('/').filter((part) => part !== '');
}

function idOf(lines: TreeLine[]): string {
  const parts = lines.map(({ mode, name, id }) =>
    Buffer.concat([Buffer.from(`${mode} ${name}\0`, 'latin1'), Buffer.from(id, 'hex')]),
  );
  const bytes = Buffer.concat(parts);
  return createHash('sha1').update(`tree ${bytes.length}\0`).update(bytes).digest('hex');
}
