import type { CommitSha, RunId } from './ids.ts';
import type { AnswerPlace } from './feedback.ts';
import type { Stage } from './stages.ts';

/** Path below the task's document folder (`12-review.md`, `06-adr/0001.md`) → git blob id. */
export type ArtifactHashes = Record<string, string>;

/** What the agent itself said about its run, in `.orch/result.json` (spec 7). */
export interface AgentResult {
  status: 'success' | 'failed' | 'nothing_to_do';
  summary: string;
  rolledBack: boolean | null;
  /** What it answers in the threads that its orders named; absent where it says nothing. */
  answers?: { thread: string; text: string }[];
}

/** What orch asked people for, and for exactly which content. An approval counts for these hashes only. */
export interface ApprovalRequest {
  artifacts: ArtifactHashes;
  /** `external_id` of the comment that asks. */
  key: string;
  /** The tracker's own time of that comment, ms; null until it is delivered. Approvals older than it do not count. */
  askedAt: number | null;
  /**
   * The newest approval seen while the delivery was not recorded yet: orch may have died between sending its request and
   * recording it, and the person answered. Judged when `askedAt` is known.
   */
  early?: { by: string; commentId: string; updatedAt: number };
}

/** What a person ordered about the stage itself. */
type PersonOrder =
  | { kind: 'rejected'; by: string; reason: string; commentId: string }
  | { kind: 'advance'; by: string; to: Stage | null; force: boolean };

/**
 * One stay in a stage. Every bounce, also one within a stage, opens a new visit, so that "what this visit produced" is
 * always the difference between the baseline and the head (spec 3.1).
 */
export interface Visit {
  n: number;
  stage: Stage;
  startedAt: number;
  /** Head of the task's branch, hashes of its artifacts and its code tree when the visit began. */
  baseline: { sha: CommitSha | null; artifacts: ArtifactHashes; codeTree: string | null };
  /** Last finished and published run of the stage's agent in this visit; null while it has not finished. */
  finished: {
    runId: RunId;
    sha: CommitSha;
    result: AgentResult | null;
    /** Why its `.orch/result.json` cannot be read; absent when it can, or when there is none. */
    resultTrouble?: string;
    at: number;
  } | null;
  approval: ApprovalRequest | null;
  /** Approval accepted for these artifacts. */
  approved: { by: string; commentId: string; artifacts: ArtifactHashes } | null;
  /** Ids of people who were told in this visit that they may not approve; absent where nobody was. */
  refused?: string[];
  /** How often the stage's agent was asked again for a readable verdict or report, or for missing artifacts. */
  askedAgain: number;
  /** Jobs requested in this visit so far; numbers their causes. */
  requests: number;
  /** What a person ordered; carried out as soon as no agent of the task runs. */
  order: PersonOrder | null;
  /** Comments of people who may approve, without a marker, since the visit began: the answer to questions. */
  answers: { commentId: string; by: string; text: string }[];
  /** Whether this visit was opened by a bounce (then unchanged code is a hold, spec 3.3). */
  bounce: boolean;
  /** When the gate of this visit first had to wait for CI. */
  ciSince: number | null;
  /** Deploy: the merge that orch asked for and what came of it. */
  merge: {
    head: CommitSha;
    marker: string;
    merged: boolean;
    mergedSha: CommitSha | null;
    /** Digest of what the server judges a merge by, when it was asked for. */
    picture?: string;
  } | null;
  /** Deploy: why the server refused a merge, and that digest then: it is asked again when something of it has changed. */
  mergeRefused?: { said: string; picture: string };
  /** Why the visit began; goes into the orders of its agent. */
  why: string;
  /** Findings, report, failing contexts: what the visit was opened with. Every run in it is given them. */
  sections: { title: string; text: string }[];
  /** Where people wait for an answer of this visit's agent; absent where nobody does. */
  threads?: AnswerPlace[];
  /** What `TaskProgress.heard` becomes when that agent's work is published. */
  heard?: { review: number; comment: number };
}
