import type { Evidence } from '../../model/index.ts';
import type { Draft } from '../draft.ts';
import { currentStage, requestAgent } from '../draft.ts';
import { holds } from '../rules/holds.ts';
import { advanceTo, baselineOf, bounce, bounces } from '../rules/moves.ts';
import { stageAfter, stageBefore } from '../rules/order.ts';
import { cannotSee, commit, hold, visitOf, type Step } from '../step.ts';

/**
 * What has to happen in every work stage before its gate is judged: an order of a person is carried out, and a stage
 * whose agent has not finished and does not run gets its run. Null: go on to the gate.
 */
export function carryOut(draft: Draft, evidence: Evidence): Step | null {
  const visit = visitOf(draft);
  const { task } = draft;
  const rewritten = rewrittenRule(draft, evidence);
  if (rewritten !== null) return rewritten;
  if (visit.order?.kind === 'rejected') return reject(draft, evidence);
  if (visit.order?.kind === 'advance') return advance(draft, evidence);
  const { role, agentFirst } = currentStage(draft);
  if (visit.finished !== null || !agentFirst(draft.policy, visit)) return null;
  requestAgent(draft, { why: visit.why, sections: [] });
  task.hold = null;
  return commit(draft, `${task.stage}.start`, `the ${role.name} has to run`, 'visit');
}

/** A branch that somebody rewrote is held, never overwritten; `orch retry` accepts it as it is now. */
function rewrittenRule(draft: Draft, evidence: Evidence): Step | null {
  const { task, visit } = draft;
  if (evidence.lineage?.seen !== true || evidence.head?.seen !== true || visit?.merge?.merged === true) return null;
  const head = evidence.head.value;
  if (evidence.lineage.value.intact) return null;
  const text = `branch ${task.branch} was rewritten: ${head.slice(0, 12)} does not contain ${evidence.lineage.value.reference.slice(0, 12)}`;
  return hold(draft, holds.forcePushed, 'world.force-pushed', text, { detail: { head }, evidence: { head } });
}

function reject(draft: Draft, evidence: Evidence): Step {
  const visit = visitOf(draft);
  const { task, policy } = draft;
  if (visit.order?.kind !== 'rejected') throw new Error('no rejection');
  const { by, reason, commentId } = visit.order;
  const of = policy.caps.rejections;
  if (task.counters.rejections >= of) {
    // The order stays: lifting the hold carries it out.
    return hold(draft, holds.rejections, 'rejected.cap', `rejected by ${by} after ${of} rejections: ${reason}`, {
      detail: { tail: reason },
    });
  }
  const baseline = baselineOf(evidence);
  const to = stageBefore(task.stage, task.pipelineStages);
  if (baseline === null || to === null) return cannotSee(draft, 'the branch cannot be read to process the rejection');
  task.counters.rejections += 1;
  visit.order = null;
  bounce(
    draft,
    baseline,
    {
      to,
      kind: bounces.rejected,
      why: `A person rejected the work of the stage ${task.stage}.`,
      text: reason,
      sections: [{ title: `Rejected by ${by}`, text: reason }],
    },
    { n: task.counters.rejections, of },
  );
  return commit(draft, 'rejected', `${by} rejected: back to ${to}`, `comment:${commentId}`, { comment: commentId });
}

function advance(draft: Draft, evidence: Evidence): Step {
  const visit = visitOf(draft);
  const { task } = draft;
  if (visit.order?.kind !== 'advance') throw new Error('no order to advance');
  const { by, to: wanted } = visit.order;
  const baseline = baselineOf(evidence);
  if (baseline === null) return cannotSee(draft, 'the branch cannot be read to advance the task');
  const to = wanted ?? stageAfter(task.stage, task.pipelineStages);
  visit.order = null;
  advanceTo(draft, to, baseline, `${by} moved the task here by command; the gate before was not asked.`, by);
  return commit(
    draft,
    'advance.forced',
    `${by} forced the task to ${to}; the gate of ${draft.from.task.stage} was not asked`,
    `operator:${by}`,
  );
}
