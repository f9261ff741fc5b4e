import type { CommitSha, GitIdentity, GitPort, RepoSlug } from '../model/index.ts';
import { OrchError, parseCommitSha } from '../model/index.ts';
import { createCircuits } from '../platform/circuit.ts';
import { systemClock, type Clock } from '../platform/clock.ts';
import type { Network } from '../platform/network.ts';
import type { Log } from '../platform/log.ts';
import { retrying, retryPolicies } from '../platform/retry.ts';
import { coalesce } from '../platform/coalesce.ts';
import { renameFolder } from '../platform/files.ts';
import { createBare, identityEnv, type Bare, type GitTimeouts } from './bare.ts';
import { bareLeftovers, isBroken, moveBroken } from './leftovers.ts';
import { isCrowded, packBare } from './packing.ts';
import { reads } from './reads.ts';
import { hasBranch } from './refs.ts';
import { explainRemote, sha256 } from './remote-error.ts';
import { gitEnvironment } from './run.ts';
import { withIndex } from './scratch.ts';

export interface GitOptions {
  reposDir: string;
  /** Address of a repository from configuration; never holds a credential. */
  remoteUrl: (repo: RepoSlug) => string;
  token: () => string;
  /** Further secrets that no error may repeat: those of the other peers. */
  secrets?: () => string[];
  identity: GitIdentity;
  timeouts: GitTimeouts;
  /** Proxies and trusted authorities; default: what the environment says. */
  network?: Network;
  clock?: Clock;
  log: Log;
}

