import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import type { CommitSha, RepoSlug } from '../model/index.ts';
import { writeFileAtomic } from '../platform/files.ts';
import type { Bare } from './bare.ts';
import type { GitAnswer } from './run.ts';

/** A repository is packed at most this often, milliseconds; the time of the last try is kept in the bare copy. */
const packEveryMs = 24 * 3_600_000;
const stampFile = 'orch-packed';
/** git's own rule of thumb for "too many loose objects": files in one of the 256 folders, here about 2,000 in all. */
const fewLoose = 8;
const fewPacks = 20;
const fewRefs = 200;
/** What nothing points at stays this long: far longer than any run between making an object and pointing at it. */
const pruneAge = '2.weeks.ago';
/** Refs that keep what a task or a workspace may still ask for, whatever becomes of its branch. */
const pinned = 'refs/orch/needed/';
const pushed = 'refs/orch/pushed/';

/** Whether packing is due. Reads file names only, so it may be asked with every tick. */
export async function isCrowded(folder: string, now: number): Promise<boolean> {
  const last = Number(await readFile(path.join(folder, stampFile), 'utf8').catch(() => '0'));
  if (Math.abs(now - last) < packEveryMs) return false;
  const count = async (...names: string[]): Promise<number> =>
    (await readdir(path.join(folder, ...names)).catch(() => [])).length;
  if ((await count('objects', '17')) >= fewLoose || (await count('objects', 'pack')) >= 2 * fewPacks) return true;
  return (await count('refs', 'orch')) + (await count('refs', 'orch', 'pushed')) >= fewRefs;
}

/**
 * Drops the refs that nobody needs any more, then packs. A ref of orch's goes when its commit is on the server (below a
 * branch, or pushed once) and not in `needed`; one whose commit never got there stays forever. Killed at any moment it
 * leaves a whole repository: pins come before the refs they stand for go, and git does the rest.
 * @param needed commits that tasks and workspaces may still ask for
 * @returns how many refs were dropped
 */
export async function packBare(bare: Bare, repo: RepoSlug, needed: CommitSha[], now: number): Promise<number> {
  const folder = await bare.ensure(repo);
  // Before the work: a repository too big to be packed in time is tried again tomorrow, not with the next tick.
  writeFileAtomic(path.join(folder, stampFile), `${now}\n`);
  const refs = await refsOf(bare, repo, 'refs/orch/');
  const keep = new Set(needed);
  const there = await existing(bare, repo, needed);
  const missing = there.filter((sha) => !refs.has(`${pinned}${sha}`));
  const away = await notOnBranches(bare, repo, [...new Set(refs.values())]);
  const mayGo = (name: string, sha: CommitSha): boolean =>
    !keep.has(sha) && (name.startsWith(pinned) || !away.has(sha) || refs.has(`${pushed}${sha}`));
  const gone = [...refs].filter(([name, sha]) => mayGo(name, sha));
  const lines = [
    ...missing.map((sha) => `update ${pinned}${sha} ${sha}\n`),
    ...gone.map(([name, sha]) => `delete ${name} ${sha}\n`),
  ];
  if (lines.length > 0) await bare.run(repo, ['update-ref', '--stdin'], { input: lines.join('') });
  const pack = ['gc', '--quiet', `--prune=${pruneAge}`];
  const done = ({ code, stderr }: GitAnswer): boolean => code === 0 || stderr.includes('already running');
  await bare.run(repo, pack, { timeoutMs: bare.timeouts.transferMs, answers: done });
  return gone.length;
}

async function refsOf(bare: Bare, repo: RepoSlug, below: string): Promise<Map<string, CommitSha>> {
  const { stdout } = await bare.run(repo, ['for-each-ref', '--format=%(refname) %(objectname)', below]);
  const rows = stdout.split('\n').filter((line) => line !== '');
  return new Map(rows.map((line) => line.split(' ') as [string, CommitSha]));
}

async function existing(bare: Bare, repo: RepoSlug, commits: CommitSha[]): Promise<CommitSha[]> {
  const input = commits.map((sha) => `${sha}\n`).join('');
  const { stdout } = await bare.run(repo, ['cat-file', '--batch-check=%(objectname) %(objecttype)'], { input });
  return stdout.split('\n').flatMap((line) => (line.endsWith(' commit') ? [line.slice(0, 40) as CommitSha] : []));
}

/** Those of the commits that no branch of the server contains. */
async function notOnBranches(bare: Bare, repo: RepoSlug, commits: CommitSha[]): Promise<Set<string>> {
  const heads = new Set((await refsOf(bare, repo, 'refs/heads/')).values());
  const input = [...commits, ...[...heads].map((sha) => `^${sha}`)].map((line) => `${line}\n`).join('');
  const { stdout } = await bare.run(repo, ['rev-list', '--stdin'], { input });
  const listed = new Set(stdout.split('\n'));
  return new Set(commits.filter((sha) => listed.has(sha)));
}
