import type { ArtifactHashes } from './visit.ts';
import type { Hold } from './hold.ts';
import type { CommitSha, ItemId, ProjectId, RepoSlug, TaskId } from './ids.ts';
import type { ItemPhase, ReviewVerdict } from './policy.ts';
import type { OwnStage, Stage, WorkStage } from './stages.ts';

/** Counters of the bends that are capped (spec 3.3). They survive restarts and change only in commits and claims. */
export interface TaskCounters {
  developerReruns: number;
  questionRounds: number;
  rejections: number;
  conflictRounds: number;
}

/** What orch has already done or seen for a task, so that nothing counts twice. */
export interface TaskProgress {
  /** Key of the effect that makes the branch, while it is under way. */
  branchEffect: string | null;
  /** Key of the effect that opens the pull request, while it is under way. */
  pullEffect: string | null;
  /** Code tree that each stage approved last: other code at the head goes back to that stage. */
  approvedCode: Record<WorkStage, string>;
  /** The documents that a person approved, as they were then; absent where nobody has. */
  approvedDocuments?: ArtifactHashes;
  /** How often each of the team's own stages has failed. */
  fails: Record<WorkStage, number>;
  /** The verdict that was posted as a review of the pull request last, and on which commit. */
  postedVerdict: { verdict: ReviewVerdict; sha: CommitSha } | null;
  /** Rewritten head that an operator accepted. */
  acceptedHead: CommitSha | null;
  /** Another database of orch, whose branch an operator has taken over. */
  acceptedDatabase: string | null;
  /** Commit that the developer published last. */
  codeSha: CommitSha | null;
  /** Stage in which the task was cancelled, and whether the item was seen cancelled or gone. */
  cancelled: { stage: Stage; seen: boolean } | null;
  /**
   * Id of the tracker's state in which an operator reopened the task: the item's end that no longer counts, until the item
   * leaves that state.
   */
  overruled: string | null;
  /** Since when the item shows the phase of the present hold: only a card that was seen there can be moved away. */
  shownHold: { phase: ItemPhase; since: number } | null;
  /** What was missing in the work item when people were asked to complete it. */
  reportedDefects: string[];
  /** Runs and micro-dollars used when an operator lifted the caps last; the caps count from there. */
  runsFrom: number;
  costFromMicros: number;
  /** Numbers of the newest review and of the newest comment of the pull request that were handed on; absent: none was. */
  heard?: { review: number; comment: number };
  /** Check jobs that came to no answer; numbers the cause of the next one. */
  lostChecks: number;
  /** How often each comment was sent, by a digest of what it says; absent before the first. */
  said?: Record<string, number>;
  /** The item was seen at its end after the task was done: when it leaves that, people are told. Absent until then. */
  doneSeen?: boolean;
}

/** orch's record of a work item in the pipeline. */
export interface Task {
  id: TaskId;
  projectId: ProjectId;
  itemId: ItemId;
  /** The item's own number in the tracker. */
  number: number;
  title: string;
  repo: RepoSlug;
  branch: string;
  baseBranch: string;
  /** Name of the pipeline and its work stages, pinned when the task was made. */
  pipeline: string;
  pipelineStages: WorkStage[];
  /** The team's own stages among them, as they were configured when the task was made. */
  ownStages: OwnStage[];
  stage: Stage;
  /** Number of the current visit; 0 before the first. */
  visit: number;
  hold: Hold | null;
  paused: boolean;
  /** Phase that orch last asked for; a state is written only when this changes. */
  phase: ItemPhase | null;
  prNumber: number | null;
  mergedSha: CommitSha | null;
  counters: TaskCounters;
  progress: TaskProgress;
  createdAt: number;
  updatedAt: number;
  stageSince: number;
}

/** What the store keeps about the task and increments itself. */
export interface TaskMeta {
  /** Raised by one with every commit; a commit with another value is stale. */
  version: number;
  /** Raised by everything that wakes the task; a rest with another value leaves the task awake. */
  wakeSeq: number;
  wakeAt: number | null;
  /** Runs started so far and micro-dollars spent and reserved; raised by claim and settle only. */
  runs: number;
  spentMicros: number;
  reservedMicros: number;
}

export function noProgress(): TaskProgress {
  return {
    branchEffect: null,
    pullEffect: null,
    approvedCode: {},
    fails: {},
    postedVerdict: null,
    acceptedHead: null,
    acceptedDatabase: null,
    codeSha: null,
    cancelled: null,
    overruled: null,
    shownHold: null,
    reportedDefects: [],
    runsFrom: 0,
    costFromMicros: 0,
    lostChecks: 0,
  };
}

export const noCounters: TaskCounters = { developerReruns: 0, questionRounds: 0, rejections: 0, conflictRounds: 0 };
