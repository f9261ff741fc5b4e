import type {
  CommitSha,
  GitPort,
  Forge,
  Mirror,
  NamedLease,
  ProjectPolicy,
  ProjectResolved,
  RepoPr,
  RepoSlug,
  Task,
  TaskId,
} from '../core/model/index.ts';
import { OrchError } from '../core/model/index.ts';
import { holds } from '../core/pipeline/rules/holds.ts';
import { stageOfTask } from '../core/pipeline/stages/index.ts';
import { followRepository, type RepositoryDeps } from './repository.ts';

export interface ForgePollDeps extends RepositoryDeps {
  git: GitPort;
  leader: NamedLease;
}

type Stamps = ProjectResolved['pulls'];

/**
 * One look at a repository (spec 5): one `ls-remote`, one list of pull requests behind the watermark, and one status
 * request per head that some task waits for. Repositories without an active task are not asked at all.
 */
export async function pollForge(policy: ProjectPolicy, deps: ForgePollDeps): Promise<void> {
  const { store, git, forge, leader } = deps;
  const active = await tasksOf(policy, store);
  if (active.every((task) => task.visit === 0 && task.repo === policy.repo)) return;
  const project = await store.project(policy.projectId);
  const heads = await git.lsRemoteHeads(policy.repo);
  const { repository, lost, messages, moved } = await followRepository(
    policy,
    project.resolved.repository,
    active,
    heads,
    deps,
  );
  const current = moved ? await tasksOf(policy, store) : active;
  const tasks = current.filter((task) => task.repo === policy.repo && task.visit > 0 && !lost.has(task.id));
  const since = project.prWatermark === null ? null : project.prWatermark - forge.maxStampDelayMs;
  const withPr = tasks.some((task) => task.prNumber !== null);
  const list = withPr ? await listed(policy.repo, since, forge) : { pulls: [], complete: true };
  const known = project.resolved.pulls;
  const now = store.now();
  const mirrors: { taskId: TaskId; mirror: Mirror }[] = [];
  const read: RepoPr[] = [];
  let trouble: OrchError | null = null;
  for (const task of tasks) {
    const head = heads.get(task.branch) ?? null;
    mirrors.push({ taskId: task.id, mirror: { kind: 'branch', branch: task.branch, sha: head } });
    try {
      const pull = await pullOfTask(task, list, forge);
      const seen = pull === null ? [] : await pullMirrors(task, pull, maySayMore(pull, known, now, forge), forge);
      for (const sha of awaited(task, head))
        seen.push({
          taskId: task.id,
          mirror: { kind: 'statuses', sha, statuses: await forge.statuses(policy.repo, sha) },
        });
      mirrors.push(...seen);
      if (pull !== null) read.push(pull);
    } catch (error) {
      // What cannot be read of one task is no other's trouble; a server that does not answer is everybody's.
      if (!isOfOne(error)) throw error;
      trouble ??= error;
    }
  }
  // What could not be read of some task is read again: the list goes back as far as before.
  const newest = trouble === null ? list.pulls.map(({ updatedAt }) => updatedAt) : [];
  const watermark = Math.max(project.prWatermark ?? 0, ...newest);
  const recent = stampsOf(read, known, watermark - forge.maxStampDelayMs, now);
  await store.observe({
    leader,
    project: withPr
      ? { ...project, prWatermark: watermark, resolved: { ...project.resolved, repository, pulls: recent } }
      : { ...project, resolved: { ...project.resolved, repository } },
    newTasks: [],
    mirrors,
    messages,
  });
  if (trouble !== null) throw trouble;
}

/** Tasks of the project that have not ended. */
async function tasksOf({ projectId }: ProjectPolicy, store: ForgePollDeps['store']): Promise<Task[]> {
  return (await store.tasks({ active: true, projectId })).map((row) => row.task);
}

interface Listed {
  pulls: RepoPr[];
  /** Whether nothing that moved is missing. */
  complete: boolean;
}

/** Pull requests of one look that are read from the list; it is everybody's, strangers' included. */
const maxListed = 200;

/** What moved since the last look. A list that is too long, too large or too slow is no trouble: those of the tasks are read one by one. */
async function listed(repo: RepoSlug, since: number | null, forge: Forge): Promise<Listed> {
  try {
    const pulls = await forge.pulls(repo, since, maxListed);
    return { pulls, complete: pulls.length < maxListed };
  } catch (error) {
    if (isOfOne(error) || (error instanceof OrchError && error.kind === 'unreachable'))
      return { pulls: [], complete: false };
    throw error;
  }
}

async function pullOfTask(task: Task, { pulls, complete }: Listed, forge: Forge): Promise<RepoPr | null> {
  if (task.prNumber === null) return null;
  const moved = pulls.find((other) => other.number === task.prNumber);
  const pull = moved ?? (complete ? null : await forge.pull(task.repo, task.prNumber));
  // In another repository of the same name the number is somebody else's.
  return pull?.sameRepo === true && pull.headBranch === task.branch ? pull : null;
}

/** Whether a failure is about what was asked for, not about the server, the account or the pace. */
function isOfOne(error: unknown): error is OrchError {
  return error instanceof OrchError && error.kind === 'server';
}

/** Whether a pull request may hold reviews that were not read: its stamp is new, or so young that it may cover another change. */
function maySayMore(pull: RepoPr, known: Stamps, now: number, { stampResolutionMs }: Forge): boolean {
  const last = known[String(pull.number)];
  return last?.updatedAt !== pull.updatedAt || Math.abs(now - last.seenAt) < stampResolutionMs;
}

function stampsOf(pulls: RepoPr[], known: Stamps, since: number, now: number): Stamps {
  const stamps: Stamps = { ...known };
  for (const { number, updatedAt } of pulls) {
    const last = known[String(number)];
    stamps[String(number)] = last?.updatedAt === updatedAt ? last : { updatedAt, seenAt: now };
  }
  const own = new Set(pulls.map(({ number }) => String(number)));
  return Object.fromEntries(
    Object.entries(stamps).filter(([number, stamp]) => own.has(number) || stamp.updatedAt >= since),
  );
}

/** The pull request, and its reviews when it has moved and somebody's review may matter. */
async function pullMirrors(
  task: Task,
  pull: RepoPr,
  moved: boolean,
  forge: Forge,
): Promise<{ taskId: TaskId; mirror: Mirror }[]> {
  const { repo, sameRepo: _sameRepo, updatedAt: _updatedAt, ...mirror } = pull;
  const mirrors: { taskId: TaskId; mirror: Mirror }[] = [{ taskId: task.id, mirror }];
  if (stageOfTask(task).watchesReviews && moved) {
    mirrors.push({
      taskId: task.id,
      mirror: { kind: 'reviews', number: pull.number, reviews: await forge.reviews(repo, pull.number) },
    });
  }
  return mirrors;
}

/** Heads whose CI somebody waits for: the task's own, and the developer's commit behind later documents. */
export function awaited(task: Task, head: CommitSha | null): CommitSha[] {
  const cause = task.hold?.cause;
  const waits = [holds.ci, holds.ciSilent, holds.ciStuck, holds.mergeRefused].some((kind) => kind.cause === cause);
  // While a merge waits to be delivered, red code takes it back.
  const free = task.hold === null || cause === holds.delivering.cause;
  const watched = free && stageOfTask(task).watchesCi;
  if (!waits && !watched) return [];
  return [...new Set([head, task.progress.codeSha])].filter((sha): sha is CommitSha => sha !== null);
}
