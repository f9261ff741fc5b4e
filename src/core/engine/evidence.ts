import type {
  Artifact,
  CommitSha,
  Evidence,
  EvidenceNeed,
  GitPort,
  Forge,
  LinkedPolicy,
  ProjectPolicy,
  RepoSlug,
  Seen,
  Snapshot,
  StatusRow,
  Store,
  Task,
} from '../model/index.ts';
import { errorWithHint, hasLine, isCommitSha } from '../model/index.ts';
import { documentFolder } from '../pipeline/artifacts.ts';
import { decide, needs as needsOf } from '../pipeline/decide.ts';
import { frontMatter } from '../pipeline/front-matter.ts';
import { databaseIn, itemTrailer } from '../pipeline/trailers.ts';
import { documentsRead, stageOfTask } from '../pipeline/stages/index.ts';
import type { Step } from '../pipeline/step.ts';
import { feedbackOn } from './feedback.ts';

export interface EvidenceDeps {
  /** Identity of the database. */
  database: string;
  git: GitPort;
  forge: Forge;
  /** From when on a look at the server is believed, ms of `performance.now()`: the start of the round. Default: it is asked now. */
  since?: number;
}

/** Documents above this size are handed on cut; a verdict's front matter stands at the top. */
const maxDocument = 256 * 1024;
/** How many commits behind the head are looked at for statuses of the same code. */
const sameCodeDepth = 20;

/**
 * Collects what the task's rules need and asks them; what they find out to need besides is collected, too, and they are
 * asked again.
 */
export async function ruling(
  s: Snapshot,
  policy: LinkedPolicy,
  deps: EvidenceDeps & { store: Pick<Store, 'now'> },
): Promise<Exclude<Step, { kind: 'look' }>> {
  let evidence = await collect(needsOf(s, policy), s, policy, deps);
  for (;;) {
    const step = decide(s, evidence, policy, deps.store.now());
    if (step.kind !== 'look') return step;
    const wanted = step.needs.filter((need) => evidence[need] === undefined);
    const more = await collect(wanted, s, policy, deps);
    if (wanted.every((need) => more[need] === undefined))
      throw new Error(`the decision about ${s.task.id} wants ${step.needs.join(', ')}, which cannot be collected`);
    evidence = { ...evidence, ...more };
  }
}

/** Fetches what a judgement needs: the only I/O of a decision. What cannot be had is `seen: false` with the reason. */
async function collect(
  needs: EvidenceNeed[],
  s: Snapshot,
  policy: ProjectPolicy,
  deps: EvidenceDeps,
): Promise<Evidence> {
  const evidence: Evidence = {};
  if (needs.length === 0) return evidence;
  const { task } = s;
  if (needs.includes('feedback') && task.prNumber !== null)
    evidence.feedback = await seen(() => feedbackOn(task.repo, task.prNumber ?? 0, deps.forge));
  if (needs.includes('intake')) evidence.intake = await seen(() => intake(task, deps));
  if (!needs.includes('head')) return evidence;
  evidence.head = await seen(() => headOf(s, deps));
  if (!evidence.head.seen) return evidence;
  const head = evidence.head.value;
  evidence.lineage = await seen(() => lineage(s, head, deps.git));
  evidence.artifacts = await seen(() => artifactsAt(task, head, deps.git));
  evidence.codeTree = await seen(() => deps.git.codeTree(task.repo, head, documentFolder(task.id)));
  if (needs.includes('merges')) evidence.merges = await seen(() => merges(task, head, deps.git));
  if (needs.includes('pull') && task.prNumber !== null)
    evidence.pull = await seen(() => pullNow(task.repo, task.prNumber ?? 0, deps.forge));
  if (needs.includes('protection')) evidence.protection = await seen(() => protection(task, head, deps.forge));
  if (!evidence.codeTree.seen) return evidence;
  const codeTree = evidence.codeTree.value;
  const sameCode = (sha: CommitSha): Promise<boolean> => hasCode(task, sha, codeTree, deps.git);
  if (needs.includes('statuses')) evidence.statuses = await seen(() => statuses(task, head, codeTree, deps));
  if (needs.includes('reviews') && task.prNumber !== null)
    evidence.reviews = await seen(() => reviews(task.repo, task.prNumber ?? 0, sameCode, deps));
  if (needs.includes('verdictCommit'))
    evidence.verdictCommit = await seen(() => verdictCommit(s, head, evidence.artifacts, sameCode, deps.git));
  return evidence;
}

