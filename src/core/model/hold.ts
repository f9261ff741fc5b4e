import type { CommitSha, RunId } from './ids.ts';
import type { ItemPhase } from './policy.ts';

/** Machine name of the reason of a hold; `pipeline/rules/holds.ts` and the stages define them, with their words. */
export type HoldCause = string;

/** Who can clear a hold. */
export type HoldOwner = 'approver' | 'author' | 'ci' | 'operator' | 'administrator' | 'orch';

/**
 * What lifting a blocking hold does: `rerun` starts the stage's agent in a new visit, `rejudge` asks the gate again,
 * `redeliver` repeats the effect that was refused.
 */
export type HoldLift = 'rerun' | 'rejudge' | 'redeliver';

/** Why a task is not moving: cause, who can clear it, what clears it, when orch looks again (spec 2). */
export interface Hold {
  cause: HoldCause;
  /** A blocking hold stops the gate from being judged until it is lifted; a waiting one does not. */
  blocking: boolean;
  owner: HoldOwner;
  /** One sentence, English, for `status`, `why` and logs; messages to people are rendered from `cause` and `detail`. */
  text: string;
  clearedBy: string;
  /** The exact command that lifts it, where there is one. */
  command: string | null;
  lift: HoldLift;
  phase: ItemPhase;
  since: number;
  detail: HoldDetail;
}

/** What a hold is about. Two holds with the same cause and detail are the same hold, which is reported once. */
export interface HoldDetail {
  /** Number of the visit that waits. */
  visit?: number;
  /** What the work item lacks. */
  defects?: string[];
  /** Blob of the questions that wait for an answer. */
  questions?: string;
  /** Run whose end led to the hold. */
  run?: RunId;
  /** Why the task was to be sent back when its budget was found used up. */
  bounce?: string;
  /** Head of the rewritten branch; lifting the hold accepts it. */
  head?: CommitSha;
  /** Identity of the other database that works on the item. */
  database?: string;
  /** Effect that was refused. */
  effect?: string;
  /** Last lines of what was seen: a report, a log, an agent's questions. Shown to people, and given to the next run. */
  tail?: string;
}
