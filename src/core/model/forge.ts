import type { CommitSha, RepoSlug } from './ids.ts';
import type { AnswerLine, LineRemark, PullComment } from './feedback.ts';
import type { ReviewRow, RepoPr, StatusRow } from './mirror.ts';
import type { MergeStyle, ReviewVerdict } from './policy.ts';

export interface Repository {
  /** The server's own number of it: stays when it is renamed or transferred, and is another when it is made again. */
  id: number;
  slug: RepoSlug;
  defaultBranch: string;
  empty: boolean;
  archived: boolean;
  mirror: boolean;
  /** Objects named by SHA-256: orch cannot work with such a repository. */
  isSha256: boolean;
  canPush: boolean;
  allowsManualMerge: boolean;
  mergeStyles: string[];
}

/** What a branch demands of a merge into it, as far as an account that may write can read it. */
export interface Protection {
  protected: boolean;
  /** Approvals by people whose vote counts. */
  requiredApprovals: number;
  /** Whether statuses of the head have to pass: those that the patterns in `contexts` mean, or all where there is no pattern. */
  statusCheck: boolean;
  contexts: string[];
  canPush: boolean;
  canMerge: boolean;
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
 * What the server said to a request for a merge. Whether it merged is read from the pull request: a failure may follow a
 * merge that was made.
 * - `asked`: it took the request;
 * - `head_moved`: the pull request has another head than was asked for;
 * - `not_yet`: it still checks, or is busy with another merge; an answer without a reason is one of these, too;
 * - `trouble`: of the server or of the account, not an answer about this merge;
 * - `refused`: no, for a reason that `said` names.
 */
export interface MergeAnswer {
  kind: 'asked' | 'head_moved' | 'not_yet' | 'trouble' | 'refused';
  /** The server's words, for people; the same words for the same answer. */
  said: string;
}

/** What is said on a pull request for an agent. */
export interface PostedAnswers {
  /** Stands in the text, in `keyMark`, and in nothing else. */
  key: string;
  head: CommitSha;
  text: string;
  lines: (AnswerLine & { text: string })[];
  /** All as one text: the server cannot place an answer at its line. */
  plain: boolean;
}

/**
 * Where repositories and pull requests live. Throws OrchError of kind `unreachable`, `server` or `limit` (all to be tried
 * again later), `authentication`, or `refusal`.
 */
export interface Forge {
  /** What people call it. */
  readonly product: string;
  /** Milliseconds for which a change may still appear with an older `updatedAt` than one that was seen already. */
  readonly maxStampDelayMs: number;
  /** Milliseconds after a stamp was first seen for which it may stand for further changes. */
  readonly stampResolutionMs: number;
  me(): Promise<{ login: string }>;
  version(): Promise<string>;
  /** @throws OrchError of kind `refusal` where there is none of this name, or only one that had it once */
  repo(repo: RepoSlug): Promise<Repository>;
  /** Also by a name that it had once; null where there is none. */
  findRepo(repo: RepoSlug): Promise<Repository | null>;
  /**
   * Most recently updated pull requests of any state, until one is older than `since` (ms since the epoch, null: all).
   * @param atMost ends the reading once it has so many: fewer are answered only where there are no more
   */
  pulls(repo: RepoSlug, since: number | null, atMost?: number): Promise<RepoPr[]>;
  pull(repo: RepoSlug, number: number): Promise<RepoPr | null>;
  /** Newest commits of a pull request, newest first: at least some, not all of a long one. */
  pullCommits(repo: RepoSlug, number: number): Promise<CommitSha[]>;
  /**
   * Opens a pull request, or adopts the open one of the same branches.
   * @param pull `look`: look for it before the request; without it, it is looked for where the answer is not a clear yes
   */
  openPull(
    repo: RepoSlug,
    pull: { title: string; body: string; head: string; base: string; labels: string[]; look: boolean },
  ): Promise<RepoPr>;
  /** All reviews, oldest first, every page read. */
  reviews(repo: RepoSlug, number: number): Promise<ReviewRow[]>;
  /**
   * Posted with the second account where there is one. Nothing is posted while the account's newest vote says the same of the
   * same head and was not dismissed.
   */
  postReview(
    repo: RepoSlug,
    number: number,
    review: { head: CommitSha; vote: ReviewVerdict; body: string },
  ): Promise<void>;
  /** Remarks at lines of one review, oldest first. */
  remarks(repo: RepoSlug, number: number, review: Pick<ReviewRow, 'id' | 'commit'>): Promise<LineRemark[]>;
  /** Comments on the pull request itself, oldest first. @throws OrchError of kind `refusal` where the account may not read them */
  comments(repo: RepoSlug, number: number): Promise<PullComment[]>;
  /**
   * Logins of those who may write to the repository, as far as an account that may write is told: in an organisation the
   * server may add members of teams that only read pull requests.
   */
  writers(repo: RepoSlug): Promise<string[]>;
  /**
   * Posts answers at lines and a text, as comments that are no vote. Nothing is posted that stands there with this key; what a try
   * that was cut off left is removed first.
   */
  answer(repo: RepoSlug, number: number, answers: PostedAnswers): Promise<void>;
  /** Newest status of every context of a commit, every page read. */
  statuses(repo: RepoSlug, sha: CommitSha): Promise<StatusRow[]>;
  /** Asks for the merge once; the caller reads the pull request again to decide. */
  merge(repo: RepoSlug, request: MergeRequest): Promise<MergeAnswer>;
  /** Null: there is no such branch. */
  protection(repo: RepoSlug, branch: string): Promise<Protection | null>;
  /** Whether `postReview` speaks with an account of its own. */
  hasReviewer(): boolean;
  /** Login of that account; null where there is none. Its reviews repeat the agent's verdict: they are no person's vote. */
  reviewerLogin(): Promise<string | null>;
}
