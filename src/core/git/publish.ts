import { createHash } from 'node:crypto';
import { appendFile, open, readFile, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { CommitLimits, CommitSha, Published, RepoSlug, WorkspacePort } from '../model/index.ts';
import { parseCommitSha } from '../model/index.ts';
import { privateFolder, writeFileAtomic } from '../platform/files.ts';
import { makerTag } from '../platform/processes.ts';
import type { Log } from '../platform/log.ts';
import { identityEnv, type Bare } from './bare.ts';
import { indexOf, keepIndex } from './git-folder.ts';
import { committedPaths, foreignParents, mergedBase, ofBranch } from './merge-parents.ts';
import { commitOf, treeOf } from './reads.ts';
import { withIndex, type IndexEnv } from './scratch.ts';
import { beginFrom, treeOfFolder, treeWith } from './snapshot.ts';
import { gitlinkMode, type Change } from './trees.ts';

type Request = Parameters<WorkspacePort['commit']>[0];

/**
 * Makes one commit of the bot from a working folder, in the bare copy; what the role may not change is saved and taken
 * back. Every step can be repeated: the patch and its list are complete before the first file is taken back, and the same
 * work under the same message is the same commit.
 */
export async function commitFolder(
  bare: Bare,
  folder: string,
  request: Request,
  { limits, log }: { limits: CommitLimits; log: Log },
): Promise<Published> {
  const { repo, base } = request;
  const merged = await foreignParents(bare, repo, folder, base, log);
  const found = await ofBranch(bare, repo, merged, request.baseBranch);
  const judged = await mergedBase(bare, repo, base, found, request.allowed);
  const forced = await committedPaths(bare, repo, folder, base, log);
  const {
    tree: whole,
    changes,
    repositories,
    leftOut,
  } = await withIndex(
    bare,
    repo,
    async (env) => {
      const snapshot = await treeOfFolder(bare, repo, folder, judged.tree, env, { forced, limits });
      await keepIndex(env, folder);
      return snapshot;
    },
    indexOf(folder),
  );
  const { inside, outside } = sortByScope(changes, request.allowed);
  const tree =
    inside.length === changes.length
      ? whole
      : await withIndex(bare, repo, (env) => treeWith(bare, repo, env, judged.tree, inside));
  const listed = await savePatch(bare, request, judged.tree, outside);
  if (outside.length > 0) await takeBack(bare, repo, folder, whole, tree);
  // What the role may not change anyway is no loss to it.
  const kept = leftOut
    .filter(({ path: file }) => request.allowed(file))
    .map(({ path: file, why }) => `${file}: ${why}`);
  const others = leftOut.filter(({ path: file }) => !request.allowed(file)).map(({ path: file }) => file);
  const outOfScope = [...listed, ...repositories, ...others];
  const reported = { outOfScope, ...(kept.length === 0 ? {} : { leftOut: kept.sort() }) };
  if (tree === (await treeOf(bare, repo, base)) && judged.parents.length === 0)
    return { sha: base, committed: false, ...reported };
  return { sha: await commitOnce(bare, request, tree, [base, ...judged.parents]), committed: true, ...reported };
}

/** A path below one that the role may not take away is outside as well, else it would drive that one out. */
function sortByScope(changes: Change[], allowed: (path: string) => boolean): { inside: Change[]; outside: Change[] } {
  // Submodules stay as they are: nobody checks them out, so the folder says nothing about them.
  const own = changes.filter((change) => change.after?.mode !== gitlinkMode);
  const outside = own.filter((change) => !allowed(change.path));
  const kept = new Set(outside.filter((change) => change.before !== null).map((change) => change.raw));
  const keptFolders = new Set([...kept].flatMap(ancestors));
  const clashes = (change: Change): boolean =>
    change.after !== null && (keptFolders.has(change.raw) || ancestors(change.raw).some((above) => kept.has(above)));
  const inside = own.filter((change) => allowed(change.path));
  return { inside: inside.filter((change) => !clashes(change)), outside: [...outside, ...inside.filter(clashes)] };
}

function ancestors(raw: string): string[] {
  const above = path.posix.dirname(raw);
  return above === '.' ? [] : [above, ...ancestors(above)];
}

/**
 * Saves what is out of scope as a patch, and the paths next to it: a call after a crash, which finds some or all of them
 * taken back already, still names all of them. Answers the paths.
 */
async function savePatch(bare: Bare, request: Request, before: string, outside: Change[]): Promise<string[]> {
  const { repo, patchFile } = request;
  const list = `${patchFile}.json`;
  const listed = JSON.parse(await readFile(list, 'utf8').catch(() => '[]')) as string[];
  const known = new Set(listed);
  const fresh = outside.filter((change) => !known.has(change.path));
  if (fresh.length === 0) return listed;
  privateFolder(path.dirname(patchFile));
  const temporary = `${path.resolve(patchFile)}.${makerTag()}.tmp`;
  const after = await withIndex(bare, repo, (env) => treeWith(bare, repo, env, before, fresh));
  const how = ['-r', '-p', '--binary', '--full-index', '--no-renames', '--no-ext-diff', '--no-textconv'];
  // Written by git itself: bytes of any encoding, and more of them than fit into memory.
  await writeFile(temporary, '', { mode: 0o600 });
  await bare.run(repo, ['diff-tree', ...how, `--output=${temporary}`, before, after]);
  await flush(temporary);
  if (listed.length === 0) await rename(temporary, patchFile);
  else {
    await appendFile(patchFile, await readFile(temporary));
    await rm(temporary);
  }
  const all = [...listed, ...fresh.map((change) => change.path)];
  writeFileAtomic(list, JSON.stringify(all));
  return all;
}

/** To the disk, before the files whose content it holds are taken back. */
async function flush(file: string): Promise<void> {
  const handle = await open(file, 'r+');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Makes the working files those of the cleaned tree; git itself sees to it that no link leads the way out. */
async function takeBack(bare: Bare, repo: RepoSlug, folder: string, from: string, to: string): Promise<void> {
  const takeOut = async (env: IndexEnv): Promise<void> => {
    const there = { cwd: folder, env: { ...env, GIT_WORK_TREE: folder }, timeoutMs: bare.timeouts.transferMs };
    await beginFrom(bare, repo, from, there);
    await bare.run(repo, ['update-index', '-q', '--refresh'], { ...there, answers: [0, 1] });
    await bare.run(repo, ['read-tree', '--reset', '-u', to], there);
  };
  await withIndex(bare, repo, takeOut, indexOf(folder));
}

/** The same work under the same message is the same commit: a second call after a crash finds the first one's. */
async function commitOnce(bare: Bare, request: Request, tree: string, parents: CommitSha[]): Promise<CommitSha> {
  const { repo, branch, message } = request;
  const key = [branch, tree, ...parents, message].join('\0');
  const ref = `refs/orch/${createHash('sha256').update(key).digest('hex')}`;
  const known = await commitOf(bare, repo, ref);
  if (known !== null) return known;
  const args = ['commit-tree', tree, ...parents.flatMap((parent) => ['-p', parent]), '-F', '-'];
  const made = await bare.run(repo, args, { env: identityEnv(bare.identity), input: message });
  const sha = parseCommitSha(made.stdout.trim());
  await bare.run(repo, ['update-ref', ref, sha]);
  return sha;
}