/** A branch name that git takes and that cannot be read as an option. @throws OrchError `bad_branch` */
export function safeBranch(branch: string): string {
  const bad =
    branch === '' ||
    branch.length > 200 ||
    /^[-/.]|\.\.|@\{|[\s~^:?*[\\\u0000-\u001f\u007f]|\/\/|\/\.|\.lock(\/|$)|[/.]$/.test(branch);
  if (bad) throw new OrchError(`"${branch}" is not a branch name`, { code: 'bad_branch' });
  return branch;
}

/** A path within the repository, not of git's own. @throws OrchError `bad_path` */
function safePath(path: string): string {
  const bad =
    path.includes('\0') || path.split('/').some((part) => ['', '.', '..', '.git'].includes(part.toLowerCase()));
  if (bad) throw new OrchError(`"${path}" is no path for a file of a repository`, { code: 'bad_path' });
  return path;
}

/**
 * git takes any page with status 200 for an old-fashioned repository without branches, a proxy's login page too. Taken as an
 * answer it would mean that every branch was deleted; a repository that orch works on has one at least.
 */
function listedNothing(repo: RepoSlug): OrchError {
  return new OrchError(`Gitea listed no branch of ${repo}: the repository is empty, or a page answers in its place`, {
    code: 'git_listed_nothing',
    hint: "Check that the configured address is Gitea's, that no proxy asks for a login, and that the base branch exists.",
  });
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

/** Where the bare copy records that the server has had a commit. */
export function pushedRef(sha: CommitSha): string {
  return `refs/orch/pushed/${sha}`;
}

/** The bare copies and everything that talks to the server. `bare` is for the workspaces next to it. */
export function createGit(options: GitOptions): GitPort & { bare: Bare } {
  const bare = createBare(options);
  const read = reads(bare);
  const circuits = createCircuits(options.clock ?? systemClock);

  /** The token goes to git by environment only: not in arguments, addresses or files (spec 12); to this server only. */
  async function remote(repo: RepoSlug, args: string[], timeoutMs: number): Promise<string> {
    const token = options.token();
    const basic = Buffer.from(`orch:${token}`).toString('base64');
    const { origin } = new URL(options.remoteUrl(repo));
    const env = {
      ...gitEnvironment([[`http.${origin}/.extraHeader`, `Authorization: Basic ${basic}`]]),
      ...options.network?.gitEnvironment(),
    };
    const explain = explainRemote(repo, args[0] ?? '', [basic, token, ...(options.secrets?.() ?? [])]);
    return (await bare.run(repo, args, { env, timeoutMs, explain })).stdout;
  }

  /** Reading: a repository that did not answer is not asked for a while. A push is always preceded and followed by a check. */
  function readRemote(repo: RepoSlug, args: string[], timeoutMs: number): Promise<string> {
    return circuits.through(repo, () => remote(repo, args, timeoutMs));
  }

  async function lsRemoteHeads(repo: RepoSlug): Promise<Map<string, CommitSha>> {
    const out = await readRemote(repo, ['ls-remote', '--heads', '--', options.remoteUrl(repo)], options.timeouts.gitMs);
    const heads = new Map<string, CommitSha>();
    for (const line of out.split('\n')) {
      const match = /^([0-9a-f]{40})\trefs\/heads\/(.+)$/.exec(line);
      if (match?.[1] !== undefined && match[2] !== undefined)
        heads.set(Buffer.from(match[2], 'latin1').toString('utf8'), parseCommitSha(match[1]));
      else if (/^[0-9a-f]{64}\t/.test(line)) throw sha256(repo);
    }
    if (heads.size === 0) throw listedNothing(repo);
    return heads;
  }

  // Another process's locks are held for moments.
  const isLocked = (error: unknown): boolean => error instanceof OrchError && error.code === 'git_locked';
  const fetch = coalesce((repo: RepoSlug) => retrying(retryPolicies.gitLock, isLocked, () => fetchNow(repo)));

  async function fetchNow(repo: RepoSlug): Promise<void> {
    await readRemote(
      repo,
      [
        'fetch',
        '--quiet',
        '--prune',
        '--no-tags',
        '--no-write-fetch-head',
        '--no-recurse-submodules',
        '--',
        options.remoteUrl(repo),
        '+refs/heads/*:refs/heads/*',
      ],
      options.timeouts.transferMs,
    );
    // Pruned away by such a page; the next fetch brings them back, their commits were never gone.
    if (!(await hasBranch(bare.pathOf(repo)))) throw listedNothing(repo);
  }

  async function commitFiles(
    repo: RepoSlug,
    parent: CommitSha,
    files: { path: string; content: string }[],
    message: string,
  ): Promise<CommitSha> {
    return withIndex(bare, repo, async (env) => {
      await bare.run(repo, ['read-tree', parent], { env });
      for (const file of files) {
        const blob = (await bare.run(repo, ['hash-object', '-w', '--stdin'], { input: file.content })).stdout.trim();
        await bare.run(repo, ['update-index', '-z', '--add', '--index-info'], {
          env,
          input: `100644 ${blob}\t${safePath(file.path)}\0`,
        });
      }
      const tree = (await bare.run(repo, ['write-tree'], { env })).stdout.trim();
      const made = await bare.run(repo, ['commit-tree', tree, '-p', parent, '-F', '-'], {
        env: identityEnv(options.identity),
        input: message,
      });
      return parseCommitSha(made.stdout.trim());
    });
  }

  /** Where the server's branch is, seen from the commit: whatever an answer said, only this is believed. */
  async function lookAt(repo: RepoSlug, sha: CommitSha, branch: string): Promise<CommitSha | null | 'there'> {
    const heads = await lsRemoteHeads(repo);
    const now = heads.get(branch) ?? null;
    if (now === sha) return 'there';
    if (now !== null) {
      // Others may have built upon the commit already: then it is on the server as well.
      if (!(await read.has(repo, now))) await fetch(repo);
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

  async function push(
    repo: RepoSlug,
    sha: CommitSha,
    branch: string,
    expected: CommitSha | null,
  ): Promise<'ok' | 'moved'> {
    const ref = `refs/heads/${safeBranch(branch)}`;
    const now = await lookAt(repo, sha, branch);
    if (now === 'there') return pushed(repo, sha, branch, false);
    if (now !== expected) return 'moved';
    if (expected !== null && !(await read.isAncestor(repo, expected, sha))) return 'moved';
    const lease = `--force-with-lease=${ref}:${expected ?? ''}`;
    const target = ['--', options.remoteUrl(repo), `${sha}:${ref}`];
    let refusal: Error | null = null;
    try {
      await remote(repo, ['push', '--quiet', '--porcelain', lease, ...target], options.timeouts.transferMs);
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      refusal = error;
    }
    const after = await lookAt(repo, sha, branch);
    if (after === 'there') return pushed(repo, sha, branch, true);
    if (after !== expected) return 'moved';
    if (refusal !== null) throw refusal;
    // A push that was reported done was once not on the server: only the server is believed.
    throw new OrchError(`Gitea took the push to ${repo} ${branch} but does not show it`, {
      code: 'git_push_lost',
    });
  }

  return {
    bare,
    lsRemoteHeads,
    fetch,
    commitFiles,
    push,
    crowded: (repo, now) => isCrowded(bare.pathOf(repo), now),
    pack: (repo, needed, now) => packBare(bare, repo, needed, now),
    leftovers: (before) => Promise.resolve(bareLeftovers(options.reposDir, before)),
    rename: (from, to) => Promise.resolve(renameFolder(bare.pathOf(from), bare.pathOf(to))),
    isBroken: (repo) => Promise.resolve(isBroken(bare.pathOf(repo))),
    moveBroken: (repo, now) => Promise.resolve(moveBroken(bare.pathOf(repo), now)),
    ...read,
  };
}
