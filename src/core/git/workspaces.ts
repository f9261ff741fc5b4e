import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { CommitSha, GitIdentity, GitPort, PublishResult, RepoSlug, WorkspacePort } from '../model/index.ts';
import { OrchError, parseCommitSha, parseRepoSlug } from '../model/index.ts';
import { privateFolder, writeFileAtomic } from '../platform/files.ts';
import type { Log } from '../platform/log.ts';
import { identityEnv, type Bare } from './bare.ts';
import { safeBranch } from './git.ts';
import { foreignParents } from './merge-parents.ts';
import { runGit } from './run.ts';
import { withIndex } from './scratch.ts';
import { changesBetween, patchOf, restoreInIndex, treeOfFolder } from './snapshot.ts';

export interface WorkspaceOptions {
  workspacesDir: string;
  git: GitPort & { bare: Bare };
  identity: GitIdentity;
  log: Log;
}

/** The clones agents work in. What is published is always the working folder's files, never what its `.git` says. */
export function createWorkspaces(options: WorkspaceOptions): WorkspacePort {
  const { git } = options;
  const { bare } = git;

  /** Outside `A-Za-z0-9._-` becomes `_`; a hash keeps apart what that makes equal. */
  function pathOf(repo: RepoSlug, branch: string): string {
    const safe = branch
      .replace(/[^A-Za-z0-9._-]/g, '_')
      .replace(/^\.+/, '_')
      .slice(0, 100);
    const suffix = safe === branch ? '' : `-${createHash('sha256').update(branch).digest('hex').slice(0, 8)}`;
    return path.join(options.workspacesDir, parseRepoSlug(repo), `${safe}${suffix}`);
  }

  async function serverHead(repo: RepoSlug, branch: string): Promise<CommitSha> {
    const head = (await git.head(repo, safeBranch(branch))) ?? (await lastHead(repo, branch));
    if (head !== null) return head;
    throw new OrchError(`${repo} has no branch ${branch}`, {
      code: 'branch_missing',
      hint: 'Restore the branch on the server, then retry.',
    });
  }

  /** A server that deletes merged branches: the deployer still works on what was merged. */
  async function lastHead(repo: RepoSlug, branch: string): Promise<CommitSha | null> {
    const last = await syncedHead(pathOf(repo, branch));
    return last !== null && (await git.has(repo, last)) ? last : null;
  }

  /** Whether the files differ from a commit's. */
  async function differs(repo: RepoSlug, folder: string, from: CommitSha): Promise<boolean> {
    return withIndex(bare, repo, async (env) => {
      const tree = await treeOfFolder(bare, repo, folder, from, env);
      return tree !== (await bare.run(repo, ['rev-parse', `${from}^{tree}`])).stdout.trim();
    });
  }

  async function prepare(
    repo: RepoSlug,
    branch: string,
  ): Promise<{ path: string; head: CommitSha; state: 'clean' | 'dirty' }> {
    await git.fetch(repo);
    const head = await serverHead(repo, branch);
    const folder = pathOf(repo, branch);
    const begun = await syncedHead(folder);
    if (begun !== null && existsSync(folder) && (await differs(repo, folder, head))) {
      // Equal to where it began: nothing of the agent's is in it, the server has only moved on.
      if (begun === head || (await differs(repo, folder, begun))) {
        if (begun === head) {
          await renewGitFolder(repo, branch, folder, head, 'keep');
          return { path: folder, head, state: 'dirty' };
        }
        throw new OrchError(
          `the workspace of ${branch} holds work on ${begun.slice(0, 12)}, but the server's branch is at ${head.slice(0, 12)}`,
          {
            code: 'workspace_diverged',
            hint: `Take what you need from ${folder}, remove it, then retry.`,
          },
        );
      }
    }
    await renewGitFolder(repo, branch, folder, head, 'reset');
    await writeSynced(folder, head);
    return { path: folder, head, state: 'clean' };
  }

  /**
   * Gives the folder a new `.git` made from the bare copy: what an agent wrote into the old one (hooks, configuration,
   * refs) is gone. `keep` leaves the files alone, `reset` makes them the head's.
   */
  async function renewGitFolder(
    repo: RepoSlug,
    branch: string,
    folder: string,
    head: CommitSha,
    files: 'keep' | 'reset',
  ): Promise<void> {
    privateFolder(path.dirname(folder));
    const aside = `${folder}.git-${process.pid}`;
    await rm(aside, { recursive: true, force: true });
    const timeoutMs = bare.timeouts.transferMs;
    await runGit({
      args: [
        'clone',
        '--quiet',
        '--no-checkout',
        '--no-hardlinks',
        '--no-tags',
        '--template=',
        '--',
        await bare.ensure(repo),
        aside,
      ],
      timeoutMs,
    });
    const gitFolder = path.join(aside, '.git');
    await mkdir(path.join(gitFolder, 'info'), { recursive: true });
    await writeFile(path.join(gitFolder, 'info', 'exclude'), '/.orch/\n');
    const inClone = (args: string[]): Promise<unknown> =>
      runGit({ args: ['--git-dir', gitFolder, ...args], timeoutMs });
    await inClone(['config', '--unset', 'remote.origin.url']);
    await inClone(['config', 'user.name', options.identity.name]);
    await inClone(['config', 'user.email', options.identity.email]);
    await inClone(['update-ref', `refs/heads/${branch}`, head]);
    await inClone(['symbolic-ref', 'HEAD', `refs/heads/${branch}`]);
    await mkdir(folder, { recursive: true, mode: 0o700 });
    await rm(path.join(folder, '.git'), { recursive: true, force: true });
    await rename(gitFolder, path.join(folder, '.git'));
    await rm(aside, { recursive: true, force: true });
    const inFolder = (args: string[]): Promise<unknown> => runGit({ args: ['-C', folder, ...args], timeoutMs });
    if (files === 'keep') return void (await inFolder(['read-tree', head]));
    await inFolder(['reset', '--quiet', '--hard', head]);
    await inFolder(['clean', '--quiet', '-fd', '-e', '/.orch/']);
  }

  /** Beside the folder, where no agent writes: the commit its files began from. */
  const syncedFile = (folder: string): string => path.join(path.dirname(folder), `.${path.basename(folder)}.head`);

  async function syncedHead(folder: string): Promise<CommitSha | null> {
    const text = await readFile(syncedFile(folder), 'utf8').catch(() => '');
    return /^[0-9a-f]{40}$/.test(text.trim()) ? parseCommitSha(text.trim()) : null;
  }

  async function writeSynced(folder: string, head: CommitSha): Promise<void> {
    writeFileAtomic(syncedFile(folder), `${head}\n`);
    return Promise.resolve();
  }

  async function unpushed(repo: RepoSlug, branch: string): Promise<boolean> {
    const folder = pathOf(repo, branch);
    const begun = await syncedHead(folder);
    if (begun === null || !existsSync(folder)) return false;
    const head = await git.head(repo, branch);
    if (head !== null && !(await differs(repo, folder, head))) return false;
    return differs(repo, folder, begun);
  }

  async function commit(request: Parameters<WorkspacePort['commit']>[0]): Promise<PublishResult> {
    const { repo, branch, base } = request;
    const folder = pathOf(repo, branch);
    return withIndex(bare, repo, async (env) => {
      const baseTree = (await bare.run(repo, ['rev-parse', `${base}^{tree}`])).stdout.trim();
      const whole = await treeOfFolder(bare, repo, folder, base, env);
      const outside = (await changesBetween(bare, repo, baseTree, whole)).filter(
        (change) => change.gitlink || !request.allowed(change.path),
      );
      let tree = whole;
      if (outside.length > 0) {
        writeFileAtomic(
          request.patchFile,
          Buffer.from(await patchOf(bare, repo, baseTree, whole, outside), 'latin1').toString('utf8'),
        );
        await restoreInIndex(bare, repo, env, outside);
        tree = (await bare.run(repo, ['write-tree'], { env })).stdout.trim();
        await takeBack(repo, folder, whole, tree);
      }
      const outOfScope = outside.map((change) => change.path);
      const parents = await foreignParents(bare, repo, folder, base);
      if (tree === baseTree && parents.length === 0) return { sha: base, committed: false, outOfScope };
      return { sha: await commitOnce(request, tree, [base, ...parents]), committed: true, outOfScope };
    });
  }

  /** Makes the working files those of the cleaned tree; git itself sees to it that no link leads the way out. */
  async function takeBack(repo: RepoSlug, folder: string, from: string, to: string): Promise<void> {
    await withIndex(bare, repo, async (env) => {
      const inFolder = { env: { ...env, GIT_WORK_TREE: folder }, timeoutMs: bare.timeouts.transferMs };
      await bare.run(repo, ['read-tree', from], { env });
      await bare.run(repo, ['--work-tree', folder, 'update-index', '-q', '--refresh'], {
        ...inFolder,
        answers: [0, 1],
      });
      await bare.run(repo, ['--work-tree', folder, 'read-tree', '--reset', '-u', to], inFolder);
    });
  }

  /** The same work under the same message is the same commit: a second call after a crash finds the first one's. */
  async function commitOnce(
    request: Parameters<WorkspacePort['commit']>[0],
    tree: string,
    parents: CommitSha[],
  ): Promise<CommitSha> {
    const { repo, branch, message } = request;
    const key = createHash('sha256')
      .update([branch, tree, ...parents, message].join('\0'))
      .digest('hex');
    const ref = `refs/orch/${key}`;
    const known = await bare.run(repo, ['rev-parse', '--verify', '--quiet', `${ref}^{commit}`], {
      answers: [0, 1, 128],
    });
    if (known.code === 0) return parseCommitSha(known.stdout.trim());
    const args = ['commit-tree', tree, ...parents.flatMap((parent) => ['-p', parent]), '-F', '-'];
    const made = await bare.run(repo, args, { env: identityEnv(options.identity), input: message });
    const sha = parseCommitSha(made.stdout.trim());
    await bare.run(repo, ['update-ref', ref, sha]);
    return sha;
  }

  async function remove(repo: RepoSlug, branch: string): Promise<void> {
    const folder = pathOf(repo, branch);
    await rm(folder, { recursive: true, force: true });
    await rm(syncedFile(folder), { force: true });
  }

  return {
    pathOf,
    prepare,
    unpushed,
    commit,
    // The commit was made in the bare copy itself; all that is left is to make sure that it is there.
    deliver: async (repo, _branch, sha) => {
      if (!(await git.has(repo, sha)))
        throw new OrchError(`commit ${sha} is not in the bare copy of ${repo}`, { code: 'commit_missing' });
    },
    remove,
  };
}
