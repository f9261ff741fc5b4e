import type { Hold, HoldCause, HoldLift, HoldOwner, PlanePhase } from '../model/index.ts';
import type { Draft } from './draft.ts';
import { sameHold, showPhase, tell } from './draft.ts';

interface HoldKind {
  blocking: boolean;
  owner: HoldOwner;
  phase: PlanePhase;
  lift: HoldLift;
  clearedBy: string;
  /** Whether people are told by a hold notice; waits that have a notice of their own are not. */
  told: boolean;
}

const blocked = (owner: HoldOwner, lift: HoldLift, clearedBy: string): HoldKind => ({
  blocking: true,
  owner,
  phase: 'blocked',
  lift,
  clearedBy,
  told: true,
});

const waiting = (
  owner: HoldOwner,
  phase: PlanePhase,
  clearedBy: string,
  told = false,
  lift: HoldLift = 'rejudge',
): HoldKind => ({
  blocking: false,
  owner,
  phase,
  lift,
  clearedBy,
  told,
});

/** Every cause for which a task stands still: who can clear it, and what clears it (spec 2, 3.3). */
export const holdKinds: Record<HoldCause, HoldKind> = {
  approval: waiting(
    'approver',
    'in_review',
    'a comment that begins with :approved: or :rejected: by a person who may approve',
  ),
  answers: waiting('approver', 'needs_input', 'a comment with the answers by a person who may approve', false, 'rerun'),
  ci: waiting('ci', 'in_progress', 'a final commit status of every context'),
  ci_silent: waiting('ci', 'in_progress', 'a commit status for the head; no CI has reported any', true),
  pr_review: waiting('approver', 'in_review', 'an approving review of the pull request', true),
  cannot_see: waiting('orch', 'in_progress', 'the server answering again'),
  outside: waiting('orch', 'in_progress', 'the delivery of what was decided'),
  intake_refused: waiting('author', 'blocked', 'an edit of the work item that mends what is listed'),
  existing_artifacts: blocked('operator', 'rejudge', 'removing the folder from the base branch'),
  existing_branch: blocked('operator', 'redeliver', 'removing or renaming the branch'),
  nothing_produced: blocked('operator', 'rerun', 'another run'),
  question_rounds: blocked('operator', 'rerun', 'answering in the work item, then another run'),
  rejections: blocked('operator', 'rerun', 'another run'),
  conflict_rounds: blocked('operator', 'rerun', 'settling the conflict, then another run'),
  // Judged again where it stands: the gate that failed then sends the developer what it found, with a new budget.
  developer_budget: blocked('operator', 'rejudge', 'another run; the budget of reruns starts again'),
  no_new_code: blocked('operator', 'rerun', 'another run'),
  ci_stuck: waiting('ci', 'blocked', 'CI reporting a result', true),
  no_verdict: blocked('operator', 'rerun', 'another run of the reviewer'),
  no_report: blocked('operator', 'rerun', 'another run of the tester'),
  gate_failed: blocked('operator', 'rerun', 'another run'),
  base_conflict: blocked('operator', 'rejudge', 'merging the base branch into the branch'),
  deploy_failed: blocked('operator', 'rerun', 'another run of the developer'),
  no_deploy_result: blocked('operator', 'rerun', 'another run of the deployer'),
  merge_refused: blocked('administrator', 'rejudge', 'satisfying the rule that the server names'),
  check_failed: blocked('operator', 'rejudge', 'running the local tests again'),
  attempts_used: blocked('operator', 'rerun', 'another run with fresh attempts'),
  run_cap: blocked('operator', 'rerun', 'another run; the run cap starts again'),
  cost_cap: blocked('operator', 'rerun', 'another run; the cost cap starts again'),
  pr_closed: blocked('operator', 'rejudge', 'reopening the pull request'),
  branch_deleted: blocked('operator', 'rejudge', 'restoring the branch'),
  force_pushed: blocked('operator', 'rejudge', 'accepting the branch as it is now'),
  closed_by_hand: blocked('operator', 'rejudge', 'moving the work item back to a started state'),
  effect_refused: blocked('administrator', 'redeliver', 'mending what the server refused'),
  unpushed: blocked('operator', 'rejudge', 'pushing or discarding what is in the workspace'),
  agent_alive: blocked('operator', 'rerun', 'ending the processes of the former run'),
};

/**
 * Holds the task; the same hold again repeats neither comment nor alert, only its sentence may say something newer.
 * @returns whether it is another hold
 */
export function holdTask(draft: Draft, cause: HoldCause, text: string, detail: Record<string, string> = {}): boolean {
  const kind = holdKinds[cause];
  const hold: Hold = {
    cause,
    blocking: kind.blocking,
    owner: kind.owner,
    text,
    clearedBy: kind.clearedBy,
    command: kind.blocking ? `orch retry ${draft.task.id}` : null,
    lift: kind.lift,
    phase: kind.phase,
    since: draft.now,
    detail,
  };
  if (draft.task.hold !== null && sameHold(draft.task.hold, hold)) {
    draft.task.hold.text = text;
    return false;
  }
  draft.task.hold = hold;
  if (kind.told) {
    tell(draft, {
      event: 'hold',
      cause,
      text,
      clearedBy: kind.clearedBy,
      command: hold.command,
      detail: detail['tail'] ?? '',
    });
  }
  showPhase(draft, kind.phase);
  return true;
}
