import type { AnswerPlace } from './feedback.ts';
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
      /** Text of the approval that the second account has to stand by when the merge is asked for; absent: it gives none. */
      approval?: string;
    }
  | {
      kind: 'forge.post_review';
      repo: RepoSlug;
      number: number;
      head: CommitSha;
      vote: ReviewVerdict;
      body: string;
    }
  | {
      kind: 'forge.answer_threads';
      repo: RepoSlug;
      number: number;
      head: CommitSha;
      /** `text`: null where the agent said nothing. Untrusted. */
      answers: (AnswerPlace & { text: string | null })[];
    };

export type EffectKind = EffectBody['kind'];
export type EffectOf<K extends EffectKind> = Extract<EffectBody, { kind: K }>;

export interface NewEffect {
  /** At most one outside object per key, however late; also the `external_id` of a comment. */
  key: string;
  /** Delivered in order within a lane, one at a time: `tracker:<item>`, `forge:<repo>#<branch>`,
   * `review:<repo>#<branch>`, `chat`. */
  lane: string;
  body: EffectBody;
  /** Whether the task gets an `effect_settled` message with what came of it. A dead or withdrawn effect always reports. */
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

type Nothing = Record<string, never>;

/** What a delivered effect found out, by kind. */
interface EffectResults {
  /** `at`: the tracker's own time of the comment, ms since the epoch; null where it names none. */
  'tracker.comment': { id: string; at: number | null };
  'tracker.state': Nothing;
  /** `sent`: false where there is no chat, or where a second try could have doubled the message. */
  'chat.message': { sent: boolean };
  /** Head of the branch that was made or found, and that commit's tree without the task's documents. */
  'git.start_branch': { sha: CommitSha; codeTree: string };
  'forge.open_pull': { number: number };
  'forge.merge_pull': { mergedSha: CommitSha | null };
  'forge.post_review': Nothing;
  'forge.answer_threads': Nothing;
}

/** Why an effect was refused, by kind, where the decision treats refusals differently. */
interface EffectRefusals {
  'git.start_branch': 'branch_exists';
  /**
   * `gone`, `closed`: there is no open pull request; `other`: it is not the one of the branch; `moved`: it has another head;
   * `torn`: its commits are on the base branch, but the server left it open; `refused`: by a rule of the server.
   */
  'forge.merge_pull': 'gone' | 'closed' | 'other' | 'moved' | 'torn' | 'conflict' | 'refused';
}

type RefusalOf<K extends EffectKind> = K extends keyof EffectRefusals ? { reason?: EffectRefusals[K] } : Nothing;

/** What one try to deliver an effect of a kind came to: done, try again, or refused for good. */
export type DeliveryOf<K extends EffectKind> =
  | { kind: 'done'; result: EffectResults[K] }
  /** `afterMs`: wait before the next try, milliseconds; null: as the retry policy of effects says. */
  | { kind: 'retry'; error: string; afterMs: number | null }
  | { kind: 'dead'; error: string; result?: RefusalOf<K> };

export type Delivery = { [K in EffectKind]: DeliveryOf<K> }[EffectKind];

/** What came of an effect in the end, as the task reads it. */
type EndOf<K extends EffectKind> =
  | { effect: K; ok: true; result: EffectResults[K]; error: null }
  /** `withdrawn`: it was never sent, because the task did not want it any more; nothing was refused. */
  | { effect: K; ok: false; withdrawn?: true; result: RefusalOf<K>; error: string };

export type EffectEnd = { [K in EffectKind]: EndOf<K> }[EffectKind];

/** A try as the store records it: the wait is decided by the sender, because the store has no retry policy. */
export type RecordedDelivery =
  Exclude<Delivery, { kind: 'retry' }> | (Extract<Delivery, { kind: 'retry' }> & { afterMs: number });
