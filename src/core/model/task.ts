import type { Hold } from './hold.ts';
import type { CommitSha, ItemId, ProjectId, RepoSlug, TaskId } from './ids.ts';
import type { PlanePhase } from './policy.ts';
import type { Stage, WorkStage } from './stages.ts';

/** Counters of the bends that are capped (spec 3.3). They survive restarts and change only in commits and claims. */
export interface TaskCounters {
  developerReruns: number;
  questionRounds: number;
  rejections: number;
  conflictRounds: number;
}

/** orch's record of a work item in the pipeline. */
export interface Task {
  id: TaskId;
  projectId: ProjectId;
  itemId: ItemId;
  /** The item's own number in Plane. */
  number: number;
  title: string;
  repo: RepoSlug;
  branch: string;
  baseBranch: string;
  /** Name of the pipeline and its work stages, pinned when the task was made. */
  pipeline: string;
  pipelineStages: WorkStage[];
  stage: Stage;
  /** Number of the current visit; 0 before the first. */
  visit: number;
  hold: Hold | null;
  paused: boolean;
  /** Plane phase that orch last asked for; a state is written only when this changes. */
  phase: PlanePhase | null;
  prNumber: number | null;
  mergedSha: CommitSha | null;
  counters: TaskCounters;
  /** Blob ids and shas already acted on, so that nothing old counts twice: key such as `questions` or `ci`. */
  handled: Record<string, string>;
  createdAt: number;
  updatedAt: number;
  stageSince: number;
}

/** What the store keeps beside the task and raises itself. */
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

export const noCounters: TaskCounters = { developerReruns: 0, questionRounds: 0, rejections: 0, conflictRounds: 0 };
