import type { PlanePhase } from './policy.ts';

export const holdCauses = [
  // waiting: orch looks again by itself
  'approval',
  'answers',
  'ci',
  'ci_silent',
  'pr_review',
  'cannot_see',
  'outside',
  'intake_refused',
  // blocking: somebody has to act
  'existing_artifacts',
  'existing_branch',
  'nothing_produced',
  'question_rounds',
  'rejections',
  'conflict_rounds',
  'developer_budget',
  'no_new_code',
  'ci_stuck',
  'no_verdict',
  'no_report',
  'gate_failed',
  'base_conflict',
  'deploy_failed',
  'no_deploy_result',
  'merge_refused',
  'attempts_used',
  'check_failed',
  'run_cap',
  'cost_cap',
  'pr_closed',
  'branch_deleted',
  'force_pushed',
  'closed_by_hand',
  'effect_refused',
  'unpushed',
  'agent_alive',
] as const;
export type HoldCause = (typeof holdCauses)[number];

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
  phase: PlanePhase;
  since: number;
  detail: Record<string, string>;
}
