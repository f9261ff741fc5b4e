import type { CommitSha, RepoSlug } from './ids.ts';
import type { Published } from './job.ts';

export interface TreeEntry {
  path: string;
  blob: string;
  mode: string;
  size: number;
}

export interface GitIdentity {
  name: string;
  email: string;
}

/** What one commit of a workspace may hold, bytes. */
export interface CommitLimits {
  /** Of one file. */
  fileBytes: number;
  /** Of all files that are new or changed their size. */
  totalBytes: number;
}

/** Whether a commit's message has exactly this line: a marker inside a line may be somebody's title. */
export function hasLine(message: string, line: string): boolean {
  return message.split('\n').some((one) => one.trim() === line);
}

/**
 * The bare copy of every repository: the only thing that talks to the server, and nothing an agent can write to.
 * Throws OrchError with `retry: 'later'` for network trouble, `authentication` for a refused token.
 */
export interface GitPort {
  /** Heads of the server's branches, from one `git ls-remote --heads`. */
  lsRemoteHeads(repo: RepoSlug): Promise<Map<string, CommitSha>>;
  /**
   * Brings branches of the bare copy to where the server has them, or away when it has them no more; others that it does not
   * have either go with them. The copy is made on first use.
   * @param since a look at the server that this process began at this moment or later is believed, ms of `performance.now()`;
   * default: the server is asked now
   */
  fetch(repo: RepoSlug, branches: string[], since?: number): Promise<void>;
  /** Tells that orch changed branches on the server by another way, such as a merge: no earlier look is believed any more. */
  outdated(repo: RepoSlug): void;
  /** Whether the bare copy has the commit. */
  has(repo: RepoSlug, sha: CommitSha): Promise<boolean>;
  /** Head of a branch in the bare copy as last fetched. */
  head(repo: RepoSlug, branch: string): Promise<CommitSha | null>;
  /** Content of a file at a commit, up to `maxBytes`; null when absent, not a regular file, or not UTF-8. */
  readFile(repo: RepoSlug, sha: CommitSha, path: string, maxBytes: number): Promise<string | null>;
  /** Regular files below a folder at a commit, recursively; empty when there is no such folder. */
  listTree(repo: RepoSlug, sha: CommitSha, folder: string): Promise<TreeEntry[]>;
  /** Id of the commit's tree without `folder`: equal ids carry equal code (spec 2). */
  codeTree(repo: RepoSlug, sha: CommitSha, folder: string): Promise<string>;
  /** Commits of the branch since it left `base`, newest first. */
  commitsSince(repo: RepoSlug, base: CommitSha, head: CommitSha): Promise<{ sha: CommitSha; message: string }[]>;
  isAncestor(repo: RepoSlug, ancestor: CommitSha, descendant: CommitSha): Promise<boolean>;
  /** Whether `head` merges into `base` cleanly (`git merge-tree --write-tree`). */
  mergeTree(repo: RepoSlug, base: CommitSha, head: CommitSha): Promise<{ clean: boolean; conflicts: string[] }>;
  /** First commit of `ref` whose message contains the text, within the newest `limit` commits. */
  findCommit(repo: RepoSlug, ref: CommitSha, text: string, limit: number): Promise<CommitSha | null>;
  /** Makes a commit on top of `parent` without a checkout, in the bare copy only. */
  commitFiles(
    repo: RepoSlug,
    parent: CommitSha,
    files: { path: string; content: string }[],
    message: string,
  ): Promise<CommitSha>;
  /**
   * Pushes one commit to one branch, fast-forward only, and confirms that the server has it. `expected` null: the branch
   * must not exist yet. Answers `moved` when the server's branch is elsewhere; already there is `ok`.
   */
  push(repo: RepoSlug, sha: CommitSha, branch: string, expected: CommitSha | null): Promise<'ok' | 'moved'>;
  /** Whether the bare copy has gathered so much that packing is due; cheap. `now` in milliseconds. */
  crowded(repo: RepoSlug, now: number): Promise<boolean>;
  /**
   * Packs the bare copy and drops the refs of commits that are on the server and not `needed`; answers how many. Never
   * loses what is not on the server.
   */
  pack(repo: RepoSlug, needed: CommitSha[], now: number): Promise<number>;
  /** Gives the bare copy of a renamed repository its new name; a copy that is there already stays as it is. */
  rename(from: RepoSlug, to: RepoSlug): Promise<void>;
  /** Temporary files and folders of dead processes; where that cannot be seen, last changed before a moment, ms since the epoch. */
  leftovers(before: number): Promise<string[]>;
  /** Whether the bare copy lacks parts that every repository has. */
  isBroken(repo: RepoSlug): Promise<boolean>;
  /** Renames a broken bare copy, so that the next fetch makes a new one; answers its new path. */
  moveBroken(repo: RepoSlug, now: number): Promise<string>;
}

/** The clone an agent works in, one per task (spec 7). */
export interface WorkspacePort {
  pathOf(repo: RepoSlug, branch: string): string;
  /**
   * Fetches the branch and its base branch, then checks the branch out at the server's head, made from the bare copy. Work that is not pushed is never reset: then
   * it answers `dirty` (same branch point, uncommitted or unpushed work kept for the next attempt), or throws OrchError
   * `diverged` when the server's branch moved away from under it.
   */
  prepare(
    repo: RepoSlug,
    branch: string,
    baseBranch: string,
  ): Promise<{ path: string; head: CommitSha; state: 'clean' | 'dirty' }>;
  /**
   * Checks the branch out at the server's head in a folder of its own, for a program that judges what is committed: nothing an
   * agent left uncommitted is there, ignored or not.
   * @param caches what may stay from the last time, as lines of a `.gitignore`
   */
  prepareTests(
    repo: RepoSlug,
    branch: string,
    baseBranch: string,
    caches: string[],
  ): Promise<{ path: string; head: CommitSha }>;
  /** Folders outside a workspace that git reads from within it: the objects of the bare copy. */
  readPaths(repo: RepoSlug): string[];
  /** Whether the workspace holds changes or commits that are not on the server. */
  unpushed(repo: RepoSlug, branch: string): Promise<boolean>;
  /**
   * Commits everything since `base` that the role may change as one or more commits of the bot on top of `base`, the
   * agent's own commits included; what is out of scope goes to `patchFile` and is taken back. Repeatable: a second call
   * finds the first one's commit. Nothing leaves the machine.
   */
  commit(request: {
    repo: RepoSlug;
    branch: string;
    base: CommitSha;
    /** The only branch whose commits may be merged in; what is merged from any other is the agent's own doing. */
    baseBranch: string;
    allowed: (path: string) => boolean;
    message: string;
    patchFile: string;
  }): Promise<Published>;
  /** Makes sure that a commit of `commit` is in the bare copy, so that it can be pushed from there. @throws OrchError `commit_missing` */
  exportCommit(repo: RepoSlug, branch: string, sha: CommitSha): Promise<void>;
  remove(repo: RepoSlug, branch: string): Promise<void>;
  /** Gives the workspaces of a renamed repository its new name; those that are there already stay as they are. */
  rename(from: RepoSlug, to: RepoSlug): Promise<void>;
  /** Commits that the workspaces of a repository begin from or were published as, those of removed ones left out. */
  commits(repo: RepoSlug): Promise<CommitSha[]>;
  /** Temporary files and folders of dead processes; where that cannot be seen, last changed before a moment, ms since the epoch. */
  leftovers(before: number): Promise<string[]>;
}
