import type {
  CommitSha,
  GitPort,
  Forge,
  Mirror,
  NamedLease,
  ProjectPolicy,
  ProjectResolved,
  RepoPr,
  Store,
  Task,
  TaskId,
} from '../core/model/index.ts';
import { isFinal } from '../core/model/index.ts';
import { holds } from '../core/pipeline/rules/holds.ts';
import { stageOfTask } from '../core/pipeline/stages/index.ts';

export interface ForgePollDeps {
  store: Store;
  git: GitPort;
  forge: Forge;
  leader: NamedLease;
}

type Stamps = ProjectResolved['pulls'];

/**
 * One look at a repository (spec 5): one `ls-remote`, one list of pull requests behind the watermark, and one status
 * request per head that some task waits for. Repositories without an active task are not asked at all.
 */
export async function pollForge(policy: ProjectPolicy, deps: ForgePollDeps): Promise<void> {
  const { store, git, forge, leader } = deps;
  const rows = await store.tasks({ active: true, projectId: policy.projectId });
  const tasks = rows
    .map((row) => row.task)
    .filter((task) => task.repo === policy.repo && task.visit > 0 && !isFinal(task.stage));
  if (tasks.length === 0) return;
  const project = await store.project(policy.projectId);
  const heads = await git.lsRemoteHeads(policy.repo);
  const since = project.prWatermark === null ? null : project.prWatermark - forge.maxStampDelayMs;
  const withPr = tasks.some((task) => task.prNumber !== null);
  const pulls = withPr ? await forge.pulls(policy.repo, since) : [];
  const known = project.resolved.pulls;
  const now = store.now();
  const mirrors: { taskId: TaskId; mirror: Mirror }[] = [];
  for (const task of tasks) {
    const head = heads.get(task.branch) ?? null;
    mirrors.push({ taskId: task.id, mirror: { kind: 'branch', branch: task.branch, sha: head } });
    const pull = pulls.find((other) => other.number === task.prNumber && other.sameRepo);
    if (pull !== undefined)
      mirrors.push(...(await pullMirrors(task, pull, maySayMore(pull, known, now, forge), forge)));
    for (const sha of awaited(task, head)) {
      mirrors.push({
        taskId: task.id,
        mirror: { kind: 'statuses', sha, statuses: await forge.statuses(policy.repo, sha) },
      });
    }
  }
  const watermark = pulls.reduce((newest, pull) => Math.max(newest, pull.updatedAt), project.prWatermark ?? 0);
  const recent = stampsOf(pulls, known, watermark - forge.maxStampDelayMs, now);
  await store.observe({
    leader,
    project: withPr ? { ...project, prWatermark: watermark, resolved: { ...project.resolved, pulls: recent } } : null,
    newTasks: [],
    mirrors,
    messages: [],
  });
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
  return Object.fromEntries(Object.entries(stamps).filter(([, stamp]) => stamp.updatedAt >= since));
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
function awaited(task: Task, head: CommitSha | null): CommitSha[] {
  const cause = task.hold?.cause;
  const waits = [holds.ci, holds.ciSilent, holds.ciStuck, holds.mergeRefused].some((kind) => kind.cause === cause);
  // While a merge waits to be delivered, red code takes it back.
  const free = task.hold === null || cause === holds.delivering.cause;
  const watched = free && stageOfTask(task).watchesCi;
  if (!waits && !watched) return [];
  return [...new Set([head, task.progress.codeSha])].filter((sha): sha is CommitSha => sha !== null);
}
