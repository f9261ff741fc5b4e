import { randomBytes } from 'node:crypto';
import type { Clock } from '../../core/platform/clock.ts';

export interface GiteaToken {
  value: string;
  /** `all`, or scopes such as `write:repository`. */
  scopes: string[];
}

export interface GiteaUser {
  id: number;
  login: string;
  email: string;
  tokens: GiteaToken[];
  siteAdmin: boolean;
}

export type Access = 'read' | 'write' | 'admin';
export type MergeMethod = 'merge' | 'rebase' | 'rebase-merge' | 'squash' | 'fast-forward-only';

export interface Review {
  id: number;
  user: string;
  state: string;
  body: string;
  commit: string;
  stale: boolean;
  official: boolean;
  dismissed: boolean;
  at: number;
  comments: LineComment[];
}

/** A comment at a line of the code, of a review. */
export interface LineComment {
  id: number;
  user: string;
  path: string;
  /** Below zero: a line of the file before the change. */
  line: number;
  body: string;
  commit: string;
  hunk: string;
  /** Who resolved the conversation that begins with it. */
  resolver: string | null;
  at: number;
}

/** A comment on the pull request itself. */
export interface PullComment {
  id: number;
  user: string;
  body: string;
  at: number;
}

export interface Pull {
  id: number;
  number: number;
  title: string;
  body: string;
  user: string;
  labels: number[];
  head: string;
  /** Set for a pull request from a fork: its head is a fixed commit of another repository. */
  fork: { repoId: number; owner: string; sha: string } | null;
  base: string;
  /** Head as last seen; kept in `refs/pull/N/head`, so it outlives the branch. */
  headSha: string;
  state: 'open' | 'closed';
  merged: { at: number; by: string; sha: string } | null;
  reviews: Review[];
  comments: PullComment[];
  createdAt: number;
  updatedAt: number;
  closedAt: number | null;
  /** Until then the conflict check runs: `mergeable` is false and a merge is refused. */
  checkingUntil: number;
}

export interface Protection {
  rule: string;
  enablePush: boolean;
  requiredApprovals: number;
  dismissStaleApprovals: boolean;
  ignoreStaleApprovals: boolean;
  blockOnRejectedReviews: boolean;
  blockOnOfficialReviewRequests: boolean;
  blockOnOutdatedBranch: boolean;
  enableStatusCheck: boolean;
  contexts: string[];
  /** Logins; null: everybody with write access. */
  approvalsWhitelist: string[] | null;
  mergeWhitelist: string[] | null;
  blockAdminMergeOverride: boolean;
}

export interface StatusRow {
  id: number;
  sha: string;
  state: string;
  context: string;
  description: string;
  targetUrl: string;
  creator: string;
  at: number;
}

export interface PushEvent {
  repo: Repo;
  branch: string;
  before: string | null;
  after: string | null;
  by: string;
}

export interface Repo {
  id: number;
  owner: string;
  name: string;
  /** Folder of the bare repository. */
  dir: string;
  defaultBranch: string;
  private: boolean;
  archived: boolean;
  objectFormat: 'sha1' | 'sha256';
  access: Map<string, Access>;
  styles: MergeMethod[];
  allowManualMerge: boolean;
  deleteBranchAfterMerge: boolean;
  labels: { id: number; name: string; color: string }[];
  pulls: Pull[];
  statuses: StatusRow[];
  protections: Protection[];
  /** Heads as last seen; what differs after a push is the push. */
  heads: Map<string, string>;
  updatedAt: number;
  createdAt: number;
  /** What git said about two commits, by `base head`: it never changes, and a list of pull requests asks for it often. */
  compared: Map<string, Promise<{ mergeBase: string; clean: boolean }>>;
  /** Merges of a repository are done one after the other; the check before is not part of it, as on the real server. */
  mergeQueue: Promise<unknown>;
}

export interface GiteaState {
  version: string;
  clock: Clock;
  url: string;
  /** Folder with `<owner>/<name>.git`. */
  root: string;
  /** How far the background work (stale reviews, closed pull requests, conflict checks) lags behind, milliseconds. */
  lagMs: number;
  /** Time between the moved base branch and the recorded merge: a client that goes away in it tears the pull request. */
  mergeGapMs: number;
  users: GiteaUser[];
  repos: Repo[];
  nextId: number;
  pushListeners: ((event: PushEvent) => void)[];
  timers: Set<NodeJS.Timeout>;
  /** Background work that has begun, so that closing can wait for it. */
  pending: Set<Promise<unknown>>;
}

export function newGiteaState(options: { clock: Clock; version: string; root: string; lagMs: number }): GiteaState {
  return {
    ...options,
    url: '',
    mergeGapMs: 0,
    users: [],
    repos: [],
    nextId: 1,
    pushListeners: [],
    timers: new Set(),
    pending: new Set(),
  };
}

export function nextId(state: GiteaState): number {
  return state.nextId++;
}

export function newGiteaToken(): string {
  return randomBytes(20).toString('hex');
}

/** Whether the server is at least this version, `1.26`. */
export function atLeast(state: GiteaState, version: string): boolean {
  const [major = 0, minor = 0] = state.version.split('.').map((part) => Number.parseInt(part, 10));
  const [wantedMajor = 0, wantedMinor = 0] = version.split('.').map(Number);
  return major > wantedMajor || (major === wantedMajor && minor >= wantedMinor);
}

export function accessOf(repo: Repo, login: string): Access | null {
  return login === repo.owner ? 'admin' : (repo.access.get(login) ?? (repo.private ? null : 'read'));
}

export function canWrite(repo: Repo, login: string): boolean {
  const access = accessOf(repo, login);
  return access === 'write' || access === 'admin';
}

/** The rule for a branch: an exact name wins over a pattern with `*`. */
export function protectionOf(repo: Repo, branch: string): Protection | undefined {
  return (
    repo.protections.find((row) => row.rule === branch) ??
    repo.protections.find((row) => {
      const source = row.rule
        .split('*')
        .map((part) => part.replace(/[.+?^${}()|[\]\\]/g, '\\$&'))
        .join('[^/]*');
      return row.rule.includes('*') && new RegExp(`^${source}$`).test(branch);
    })
  );
}

/** Runs work after the server's usual lag. */
export function background(state: GiteaState, work: () => Promise<void> | void): void {
  const timer = setTimeout(() => {
    state.timers.delete(timer);
    const run: Promise<unknown> = (async () => work())()
      .catch(() => {})
      .finally(() => state.pending.delete(run));
    state.pending.add(run);
  }, state.lagMs);
  state.timers.add(timer);
}
