import type { ItemId, ProjectId, RepoSlug } from './ids.ts';
import type { OwnStage, WorkStage } from './stages.ts';

/** How a work item's phase is shown in the tracker (spec 4.2). */
export const itemPhases = ['in_progress', 'in_review', 'needs_input', 'blocked', 'done', 'cancelled'] as const;
export type ItemPhase = (typeof itemPhases)[number];

type DevelopmentGate = 'ci-green' | 'tests-local';
type ReviewGate = 'reviewer-verdict' | 'pr-approved';
/** Verdict of a reviewer, or of a review of a pull request. */
export type ReviewVerdict = 'approved' | 'changes_requested';
type MergeBy = 'orch' | 'agent';
export type MergeStyle = 'merge' | 'rebase' | 'rebase-merge' | 'squash' | 'fast-forward-only';
export type Language = 'en' | 'ru';
/** One text in every language. */
export type Words = Record<Language, string>;

/** Everything the pure decision needs to know of a project's configuration. Times are milliseconds. */
export interface ProjectPolicy {
  projectId: ProjectId;
  repo: RepoSlug;
  /** Upper-case prefix of task ids. */
  prefix: string;
  name: string;
  baseBranch: string;
  /** The tracker's user ids or e-mail addresses; empty: members with the role Member or higher (spec 4.3). */
  approvers: string[];
  intake: { label: string | null; states: string[] };
  /** Named pipelines; `default` always exists and holds all six work stages unless configured. */
  pipelines: Record<string, { stages: WorkStage[]; label: string | null }>;
  /** The team's own stages that a pipeline of the project names. */
  ownStages: OwnStage[];
  gates: { development: DevelopmentGate; review: ReviewGate[] };
  ci: { requiredContexts: string[]; graceMs: number; limitMs: number };
  /** `caches`: what a later test of a task finds again, as lines of a `.gitignore`. */
  tests: { command: string[]; timeoutMs: number; caches: string[] };
  deploy: { merge: MergeBy; mergeStyle: MergeStyle };
  pullRequest: { labels: string[] };
  /** Wanted name of the state per phase. */
  states: Record<ItemPhase, string>;
  caps: {
    developerReruns: number;
    questionRounds: number;
    rejections: number;
    conflictRounds: number;
    /** Runs of all kinds a task may start (spec 3.3). */
    runs: number;
    /** Micro-dollars a task may spend, or null for no cap. */
    costMicros: number | null;
  };
  /** Budgets a job starts with (spec 6). */
  budgets: { attempts: number; transientRetries: number; interruptions: number };
  /** Whether orch holds a second account that posts the reviewer's verdict as a PR review. */
  postsVerdict: boolean;
  /** `recheckMinutes`: how soon a gate that could not see looks again. */
  recheckMs: number;
}

/** Addresses of pages that people follow. Pure. */
export interface Links {
  item: (projectId: ProjectId, itemId: ItemId) => string;
  branch: (repo: RepoSlug, branch: string) => string;
  /** A file or folder of a branch. */
  file: (repo: RepoSlug, branch: string, path: string) => string;
  pull: (repo: RepoSlug, number: number) => string;
}

/** What a decision about a task of the project needs. */
export interface LinkedPolicy extends ProjectPolicy {
  links: Links;
}