type SeenValue<S> = S extends { seen: true; value: infer Value } ? Value : never;

async function seen<T>(look: () => Promise<T>): Promise<Seen<T>> {
  try {
    return { seen: true, value: await look() };
  } catch (error) {
    return { seen: false, reason: errorWithHint(error) };
  }
}

type BranchOwner = SeenValue<Evidence['intake']>['branchOwner'];

/** Whether somebody else's documents or branch stand where this task's would (spec 4.1). */
async function intake(
  task: Task,
  { git, database, since }: EvidenceDeps,
): Promise<{ folderOnBase: boolean; branchOwner: BranchOwner }> {
  await git.fetch(task.repo, [task.baseBranch, task.branch], since);
  const base = await git.head(task.repo, task.baseBranch);
  if (base === null) throw new Error(`${task.repo} has no branch ${task.baseBranch}`);
  const folder = await git.listTree(task.repo, base, documentFolder(task.id));
  const branch = await git.head(task.repo, task.branch);
  return {
    folderOnBase: folder.length > 0,
    branchOwner: branch === null ? 'none' : await branchOwner(task, base, branch, git, database),
  };
}

/**
 * An existing branch is this task's only when its first commit carries the item's trailer; one that another database of orch
 * began for the item is named with that.
 */
export async function branchOwner(
  task: { repo: RepoSlug; itemId: string },
  base: CommitSha,
  branch: CommitSha,
  git: GitPort,
  database: string,
): Promise<Exclude<BranchOwner, 'none'>> {
  const first = (await git.commitsSince(task.repo, base, branch)).at(-1)?.message ?? '';
  if (!hasLine(first, itemTrailer(task.itemId))) return 'other';
  const writer = databaseIn(first);
  return writer === null || writer === database ? 'this' : { database: writer };
}

/**
 * The head to judge: the server's own, asked in this round, because the poll's mirror may lag behind a push of our own. While the
 * server lists no such branch, the commit that the run published, if the bare copy has it.
 */
async function headOf(s: Snapshot, { git, since }: EvidenceDeps): Promise<CommitSha> {
  const { task, visit } = s;
  await git.fetch(task.repo, [task.baseBranch, task.branch], since);
  const server = await git.head(task.repo, task.branch);
  const published = visit?.finished?.sha ?? null;
  if (server === null) {
    if (published !== null && (await git.has(task.repo, published))) return published;
    throw new Error(`branch ${task.branch} is not on the server`);
  }
  return server;
}

/** A head that does not contain the last published commit was rewritten by somebody (spec 3.3). */
async function lineage(s: Snapshot, head: CommitSha, git: GitPort): Promise<{ intact: boolean; reference: CommitSha }> {
  const reference = s.task.progress.acceptedHead ?? s.visit?.finished?.sha ?? s.visit?.baseline.sha ?? head;
  return { intact: reference === head || (await git.isAncestor(s.task.repo, reference, head)), reference };
}

async function artifactsAt(task: Task, head: CommitSha, git: GitPort): Promise<Artifact[]> {
  const folder = documentFolder(task.id);
  const entries = await git.listTree(task.repo, head, folder);
  const read = documentsRead(task);
  return Promise.all(
    entries.map(async (entry) => {
      const path = entry.path.startsWith(`${folder}/`) ? entry.path.slice(folder.length + 1) : entry.path;
      const text = read.has(path) ? await git.readFile(task.repo, head, `${folder}/${path}`, maxDocument) : null;
      return { path, blob: entry.blob, size: entry.size, text };
    }),
  );
}

async function merges(task: Task, head: CommitSha, git: GitPort): Promise<{ clean: boolean; conflicts: string[] }> {
  const base = await git.head(task.repo, task.baseBranch);
  if (base === null) throw new Error(`${task.repo} has no branch ${task.baseBranch}`);
  return git.mergeTree(task.repo, base, head);
}

