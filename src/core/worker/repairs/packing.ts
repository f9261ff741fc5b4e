import type { CommitSha, RepoSlug } from '../../model/index.ts';
import type { Repair, RepairDeps } from './repair.ts';

/** Newest runs of a task whose commits are kept. */
const newestRuns = 100;

/**
 * Bare copies gain objects and refs with every run, and git is set never to pack by itself. Once a day at most, and not
 * while a run of the repository is under way: it may take seconds, which nobody waits for then.
 */
export const packing: Repair = {
  name: 'bare copies that grow',
  find: async (deps) => {
    const busy = new Set((await deps.store.runningJobs(null)).map(({ job }) => job.repo));
    const quiet = deps.repos.filter((repo) => !busy.has(repo));
    const now = deps.store.now();
    const crowded = await Promise.all(quiet.map(async (repo) => ((await deps.git.crowded(repo, now)) ? [repo] : [])));
    return crowded.flat().map((repo) => ({
      line: `the bare copy of ${repo} has grown`,
      fix: async () => {
        const dropped = await deps.git.pack(repo, await neededCommits(deps, repo), now);
        return `the bare copy of ${repo} is packed, ${dropped} refs were not needed any more`;
      },
    }));
  },
};

/** Ended tasks that are looked through for cancelled ones; packed ones are none of them. */
const maxEnded = 100_000;

/** What tasks that are not done, and workspaces that are still there, may ask for. */
async function neededCommits(deps: RepairDeps, repo: RepoSlug): Promise<CommitSha[]> {
  const active = (await deps.store.tasks({ active: true })).map(({ task }) => task);
  // A cancelled task may be reopened; long after its end its branch on the server is what it goes on from.
  const ended = await deps.store.endedTasks(Number.MAX_SAFE_INTEGER, maxEnded);
  const needed = await deps.workspaces.commits(repo);
  for (const task of [...active, ...ended].filter((one) => one.repo === repo && one.stage !== 'done')) {
    const visits = await deps.store.visits(task.id);
    const runs = await deps.store.runs({ taskId: task.id, limit: newestRuns });
    needed.push(
      ...[task.mergedSha, ...visits.flatMap((visit) => [visit.baseline.sha, visit.finished?.sha])].flatMap(known),
    );
    needed.push(...runs.flatMap((run) => [run.baseSha, run.publishedSha]).flatMap(known));
  }
  return [...new Set(needed)];
}

function known(sha: CommitSha | null | undefined): CommitSha[] {
  return sha === null || sha === undefined ? [] : [sha];
}
