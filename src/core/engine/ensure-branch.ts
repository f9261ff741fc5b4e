import type { GitPort, RepoSlug } from '../model/index.ts';
import { OrchError } from '../model/index.ts';

/**
 * Makes the branch of an ad-hoc run from the base branch when it is not there yet (spec 3.4): the run works on what the
 * server has. Two that do it at once make the same branch; one that exists is left as it is.
 * @returns whether it was made now
 * @throws OrchError `base_missing`, `bad_branch`, and those of the git port
 */
export async function ensureBranch(git: GitPort, repo: RepoSlug, branch: string, baseBranch: string): Promise<boolean> {
  if ((await git.lsRemoteHeads(repo)).has(branch)) return false;
  await git.fetch(repo);
  const base = await git.head(repo, baseBranch);
  if (base === null) {
    throw new OrchError(`${repo} has no branch ${baseBranch} to start ${branch} from`, {
      code: 'base_missing',
      exit: 'notConfigured',
      hint: 'Set `baseBranch` of the project.',
    });
  }
  return (await git.push(repo, base, branch, null)) === 'ok';
}
