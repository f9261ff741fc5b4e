import type { NewEffect } from './effect.ts';
import type { JobId, MessageId, TaskId } from './ids.ts';
import type { Job, NewJob } from './job.ts';
import type { Message } from './message.ts';
import type { BranchMirror, ItemMirror, PrMirror } from './mirror.ts';
import type { Stage } from './stages.ts';
import type { Task, TaskMeta } from './task.ts';
import type { Visit } from './visit.ts';

/** Everything the decision about one task starts from, read in one transaction. */
export interface Snapshot {
  task: Task;
  meta: TaskMeta;
  visit: Visit | null;
  /** Oldest message that is not handled. */
  message: Message | null;
  /** The job of the task that is queued, delayed or running; at most one. */
  liveJob: Job | null;
  /** Newest finished check job of the task, by code tree in its cause (`tests-local`). */
  checks: { codeTree: string; passed: boolean; detail: string; tail: string }[];
  item: ItemMirror | null;
  /** Head of the task's branch on the server as last seen; null: never looked. */
  branch: BranchMirror | null;
  pr: PrMirror | null;
  /** Usual duration of a run in the first stage of the pipeline, minutes, median of the past; null without past runs. */
  usualMinutes: number | null;
}

/** Why a decision came out as it did: stored with it, printed by `orch why`. */
export interface Why {
  /** Machine name of the rule, `stage.rule`. */
  rule: string;
  sentence: string;
  /** Who or what caused it: `run:47`, `comment:…`, `operator:…`, `mirror`, `timer`. */
  cause: string;
  evidence: Record<string, string>;
}

/** What follows for a task: applied in one transaction by the store. */
export interface Decision {
  task: Task;
  /** The new or changed visit; null leaves the visits alone. */
  visit: Visit | null;
  jobs: NewJob[];
  /** Queued jobs are cancelled, a running one is asked to stop. */
  cancelJobs: JobId[];
  effects: NewEffect[];
  handled: MessageId | null;
  /** When to look again without any wake-up, ms since the epoch. */
  wakeAt: number | null;
  why: Why;
}

/** One row of the journal of decisions. */
export interface DecisionRow {
  id: string;
  taskId: TaskId;
  at: number;
  fromStage: Stage;
  toStage: Stage;
  version: number;
  holdCause: string | null;
  why: Why;
}
