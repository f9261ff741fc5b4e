import type { Draft } from '../draft.ts';
import { requestAgent } from '../draft.ts';
import type { HoldKind } from '../stages/stage.ts';
import { commit, hold, visitOf, type Step } from '../step.ts';

/** Asks the stage's agent once more, saying what is missing; then holds (spec 3.3). */
export function askAgain(draft: Draft, kind: HoldKind, reason: string, evidence: Record<string, string>): Step {
  const visit = visitOf(draft);
  const { task } = draft;
  if (visit.askedAgain >= 1) return hold(draft, kind, `${task.stage}.asked-again`, reason, { evidence });
  visit.askedAgain += 1;
  task.hold = null;
  requestAgent(draft, { why: `Your last run did not leave what the gate reads: ${reason}.`, sections: [] });
  return commit(draft, `${task.stage}.ask-again`, `asked once more: ${reason}`, 'gate', evidence);
}
