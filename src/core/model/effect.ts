import type { CommitSha, EffectId, ItemId, ProjectId, RepoSlug, TaskId } from './ids.ts';
import type { Notice } from './notice.ts';
import type { ItemPhase, MergeStyle, ReviewVerdict } from './policy.ts';

/** Something to be done to the outside (spec 2): written to the outbox with the decision, then delivered. */
export type EffectBody =
  | { kind: 'tracker.comment'; projectId: ProjectId; itemId: ItemId; notice: Notice }
  | { kind: 'tracker.state'; projectId: ProjectId; itemId: ItemId; phase: ItemPhase }
  | { kind: 'chat.message'; notice: Notice; alert: boolean }
  | {
      kind: 'git.start_branch';
      repo: RepoSlug;
      branch: string;
      baseBranch: string;
      taskId: TaskId;
      itemId: ItemId;
      projectId: ProjectId;
      folder: string;
    }
  | {
      kind: 'forge.open_pull';
      repo: RepoSlug;
      branch: string;
      baseBranch: string;
      title: string;
      body: string;
      labels: string[];
    }
  | {
      kind: 'forge.merge_pull';
      repo: RepoSlug;
      number: number;
      branch: string;
      baseBranch: string;
      head: CommitSha;
      style: MergeStyle;
      marker: string;
      title: string;
    }
  | {
      kind: 'forge.post_review';
      repo: RepoSlug;
      number: number;
      head: CommitSha;
      vote: ReviewVerdict;
      body: string;
    };

export type EffectKind = EffectBody['kind'];
export type EffectOf<K extends EffectKind> = Extract<EffectBody, { kind: K }>;

export interface NewEffect {
  /** At most one outside object per key, without end of time; also the `external_id` of a comment. */
  key: string;
  /** Delivered in order within a lane, one at a time: `tracker:<item>`, `forge:<repo>#<branch>`, `chat`. */
  lane: string;
  body: EffectBody;
  /** Whether the task gets an `effect_settled` message with what came of it. A dead effect always reports. */
  report: boolean;
}

export interface Effect extends NewEffect {
  id: EffectId;
  taskId: TaskId | null;
  attempts: number;
  /** What the last try failed with; null before one failed. */
  lastError: string | null;
  createdAt: number;
}

/** What one try to deliver came to: done (with facts the decision needs), try again, or refused for good. */
export type Delivery =
  | { kind: 'done'; result: Record<string, string> }
  /** `afterMs`: wait before the next try, milliseconds; null: as the retry policy of effects says. */
  | { kind: 'retry'; error: string; afterMs: number | null }
  | { kind: 'dead'; error: string; result?: Record<string, string> };

/** A try as the store records it: the wait is decided by the sender, because the store has no retry policy. */
export type RecordedDelivery =
  Exclude<Delivery, { kind: 'retry' }> | (Extract<Delivery, { kind: 'retry' }> & { afterMs: number });
