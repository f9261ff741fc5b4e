import type { CommitSha, ItemId, ProjectId, RepoSlug } from './ids.ts';
import type { ReviewRow, RepoPr, StatusRow } from './mirror.ts';
import type { MergeStyle } from './policy.ts';

/** A work item as Plane answers it; times in ms since the epoch. */
export interface PlaneItem {
  id: ItemId;
  number: number;
  name: string;
  /** Only filled by `item()`; the list leaves it out to spare its weight. */
  descriptionHtml: string | null;
  priority: string;
  stateId: string;
  labels: string[];
  updatedAt: number;
  updatedBy: string | null;
  archived: boolean;
}

export interface PlaneComment {
  id: string;
  html: string;
  actor: string;
  updatedBy: string | null;
  externalSource: string | null;
  externalId: string | null;
  /** Server's last change, ms; `created_at` is set by the author and orders nothing (spec 4.3). */
  updatedAt: number;
}

export interface PlaneState {
  id: string;
  name: string;
  group: 'backlog' | 'unstarted' | 'started' | 'completed' | 'cancelled' | 'triage';
}

export interface PlaneMember {
  id: string;
  email: string;
  displayName: string;
  /** 20 admin, 15 member, 5 guest; null where the server does not tell roles. */
  role: number | null;
}

/**
 * Plane's API, narrowed. Every call spends one request of the shared budget; throws OrchError: `plane_rate_limited`
 * (`retryAfterMs`), `plane_unreachable`, `plane_garbage`, `plane_server_error` (all to be tried again later), `plane_token_refused`
 * and `plane_forbidden` (exit `authentication`), `plane_not_found` (exit `notFound`), `plane_refused`.
 */
export interface PlanePort {
  /** Id of the account whose token this is. */
  me(): Promise<{ id: string; name: string }>;
  project(projectId: ProjectId): Promise<{ id: ProjectId; name: string; identifier: string; archived: boolean }>;
  states(projectId: ProjectId): Promise<PlaneState[]>;
  labels(projectId: ProjectId): Promise<{ id: string; name: string }[]>;
  members(projectId: ProjectId): Promise<PlaneMember[]>;
  /** One page of items, most recently updated first; `cursor` null for the first. */
  items(projectId: ProjectId, cursor: string | null): Promise<{ items: PlaneItem[]; next: string | null }>;
  /** Number of the newest item (`order_by=-sequence_id&per_page=1`); 0 in an empty project. */
  highestNumber(projectId: ProjectId): Promise<number>;
  /** Null when it is gone: deleted, archived, or in an archived project. */
  item(projectId: ProjectId, itemId: ItemId): Promise<PlaneItem | null>;
  itemByKey(identifier: string, number: number): Promise<{ id: ItemId; projectId: ProjectId } | null>;
  comments(projectId: ProjectId, itemId: ItemId): Promise<PlaneComment[]>;
  /**
   * Sends a comment under an external id, safely repeatable: after any answer but a clean 201 the comments are listed
   * for that id before anything is sent again (spec 4.3). `look`: list before the first try, too. `at`: the server's time of
   * the comment (`created_at` of the reply or of the listed one), ms.
   */
  comment(
    projectId: ProjectId,
    itemId: ItemId,
    comment: { html: string; externalId: string; look: boolean },
  ): Promise<{ id: string; at: number | null }>;
  setState(projectId: ProjectId, itemId: ItemId, stateId: string): Promise<void>;
  createState(projectId: ProjectId, state: { name: string; group: string; color: string }): Promise<PlaneState>;
  version(): Promise<string | null>;
  /** Requests that the budget still allows in this minute. */
  remaining(): number;
}

export interface GiteaRepo {
  slug: RepoSlug;
  defaultBranch: string;
  empty: boolean;
  archived: boolean;
  mirror: boolean;
  canPush: boolean;
  allowsManualMerge: boolean;
  mergeStyles: string[];
}

interface MergeRequest {
  number: number;
  head: CommitSha;
  style: MergeStyle;
  title: string;
  /** Body of the merge commit; carries the marker by which a crashed merge is found again. */
  message: string;
}

/**
 * Gitea's API through gitea-js, narrowed. Throws OrchError: `gitea_unreachable`, `gitea_garbage`, `gitea_server_error`,
 * `gitea_rate_limited` (all to be tried again later), `gitea_token_refused` and `gitea_forbidden`
 * (exit `authentication`), `gitea_not_found` (exit `notFound`), `gitea_refused`.
 */
export interface GiteaPort {
  me(): Promise<{ login: string }>;
  version(): Promise<string>;
  repo(repo: RepoSlug): Promise<GiteaRepo>;
  /** Most recently updated pull requests of any state, until one is older than `since` (ms since the epoch, null: all). */
  pulls(repo: RepoSlug, since: number | null): Promise<RepoPr[]>;
  pull(repo: RepoSlug, number: number): Promise<RepoPr | null>;
  /** Opens a pull request, or adopts the open one of the same branches. */
  openPull(
    repo: RepoSlug,
    pull: { title: string; body: string; head: string; base: string; labels: string[] },
  ): Promise<RepoPr>;
  /** All reviews, oldest first, every page read. */
  reviews(repo: RepoSlug, number: number): Promise<ReviewRow[]>;
  /** Posted with the second account where there is one. */
  postReview(
    repo: RepoSlug,
    number: number,
    review: { head: CommitSha; event: 'APPROVED' | 'REQUEST_CHANGES'; body: string },
  ): Promise<void>;
  /** Newest status of every context of a commit, every page read. */
  statuses(repo: RepoSlug, sha: CommitSha): Promise<StatusRow[]>;
  /** Asks for the merge once and answers what the server said; the caller reads the pull request again to decide. */
  merge(repo: RepoSlug, request: MergeRequest): Promise<{ status: number; message: string }>;
  protection(
    repo: RepoSlug,
    branch: string,
  ): Promise<{
    protected: boolean;
    requiredApprovals: number;
    statusCheck: boolean;
    contexts: string[];
    canPush: boolean;
    canMerge: boolean;
  } | null>;
  /** Whether `postReview` speaks with an account of its own. */
  hasReviewer(): boolean;
  /** Login of that account; null where there is none. Its reviews repeat the agent's verdict: they are no person's vote. */
  reviewerLogin(): Promise<string | null>;
}

export interface TelegramPort {
  /** Sends HTML to the configured chat; throws OrchError when it was not accepted within 5 s. */
  send(html: string): Promise<void>;
}
