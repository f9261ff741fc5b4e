import type { Evidence } from '../../model/index.ts';
import { documents, find, isFresh } from '../artifacts.ts';
import type { Draft } from '../draft.ts';
import { judgeArchitecture } from '../gates/architecture-done.ts';
import { advanceTo, baselineOf, bounce } from '../moves.ts';
import { cannotSee, commit, hold, visitOf, type Ruling } from '../ruling.ts';
import { stageAfter } from '../table.ts';
import { unseen } from './analysis.ts';
import { askAgain } from './directive.ts';

/** A decision record or infrastructure requirements; a conflict goes back to the analyst, twice at most (spec 3.3). */
export function decideArchitecture(draft: Draft, evidence: Evidence): Ruling {
  const visit = visitOf(draft);
  const { task, policy } = draft;
  const baseline = baselineOf(evidence);
  if (baseline === null || evidence.artifacts?.seen !== true) return cannotSee(draft, unseen(evidence));
  const verdict = judgeArchitecture(visit, evidence.artifacts.value);
  if (verdict.status === 'pass') {
    advanceTo(draft, stageAfter(task.stage, task.pipelineStages), baseline, 'The architecture is decided.', null);
    return commit(draft, 'architecture.done', verdict.reason, 'gate', verdict.subject);
  }
  const conflict = find(evidence.artifacts.value, documents.conflict);
  if (!isFresh(conflict, visit.baseline.artifacts))
    return askAgain(draft, 'nothing_produced', verdict.reason, verdict.subject);
  const text = conflict.text ?? '';
  if (task.counters.conflictRounds >= policy.caps.conflictRounds) {
    return hold(
      draft,
      'conflict_rounds',
      'architecture.conflict-cap',
      `the architect finds a conflict again after ${policy.caps.conflictRounds} rounds`,
      { detail: { tail: text }, evidence: verdict.subject },
    );
  }
  task.counters.conflictRounds += 1;
  bounce(
    draft,
    baseline,
    {
      to: 'analysis',
      cause: 'conflict',
      why: 'The architect found a conflict with the specification.',
      text,
      sections: [{ title: 'Conflict', text }],
    },
    { n: task.counters.conflictRounds, of: policy.caps.conflictRounds },
  );
  return commit(draft, 'architecture.conflict', verdict.reason, 'gate', verdict.subject);
}
