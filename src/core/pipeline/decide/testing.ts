import type { Evidence, Visit } from '../../model/index.ts';
import { documents, find } from '../artifacts.ts';
import type { Draft } from '../draft.ts';
import { bodyOf } from '../front-matter.ts';
import { judgeReport } from '../gates/tests-passed.ts';
import { advanceTo, baselineOf, bounce } from '../moves.ts';
import { cannotSee, commit, hold, visitOf, type Ruling } from '../ruling.ts';
import { stageAfter } from '../table.ts';
import { unseen } from './analysis.ts';
import { codeRule } from './code.ts';
import { askAgain } from './directive.ts';

/** The tester's report; code that changed behind the review's back goes to the reviewer first (spec 3, 3.3). */
export function decideTesting(draft: Draft, evidence: Evidence): Ruling {
  const visit = visitOf(draft);
  const { task } = draft;
  const baseline = baselineOf(evidence);
  if (baseline === null || evidence.artifacts?.seen !== true) return cannotSee(draft, unseen(evidence));
  const other = reviewedCodeRule(draft, baseline);
  if (other !== null) return other;
  const red = codeRule(draft, evidence, baseline);
  if (red !== null) return red;
  const verdict = judgeReport(visit, evidence.artifacts.value);
  if (!verdict.readable) return askAgain(draft, 'no_report', verdict.reason, verdict.subject);
  if (verdict.status === 'pass') {
    advanceTo(draft, stageAfter(task.stage, task.pipelineStages), baseline, 'The tests passed.', null);
    return commit(draft, 'testing.passed', verdict.reason, 'gate', {
      ...verdict.subject,
      code_tree: baseline.codeTree ?? '',
    });
  }
  const text = bodyOf(find(evidence.artifacts.value, documents.report)?.text ?? '');
  if (!task.pipelineStages.includes('development')) {
    return hold(draft, 'gate_failed', 'testing.failed', 'the tests failed, and this pipeline has no developer', {
      detail: { tail: text },
      evidence: verdict.subject,
    });
  }
  bounce(
    draft,
    baseline,
    {
      to: 'development',
      cause: 'tests_failed',
      why: 'The tests failed.',
      text,
      sections: [{ title: 'Test report', text }],
    },
    null,
  );
  return commit(draft, 'testing.failed', verdict.reason, 'gate', verdict.subject);
}

/** Whatever reaches deploy is the code that was approved: other code at the head is reviewed first. */
export function reviewedCodeRule(draft: Draft, baseline: Visit['baseline']): Ruling | null {
  const approved = draft.task.handled['approved_code'];
  if (approved === undefined || approved === baseline.codeTree || !draft.task.pipelineStages.includes('review'))
    return null;
  const from = draft.task.stage;
  delete draft.task.handled['approved_code'];
  bounce(
    draft,
    baseline,
    {
      to: 'review',
      cause: 'code_changed',
      why: 'The code changed after it was approved.',
      text: 'the code on the branch changed after the review',
      sections: [],
    },
    null,
  );
  return commit(draft, `${from}.code-changed`, 'the code on the branch is not the code that was approved', 'gate', {
    approved,
    code_tree: baseline.codeTree ?? '',
  });
}
