import { rmSync } from 'node:fs';
import type { RepoSlug } from '../../model/index.ts';
import type { Finding, Repair, RepairDeps } from './repair.ts';

/** No step of orch takes as long: what is older was left by a process that is dead, milliseconds. */
const leftAfterMs = 3_600_000;

/** Folders and files that a killed process had made on the way to something else. */
export const leftovers: Repair = {
  name: 'leftovers of killed processes',
  find: async ({ git, workspaces, store }) => {
    const before = store.now() - leftAfterMs;
    const files = [...(await git.leftovers(before)), ...(await workspaces.leftovers(before))];
    return files.map(leftover);
  },
};

function leftover(file: string): Finding {
  return {
    line: `${file} was left by a process that is dead`,
    fix: () => {
      rmSync(file, { recursive: true, force: true });
      return Promise.resolve(`${file} removed`);
    },
  };
}

/** Bare copies that git cannot work with. Renamed, not removed: they may hold commits that are nowhere else. */
export const brokenCopies: Repair = {
  name: 'broken bare copies',
  find: async (deps) => {
    const broken = await Promise.all(deps.repos.map(async (repo) => ((await deps.git.isBroken(repo)) ? [repo] : [])));
    return broken.flat().map((repo) => brokenCopy(deps, repo));
  },
};

function brokenCopy({ git, store }: RepairDeps, repo: RepoSlug): Finding {
  return {
    line: `the bare copy of ${repo} is not a repository any more`,
    fix: async () =>
      `the bare copy of ${repo} moved to ${await git.moveBroken(repo, store.now())}; the next fetch makes a new one`,
  };
}
