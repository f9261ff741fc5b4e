import type { CommitSha, GitPort, RepoSlug } from '../model/index.ts';
import { OrchError } from '../model/index.ts';
import type { Bare } from './bare.ts';
import { safeBranch } from './names.ts';
import type { Server } from './server.ts';

/** Where the bare copy records that the server has had a commit. */
export function pushedRef(sha: CommitSha): string {
  return `refs/orch/pushed/${sha}`;
}

/**
 * Branches are files for git: `feature` and `feature/x` cannot both exist. And a branch that is named like the full ref of
 * another one makes every push to that one ambiguous, however it is written: over HTTP git takes `refs/heads/x` for either.
 */
function isInWay(other: string, branch: string): boolean {
  return branch.startsWith(`${other}/`) || other.startsWith(`${branch}/`) || other === `refs/heads/${branch}`;
}

function branchInWay(repo: RepoSlug, branch: string, other: string): OrchError {
  return new OrchError(`branch ${branch} of ${repo} cannot be pushed while there is a branch ${other}`, {
    code: 'git_branch_in_way',
    hint: `Rename or delete the branch ${other} on the server (git push <address> :refs/heads/${other}).`,
  });
}

/** How commits get to the server: fast-forward only, and only a look at the server afterwards is believed. */
export function createPush(bare: Bare, server: Server, read: Pick<GitPort, 'has' | 'isAncestor'>): GitPort['push'] {
  /** Where the server's branch is, seen from the commit: whatever an answer said, only this is believed. */
  async function lookAt(repo: RepoSlug, sha: CommitSha, branch: string): Promise<CommitSha | null | 'there'> {
    const heads = await server.list(repo);
    const now = heads.get(branch) ?? null;
    if (now === sha) return 'there';
    if (now !== null) {
      // Others may have built upon the commit already: then it is on the server as well.
      if (!(await read.has(repo, now))) await server.fetch(repo, [branch]);
      if (await read.isAncestor(repo, sha, now)) return 'there';
    }
    const other = [...heads.keys()].find((name) => isInWay(name, branch));
    if (other !== undefined) throw branchInWay(repo, branch, other);
    return now;
  }

  /** Remembers that the server has it, so that a branch deleted or rewritten later does not make it look unpushed. */
  async function pushed(repo: RepoSlug, sha: CommitSha, branch: string, isNew: boolean): Promise<'ok'> {
    const record = `update ${pushedRef(sha)} ${sha}\n`;
    const both = isNew ? `${record}update refs/heads/${branch} ${sha}\n` : record;
    const { code } = await bare.run(repo, ['update-ref', '--stdin'], {
      input: both,
      answers: isNew ? [0, 1, 128] : [0],
    });
    // An outdated branch of the bare copy may be in the way; the next fetch moves both.
    if (code !== 0) await bare.run(repo, ['update-ref', '--stdin'], { input: record });
    return 'ok';
  }

  /**
   * A look before the push costs a listing, and the lease makes sure of the same at the server. What the lease cannot see is a
   * branch whose name git takes for this one: asked for where none of this process's earlier looks tells.
   */
  async function mayPush(repo: RepoSlug, sha: CommitSha, branch: string, expected: CommitSha | null): Promise<boolean> {
    if (expected !== null && !(await read.isAncestor(repo, expected, sha))) return false;
    const known = server.lastList(repo);
    return known !== null && ![...known.keys()].some((name) => isInWay(name, branch));
  }

  return async (repo, sha, branch, expected) => {
    const ref = `refs/heads/${safeBranch(branch)}`;
    if (!(await mayPush(repo, sha, branch, expected))) {
      const now = await lookAt(repo, sha, branch);
      if (now === 'there') return pushed(repo, sha, branch, false);
      if (now !== expected) return 'moved';
      if (expected !== null && !(await read.isAncestor(repo, expected, sha))) return 'moved';
    }
    let refusal: Error | null = null;
    try {
      const lease = `--force-with-lease=${ref}:${expected ?? ''}`;
      await server.push(repo, [lease, '--', server.url(repo), `${sha}:${ref}`]);
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      refusal = error;
    }
    const after = await lookAt(repo, sha, branch);
    if (after === 'there') return pushed(repo, sha, branch, true);
    if (after !== expected) return 'moved';
    if (refusal !== null) throw refusal;
    // A push that was reported done was once not on the server: only the server is believed.
    throw new OrchError(`Gitea took the push to ${repo} ${branch} but does not show it`, { code: 'git_push_lost' });
  };
}
