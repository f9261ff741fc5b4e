import { rm } from 'node:fs/promises';
import type { CommitLimits, RepoSlug } from '../model/index.ts';
import { asCheckedOut, attributesOf, filteredFiles } from './attributes.ts';
import type { Bare } from './bare.ts';
import { linkedOutside, sortOut, tooLarge, type Looking } from './candidates.ts';
import { treeOf } from './reads.ts';
import { utf8 } from './run.ts';
import { gitlinkMode, type Change, type Entry } from './trees.ts';
import { removeFromIndex, type IndexEnv } from './scratch.ts';

/** Where a call looks at working files by an index. */
export interface IndexPlace {
  cwd: string;
  env: IndexEnv & { GIT_WORK_TREE: string };
}

/** What a snapshot came to. */
export interface Snapshot {
  tree: string;
  /** What differs from the base. */
  changes: Change[];
  /** Repositories within the folder: named and not published. */
  repositories: string[];
  /** Files that count as unchanged although they are not, each with the reason, for people. */
  leftOut: { path: string; why: string }[];
}

/**
 * The tree of a working folder, taken with orch's own git folder: hooks, filters, configuration and commits of the
 * folder's `.git` have no say; only its files do. Repositories within are named and left out: `git add` would look into
 * them by running git there, under a configuration that the agent wrote. A file that is as a checkout made it is not
 * changed, whatever git's conversions would make of it.
 * @param base tree-ish that the files are compared with
 * @param forced paths (Latin-1 bytes) that count although the branch ignores them
 */
export async function treeOfFolder(
  bare: Bare,
  repo: RepoSlug,
  folder: string,
  base: string,
  env: IndexEnv,
  { forced = [], limits }: { forced?: string[]; limits: CommitLimits },
): Promise<Snapshot> {
  const there = { cwd: folder, env: { ...env, GIT_WORK_TREE: folder }, timeoutMs: bare.timeouts.transferMs };
  const look: Looking = { bare, repo, folder, there };
  await beginFrom(bare, repo, base, there);
  const how = ['ls-files', '-z', '-t', '--stage', '--modified', '--others', '--exclude-standard'];
  // `H <mode> <blob> 0<tab>path` is in the tree, `C …` the same line again for one that has changed, `? path` is new.
  const listed = records((await bare.run(repo, how, there)).stdout).map((line) => [line[0], line.slice(2)] as const);
  const tagged = (tag: string): string[] => listed.flatMap(([of, rest]) => (of === tag ? [rest] : []));
  const tracked = new Map(tagged('H').map((line) => [pathInIndex(line), entryInIndex(line)]));
  const changed = tagged('C').map(pathInIndex);
  const others = tagged('?');
  const ours = others.filter(isPublishable);
  const found = [...changed, ...ours.filter((raw) => !raw.endsWith('/')), ...forced].filter(isPublishable);
  const gitlinks = new Set([...tracked].flatMap(([raw, { mode }]) => (mode === gitlinkMode ? [raw] : [])));
  const repositories = ours.filter((raw) => raw.endsWith('/')).map(utf8);
  const { files, remove } = await sortOut(folder, found, gitlinks);
  const attributes = await attributesOf(look, [...files.keys()]);
  const left = new Map([
    ...(await filteredFiles(look, files, tracked, attributes)),
    ...(await tooLarge(look, files, tracked, limits)),
    ...(await linkedOutside(look, files, tracked)),
  ]);
  if (files.size === 0 && remove.length === 0)
    return { tree: await treeOf(bare, repo, base), changes: [], repositories, leftOut: [] };
  await removeFromIndex(bare, repo, env, remove);
  const add = [...files.keys()].filter((raw) => !left.has(raw));
  if (add.length > 0) {
    const input = Buffer.from(add.map((raw) => `${raw}\0`).join(''), 'latin1');
    await bare.run(repo, ['update-index', '-z', '--add', '--replace', '--stdin'], { ...there, input });
  }
  const tree = await writeTree(bare, repo, env);
  const changes = await changesBetween(bare, repo, base, tree);
  const untouched = await asCheckedOut(look, changes, attributes);
  await setInIndex(bare, repo, env, untouched);
  return {
    tree: untouched.length === 0 ? tree : await writeTree(bare, repo, env),
    changes: withEntries(changes, untouched),
    repositories,
    leftOut: [...left].flatMap(([raw, why]) => (why === null ? [] : [{ path: utf8(raw), why }])),
  };
}

/**
 * Puts a tree into the index; what is there already keeps what is known of its files.
 * @param there the call's place: within the working folder, since git looks at files that changed in the moment when the index
 * was last written
 */
export async function beginFrom(bare: Bare, repo: RepoSlug, tree: string, there: IndexPlace): Promise<void> {
  const { code } = await bare.run(repo, ['read-tree', '-m', '-i', tree], { ...there, answers: [0, 128] });
  if (code === 0) return;
  // The disk has damaged it.
  await rm(there.env.GIT_INDEX_FILE, { force: true });
  await bare.run(repo, ['read-tree', tree], there);
}

/** The changes when some paths have other entries in the end than it seemed. */
function withEntries(changes: Change[], entries: (Entry & { raw: string })[]): Change[] {
  const others = new Map(entries.map(({ raw, mode, blob }) => [raw, { mode, blob }]));
  return changes
    .map((change) => ({ ...change, after: others.get(change.raw) ?? change.after }))
    .filter(({ before, after }) => before?.mode !== after?.mode || before?.blob !== after?.blob);
}

function records(output: string): string[] {
  return output.split('\0').filter((text) => text !== '');
}

function pathInIndex(line: string): string {
  return line.slice(line.indexOf('\t') + 1);
}

/** `<mode> <blob> <stage>\t<path>` of `ls-files --stage`. */
function entryInIndex(line: string): Entry {
  const [mode = '', blob = ''] = line.split(' ', 2);
  return { mode, blob };
}

/** Not orch's own folder, which a `.gitignore` of the branch may have made visible, nor a name that git keeps for itself. */
function isPublishable(raw: string): boolean {
  const parts = raw.split('/');
  return parts[0] !== '.orch' && !parts.some((part) => /^(\.git|git~\d+)[. ]*(:.*)?$/i.test(part));
}

async function writeTree(bare: Bare, repo: RepoSlug, env: Record<string, string>): Promise<string> {
  return (await bare.run(repo, ['write-tree'], { env })).stdout.trim();
}

async function changesBetween(bare: Bare, repo: RepoSlug, before: string, after: string): Promise<Change[]> {
  if (before === after) return [];
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
  env: IndexEnv,
  tree: string,
  changes: Change[],
): Promise<string> {
  await bare.run(repo, ['read-tree', tree], { env });
  const gone = changes.filter((change) => change.after === null).map((change) => change.raw);
  await removeFromIndex(bare, repo, env, gone);
  const set = changes.flatMap(({ raw, after }) => (after === null ? [] : [{ raw, ...after }]));
  await setInIndex(bare, repo, env, set);
  return writeTree(bare, repo, env);
}

async function setInIndex(
  bare: Bare,
  repo: RepoSlug,
  env: Record<string, string>,
  entries: (Entry & { raw: string })[],
): Promise<void> {
  if (entries.length === 0) return;
  const input = Buffer.from(entries.map(({ mode, blob, raw }) => `${mode} ${blob}\t${raw}\0`).join(''), 'latin1');
  await bare.run(repo, ['update-index', '-z', '--add', '--replace', '--index-info'], { env, input });
}