async function hasCode(task: Task, sha: CommitSha, codeTree: string, git: GitPort): Promise<boolean> {
  if (!(await git.has(task.repo, sha))) return false;
  return (await git.codeTree(task.repo, sha, documentFolder(task.id))) === codeTree;
}

/**
 * Statuses of the head and of the commits behind it that carry the same code: a documents-only push keeps CI's word, also
 * where CI skips such a push and says so.
 */
async function statuses(
  task: Task,
  head: CommitSha,
  codeTree: string,
  { git, forge }: EvidenceDeps,
): Promise<StatusRow[]> {
  const base = await git.head(task.repo, task.baseBranch);
  const behind = base === null ? [] : await git.commitsSince(task.repo, base, head);
  let rows: StatusRow[] = await forge.statuses(task.repo, head);
  for (const { sha } of behind.slice(0, sameCodeDepth)) {
    if (sha === head) continue;
    if (!(await hasCode(task, sha, codeTree, git))) break;
    const older = await forge.statuses(task.repo, sha);
    const said = new Set(older.map((row) => row.context));
    rows = [...rows.filter((row) => row.state !== 'skipped' || !said.has(row.context)), ...older];
  }
  return rows;
}

async function pullNow(repo: RepoSlug, number: number, forge: Forge): Promise<SeenValue<Evidence['pull']>> {
  const pull = await forge.pull(repo, number);
  if (pull === null) throw new Error(`pull request #${number} of ${repo} cannot be found`);
  return { merged: pull.merged, mergedSha: pull.mergedSha, baseBranch: pull.baseBranch };
}

/** The head's own statuses: the server asks for those of this very commit, whatever was said of the same code before. */
async function protection(task: Task, head: CommitSha, forge: Forge): Promise<SeenValue<Evidence['protection']>> {
  const rule = await forge.protection(task.repo, task.baseBranch);
  if (rule === null) throw new Error(`${task.repo} has no branch ${task.baseBranch}`);
  return { rule, statuses: rule.protected && rule.statusCheck ? await forge.statuses(task.repo, head) : [] };
}

async function reviews(
  repo: RepoSlug,
  number: number,
  sameCode: (sha: CommitSha) => Promise<boolean>,
  { forge }: EvidenceDeps,
): Promise<SeenValue<Evidence['reviews']>> {
  const pull = await forge.pull(repo, number);
  if (pull === null) throw new Error(`pull request #${number} of ${repo} cannot be found`);
  const own = await forge.reviewerLogin();
  const all = await forge.reviews(repo, number);
  const rows = await Promise.all(
    all
      .filter((row) => row.user !== own)
      .map(async (row) => ({ ...row, sameCode: isCommitSha(row.commit) && (await sameCode(row.commit)) })),
  );
  return { author: pull.author, rows, own: all.filter((row) => row.user === own) };
}

/**
 * The commit that the stage's document names: in full, or as the unambiguous beginning (seven digits at least) of one of the
 * branch. One that names none is about what the stage's agent published: code pushed afterwards was not judged.
 */
async function verdictCommit(
  s: Snapshot,
  head: CommitSha,
  artifacts: Evidence['artifacts'],
  sameCode: (sha: CommitSha) => Promise<boolean>,
  git: GitPort,
): Promise<{ named: string; sameCode: boolean } | null> {
  const { task, visit } = s;
  const { verdictDocument } = stageOfTask(task);
  const document = artifacts?.seen === true ? artifacts.value.find(({ path }) => path === verdictDocument) : undefined;
  const named = frontMatter(document?.text ?? '').keys['commit']?.toLowerCase();
  if (named === undefined || named === '') {
    const published = visit?.finished?.sha ?? null;
    return published === null ? null : { named: published, sameCode: await sameCode(published) };
  }
  if (isCommitSha(named)) return { named, sameCode: await sameCode(named) };
  const base = await git.head(task.repo, task.baseBranch);
  const commits = base === null || !/^[0-9a-f]{7,39}$/.test(named) ? [] : await git.commitsSince(task.repo, base, head);
  const matching = commits.filter((commit) => commit.sha.startsWith(named));
  const [only] = matching;
  return { named, sameCode: matching.length === 1 && only !== undefined && (await sameCode(only.sha)) };
}
