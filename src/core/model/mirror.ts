import type { CommitSha, ItemId, ProjectId, RepoSlug } from './ids.ts';
import type { ReviewVerdict } from './policy.ts';

/** What a state of the tracker means, whatever it is called there. */
export const itemStateGroups = ['backlog', 'unstarted', 'started', 'completed', 'cancelled', 'triage'] as const;
export type ItemStateGroup = (typeof itemStateGroups)[number];

/** Whether an item in such a state is done or not wanted. */
export function isEndGroup(group: ItemStateGroup | ''): boolean {
  return group === 'completed' || group === 'cancelled';
}

/** What orch last saw of a work item. `present: false`: the server says it is gone (deleted, archived, moved away). */
export interface ItemMirror {
  kind: 'item';
  itemId: ItemId;
  projectId: ProjectId;
  number: number;
  present: boolean;
  name: string;
  descriptionHtml: string;
  priority: string;
  stateId: string;
  stateName: string;
  /** Empty where the tracker does not say which state it is. */
  stateGroup: ItemStateGroup | '';
  labels: string[];
  updatedBy: string | null;
  /** Whether the last editor may approve; lifts a hold when the card is moved (spec 3.3). */
  updatedByAllowed: boolean;
  /** Why the tracker does not show the item, or what was said in it; left out where it does. */
  unreadable?: string;
}

/** Head of a branch on the server, or null when there is no such branch. */
export interface BranchMirror {
  kind: 'branch';
  branch: string;
  sha: CommitSha | null;
}

export interface PrMirror {
  kind: 'pr';
  number: number;
  state: 'open' | 'closed';
  merged: boolean;
  mergedSha: CommitSha | null;
  headBranch: string;
  headSha: CommitSha;
  baseBranch: string;
  author: string;
  title: string;
}

export interface ReviewRow {
  id: number;
  user: string;
  /** `review_requested` takes that person's vote back; `commented` is everything that leaves a vote as it was. */
  state: ReviewVerdict | 'review_requested' | 'commented';
  commit: string;
  dismissed: boolean;
  /**
   * Whether the server counts this person's vote: they may write to the repository or, where the base branch lists who may
   * approve, are listed. Only a person's newest vote is counted.
   */
  counts: boolean;
  body: string;
  submittedAt: number;
  /** Remarks at lines that belong to it; absent in a mirror of an earlier version. */
  remarks?: number;
}

/** All reviews of one pull request, oldest first. */
interface ReviewsMirror {
  kind: 'reviews';
  number: number;
  reviews: ReviewRow[];
}

export interface StatusRow {
  id: number;
  context: string;
  /** What the server says, where `failed` is every word that is none of the others: warnings and unknown words, too (spec 3.1). */
  state: 'passed' | 'failed' | 'pending' | 'skipped';
  description: string;
  url: string;
  /** The commit it is about, where rows of several commits stand together. */
  commit?: CommitSha;
}

/** Newest status of every context of one commit. */
interface StatusesMirror {
  kind: 'statuses';
  sha: CommitSha;
  statuses: StatusRow[];
}

/** State compared, never queued (spec 2). A task holds one mirror per kind and key. */
export type Mirror = ItemMirror | BranchMirror | PrMirror | ReviewsMirror | StatusesMirror;
export type MirrorKind = Mirror['kind'];
export type MirrorOf<K extends MirrorKind> = Extract<Mirror, { kind: K }>;

/** The part of a mirror's identity in addition to task and kind: branch name, PR number, sha. */
export function mirrorKey(mirror: Mirror): string {
  switch (mirror.kind) {
    case 'item':
      return '';
    case 'branch':
      return mirror.branch;
    case 'pr':
    case 'reviews':
      return String(mirror.number);
    case 'statuses':
      return mirror.sha;
  }
}

/** A pull request as a poll lists it, before it is known to which task it belongs. */
export interface RepoPr extends PrMirror {
  repo: RepoSlug;
  sameRepo: boolean;
  updatedAt: number;
}
