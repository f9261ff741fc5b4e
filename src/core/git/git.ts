import type { CommitSha, GitIdentity, GitPort, RepoSlug } from '../model/index.ts';
import { OrchError, parseCommitSha } from '../model/index.ts';
import type { Log } from '../platform/log.ts';
import { createBare, identityEnv, type Bare, type GitTimeouts } from './bare.ts';
import { reads } from './reads.ts';
import { gitEnvironment, remoteError } from './run.ts';
import { withIndex } from './scratch.ts';

export interface GitOptions {
  reposDir: string;
  /** Address of a repository from configuration; never holds a credential. */
  remoteUrl: (repo: RepoSlug) => string;
  token: () => string;
  identity: GitIdentity;
  timeouts: GitTimeouts;
  log: Log;
}

/** A branch name that git takes and that cannot be read as an option. @throws OrchError `bad_branch` */
export function safeBranch(branch: string): string {
  const bad =
    branch === '' ||
    branch.length > 200 ||
    /^[-/.]|\.\.|@\{|[\s~^:?*[\\\u0000-\u001f\u007f]|\/\/|\/\.|\.lock(\/|$)|[/.]$/.test(branch);
  if (bad) throw new OrchError(`"${branch}" is not a branch name`, { code: 'bad_branch', exit: 'usage' });
  return branch;
}

/** The bare copies and everything that talks to the server. `bare` is for the workspaces beside it. */
export function createGit(options: GitOptions): GitPort & { bare: Bare } {
  const bare = createBare(options);
  const read = reads(bare);

  /** The token goes to git by environment only: not in arguments, addresses or files (spec 12). */
  function credential(): Record<string, string> {
    const basic = Buffer.from(`orch:${options.token()}`).toString('base64');
    return gitEnvironment([['http.extraHeader', `Authorization: Basic ${basic}`]]);
  }

  async function remote(repo: RepoSlug, args: string[], timeoutMs: number): Promise<string> {
    const env = credential();
    try {
      return (await bare.run(repo, args, { env, timeoutMs })).stdout;
    } catch (error) {
      throw remoteError(error, repo, args[0] ?? '');
    }
  }

  async function lsRemoteHeads(repo: RepoSlug): Promise<Map<string, CommitSha>> {
    const out = await remote(repo, ['ls-remote', '--heads', '--', options.remoteUrl(repo)], options.timeouts.gitMs);
    const heads = new Map<string, CommitSha>();
    for (const line of out.split('\n')) {
      const match = /^([0-9a-f]{40})\trefs\/heads\/(.+)$/.exec(line);
      if (match?.[1] !== undefined && match[2] !== undefined)
        heads.set(Buffer.from(match[2], 'latin1').toString('utf8'), parseCommitSha(match[1]));
    }
    return heads;
  }

  async function fetch(repo: RepoSlug): Promise<void> {
    await remote(
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
        await bare.run(repo, ['update-index', '--add', '--index-info'], {
          env,
          input: `100644 ${blob}\t${file.path}\n`,
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

  async function push(
    repo: RepoSlug,
    sha: CommitSha,
    branch: string,
    expected: CommitSha | null,
  ): Promise<'ok' | 'moved'> {
    const ref = `refs/heads/${safeBranch(branch)}`;
    const now = (await lsRemoteHeads(repo)).get(branch) ?? null;
    if (now === sha) return 'ok';
    if (now !== expected) return 'moved';
    if (expected !== null && !(await read.isAncestor(repo, expected, sha))) return 'moved';
    try {
      await remote(
        repo,
        [
          'push',
          '--quiet',
          '--porcelain',
          `--force-with-lease=${ref}:${expected ?? ''}`,
          '--',
          options.remoteUrl(repo),
          `${sha}:${ref}`,
        ],
        options.timeouts.transferMs,
      );
    } catch (error) {
      const after = (await lsRemoteHeads(repo)).get(branch) ?? null;
      if (after === sha) return 'ok';
      if (after !== expected) return 'moved';
      throw error;
    }
    const after = (await lsRemoteHeads(repo)).get(branch) ?? null;
    // A push that was reported done was not on the server once (research/replaced-system.md): believe only the server.
    if (after !== sha)
      throw new OrchError(`Gitea took the push to ${repo} ${branch} but does not show it`, {
        code: 'git_push_lost',
        retry: 'retry',
      });
    return 'ok';
  }

  return { bare, lsRemoteHeads, fetch, commitFiles, push, ...read };
}
