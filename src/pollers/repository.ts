import type {
  CommitSha,
  Forge,
  NewMessage,
  ProjectPolicy,
  ProjectResolved,
  RepoSlug,
  Store,
  Task,
  TaskId,
} from '../core/model/index.ts';
import { isFinal } from '../core/model/index.ts';
import { holds } from '../core/pipeline/rules/holds.ts';

export interface RepositoryDeps {
  store: Store;
  forge: Forge;
  /** Gives bare copy and workspaces of a renamed repository its new name; may be called again after a crash. */
  moveCopies: (from: RepoSlug, to: RepoSlug) => Promise<void>;
}

/** What is known of a project's repository after this look. */
interface Followed {
  /** To be remembered; null: it could not be told yet. */
  repository: ProjectResolved['repository'];
  /** Tasks whose branches and pull requests are not in it. */
  lost: Set<TaskId>;
  messages: NewMessage[];
  /** Whether tasks have another repository now than before. */
  moved: boolean;
}

/**
 * Tasks follow their project's repository, which is its id on the server and not its name. One that was renamed or transferred takes
 * its tasks along, with bare copy and workspaces; one that took the place of another does not: its tasks are held.
 * Asked only when there is a reason: the name in the configuration is new, or a branch is missing.
 * @param tasks active tasks of the project
 */
export async function followRepository(
  policy: ProjectPolicy,
  known: ProjectResolved['repository'],
  tasks: Task[],
  heads: Map<string, CommitSha>,
  deps: RepositoryDeps,
): Promise<Followed> {
  const held = new Set(tasks.filter(isHeld).map(({ id }) => id));
  const free = tasks.filter(({ id }) => !held.has(id));
  const strayed = [...new Set(free.map(({ repo }) => repo))].filter((repo) => repo !== policy.repo);
  const missing = tasks.some((task) => hasBranch(task) && task.repo === policy.repo && !heads.has(task.branch));
  if (known?.slug === policy.repo && strayed.length === 0 && !missing)
    return { repository: known, lost: held, messages: [], moved: false };
  const { id } = await deps.forge.repo(policy.repo);
  const madeAgain = known?.slug === policy.repo && known.id !== id;
  const others = madeAgain ? free.filter(({ repo }) => repo === policy.repo) : [];
  let [allMoved, moved] = [true, false];
  for (const from of strayed) {
    const before = known?.slug === from ? known : await deps.forge.findRepo(from);
    if (before?.id !== id) others.push(...free.filter(({ repo }) => repo === from));
    else if (await move(policy, from, deps)) moved = true;
    else allMoved = false;
  }
  const lost = others.filter((task) => hasBranch(task) || task.repo !== policy.repo);
  const messages = lost.map((task): NewMessage => {
    const text = `${policy.repo} is another repository than the one in which this task began${task.repo === policy.repo ? '' : `, ${task.repo}`}`;
    return { taskId: task.id, sourceKey: `repository:${task.id}:${id}`, body: { kind: 'repository_replaced', text } };
  });
  return {
    // Remembered only when no task waits to hear of it or to be taken along: after a crash it is done again.
    repository: lost.length > 0 || !allMoved ? known : { id, slug: policy.repo },
    lost: new Set([...held, ...lost.map((task) => task.id)]),
    messages,
    moved,
  };
}

function hasBranch({ visit, stage }: Task): boolean {
  return visit > 0 && !isFinal(stage);
}

function isHeld({ hold }: Task): boolean {
  return hold?.cause === holds.repositoryReplaced.cause;
}

/** Folders first: killed in between, the next look finds them under the new name and the tasks under the old one. */
async function move(policy: ProjectPolicy, from: RepoSlug, deps: RepositoryDeps): Promise<boolean> {
  const to = policy.repo;
  // An agent that works in the folders keeps them; its task follows when it has ended.
  if ((await deps.store.runningJobs(null)).some(({ job }) => job.repo === from)) return false;
  await deps.moveCopies(from, to);
  return (await deps.store.moveRepository(policy.projectId, from, to)) === 'ok';
}
