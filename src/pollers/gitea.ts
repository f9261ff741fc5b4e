import type {
  CommitSha,
  GitPort,
  GiteaPort,
  Mirror,
  NamedLease,
  ProjectPolicy,
  RepoPr,
  Store,
  Task,
  TaskId,
} from '../core/model/index.ts';
import { isFinal } from '../core/model/index.ts';

export interface GiteaPollDeps {
  store: Store;
  git: GitPort;
  gitea: GiteaPort;
  leader: NamedLease;
}

/** Gitea's times have a resolution of one second, and pull requests are stamped after the fact. */
const overlapMs = 60_000;

/**
 * One look at a repository (spec 5): one `ls-remote`, one list of pull requests behind the watermark, and one status
 * request per head that some task waits for. Repositories without an active task are not asked at all.
 */
export async function pollGitea(policy: ProjectPolicy, deps: GiteaPollDeps): Promise<void> {
  const { store, git, gitea, leader } = deps;
  const rows = await store.tasks({ active: true, projectId: policy.planeProject });
  const tasks = rows
    .map((row) => row.task)
    .filter((task) => task.repo === policy.repo && task.visit > 0 && !isFinal(task.stage));
  if (tasks.length === 0) return;
  const project = await store.project(policy.planeProject);
  const heads = await git.lsRemoteHeads(policy.repo);
  const since = project.prWatermark === null ? null : project.prWatermark - overlapMs;
  const withPr = tasks.some((task) => task.prNumber !== null);
  const pulls = withPr ? await gitea.pulls(policy.repo, since) : [];
  const known = (project.resolved['pulls'] as Record<string, number> | undefined) ?? {};
  const mirrors: { taskId: TaskId; mirror: Mirror }[] = [];
  for (const task of tasks) {
    const head = heads.get(task.branch) ?? null;
    mirrors.push({ taskId: task.id, mirror: { kind: 'branch', branch: task.branch, sha: head } });
    const pull = pulls.find((other) => other.number === task.prNumber && other.sameRepo);
    if (pull !== undefined) mirrors.push(...(await pullMirrors(task, pull, known, gitea)));
    for (const sha of awaited(task, head)) {
      mirrors.push({
        taskId: task.id,
        mirror: { kind: 'statuses', sha, statuses: await gitea.statuses(policy.repo, sha) },
      });
    }
  }
  const watermark = pulls.reduce((newest, pull) => Math.max(newest, pull.updatedAt), project.prWatermark ?? 0);
  const recent = Object.fromEntries(
    [...Object.entries(known), ...pulls.map((pull) => [String(pull.number), pull.updatedAt] as const)].filter(
      ([, at]) => at >= watermark - overlapMs,
    ),
  );
  await store.observe({
    leader,
    project: withPr ? { ...project, prWatermark: watermark, resolved: { ...project.resolved, pulls: recent } } : null,
    newTasks: [],
    mirrors,
    messages: [],
  });
}

/** The pull request, and its reviews when it has moved and somebody's review may matter. */
async function pullMirrors(
  task: Task,
  pull: RepoPr,
  known: Record<string, number>,
  gitea: GiteaPort,
): Promise<{ taskId: TaskId; mirror: Mirror }[]> {
  const { repo, sameRepo: _sameRepo, updatedAt, ...mirror } = pull;
  const mirrors: { taskId: TaskId; mirror: Mirror }[] = [{ taskId: task.id, mirror }];
  if (task.stage === 'review' && known[String(pull.number)] !== updatedAt) {
    mirrors.push({
      taskId: task.id,
      mirror: { kind: 'reviews', number: pull.number, reviews: await gitea.reviews(repo, pull.number) },
    });
  }
  return mirrors;
}

/** Heads whose CI somebody waits for: the task's own, and the developer's commit behind later documents. */
function awaited(task: Task, head: CommitSha | null): CommitSha[] {
  const cause = task.hold?.cause;
  const waits = cause === 'ci' || cause === 'ci_silent' || cause === 'ci_stuck';
  const later =
    task.stage === 'testing' || (task.stage === 'review' && cause !== 'pr_review') || task.stage === 'deploy';
  if (!waits && !(later && task.hold === null)) return [];
  const code = task.handled['code_sha'] as CommitSha | undefined;
  return [...new Set([head, code])].filter((sha): sha is CommitSha => sha !== null && sha !== undefined);
}
