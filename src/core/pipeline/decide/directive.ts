import type { Evidence, HoldCause } from '../../model/index.ts';
import { isWorkStage, roleOfStage } from '../../model/index.ts';
import type { Draft } from '../draft.ts';
import { requestAgent } from '../draft.ts';
import { advanceTo, baselineOf, bounce } from '../moves.ts';
import { cannotSee, commit, hold, visitOf, type Ruling } from '../ruling.ts';
import { stageAfter, stageBefore } from '../table.ts';

/**
 * What has to happen in every work stage before its gate is judged: an order of a person is carried out, and a stage
 * whose agent has not finished and does not run gets its run. Null: go on to the gate.
 */
export function carryOut(draft: Draft, evidence: Evidence): Ruling | null {
  const visit = visitOf(draft);
  const { task } = draft;
  const rewritten = rewrittenRule(draft, evidence);
  if (rewritten !== null) return rewritten;
  if (visit.directive?.kind === 'rejected') return reject(draft, evidence);
  if (visit.directive?.kind === 'advance') return advance(draft, evidence);
  const mergesFirst = task.stage === 'deploy' && draft.policy.deploy.merge === 'orch' && visit.merge?.merged !== true;
  if (visit.finished !== null || mergesFirst) return null;
  if (task.hold !== null && task.hold.cause !== 'cannot_see' && task.hold.cause !== 'outside') task.hold = null;
  requestAgent(draft, { why: visit.why, sections: [] });
  task.hold = null;
  return commit(
    draft,
    `${task.stage}.start`,
    `the ${isWorkStage(task.stage) ? roleOfStage[task.stage] : 'agent'} has to run`,
    'visit',
  );
}

/** A branch that somebody rewrote is held, never overwritten; `orch retry` accepts it as it is now. */
function rewrittenRule(draft: Draft, evidence: Evidence): Ruling | null {
  const { task, visit } = draft;
  if (evidence.lineage?.seen !== true || evidence.head?.seen !== true || visit?.merge?.merged === true) return null;
  const head = evidence.head.value;
  if (evidence.lineage.value.intact) return null;
  const text = `branch ${task.branch} was rewritten: ${head.slice(0, 12)} does not contain ${evidence.lineage.value.reference.slice(0, 12)}`;
  return hold(draft, 'force_pushed', 'world.force-pushed', text, { detail: { head }, evidence: { head } });
}

function reject(draft: Draft, evidence: Evidence): Ruling {
  const visit = visitOf(draft);
  const { task, policy } = draft;
  if (visit.directive?.kind !== 'rejected') throw new Error('no rejection');
  const { by, reason, commentId } = visit.directive;
  const of = policy.caps.rejections;
  if (task.counters.rejections >= of) {
    // The order stays: lifting the hold carries it out.
    return hold(draft, 'rejections', 'rejected.cap', `rejected by ${by} after ${of} rejections: ${reason}`, {
      detail: { tail: reason },
    });
  }
  const baseline = baselineOf(evidence);
  const to = stageBefore(task.stage, task.pipelineStages);
  if (baseline === null || to === null) return cannotSee(draft, 'the branch cannot be read to take the rejection up');
  task.counters.rejections += 1;
  visit.directive = null;
  bounce(
    draft,
    baseline,
    {
      to,
      cause: 'rejected',
      why: `A person rejected the work of the stage ${task.stage}.`,
      text: reason,
      sections: [{ title: `Rejected by ${by}`, text: reason }],
    },
    { n: task.counters.rejections, of },
  );
  return commit(draft, 'rejected', `${by} rejected: back to ${to}`, `comment:${commentId}`, { comment: commentId });
}

function advance(draft: Draft, evidence: Evidence): Ruling {
  const visit = visitOf(draft);
  const { task } = draft;
  if (visit.directive?.kind !== 'advance') throw new Error('no order to advance');
  const { by, to: wanted } = visit.directive;
  const baseline = baselineOf(evidence);
  if (baseline === null) return cannotSee(draft, 'the branch cannot be read to advance the task');
  const to = wanted ?? stageAfter(task.stage, task.pipelineStages);
  visit.directive = null;
  advanceTo(draft, to, baseline, `${by} moved the task here by command; the gate before was not asked.`, by);
  return commit(
    draft,
    'advance.forced',
    `${by} forced the task to ${to}; the gate of ${draft.from.task.stage} was not asked`,
    `operator:${by}`,
  );
}

/** Asks the stage's agent once more, saying what is missing; then holds (spec 3.3). */
export function askAgain(draft: Draft, cause: HoldCause, reason: string, evidence: Record<string, string>): Ruling {
  const visit = visitOf(draft);
  const { task } = draft;
  if (visit.askedAgain >= 1) return hold(draft, cause, `${task.stage}.asked-again`, reason, { evidence });
  visit.askedAgain += 1;
  task.hold = null;
  requestAgent(draft, { why: `Your last run did not leave what the gate reads: ${reason}.`, sections: [] });
  return commit(draft, `${task.stage}.ask-again`, `asked once more: ${reason}`, 'gate', evidence);
}
