import type { Evidence } from '../../model/index.ts';
import { find } from '../artifacts.ts';
import type { Draft } from '../draft.ts';
import { bodyOf } from '../front-matter.ts';
import { judgeDocument, type DocumentGate } from '../gates/document.ts';
import { approvedCodeRule } from '../rules/approved-code.ts';
import { askAgain } from '../rules/ask-again.ts';
import { codeNeeds, codeRule } from '../rules/code.ts';
import { holds } from '../rules/holds.ts';
import { advanceTo, baselineOf, bounceToCode } from '../rules/moves.ts';
import { codeStage, stageAfter } from '../rules/order.ts';
import { changesRule } from '../rules/pull-reviews.ts';
import { cannotSeeBranch, commit, hold, visitOf, type Step } from '../step.ts';
import { defaultFacts, type StageDefinition } from './definition.ts';
import { blocking, defaultRole } from './stage.ts';

/** `result:` in the front matter of a test report of this visit (spec 3.1). */
export const testResult: DocumentGate = {
  document: '13-test-report.md',
  key: 'result',
  pass: ['PASS'],
  fail: ['FAIL'],
  passed: 'the tests passed',
  failed: 'the tests failed',
};

const noReport = blocking(
  'no_report',
  'operator',
  'rerun',
  { en: 'another run of the tester' },
  { en: 'No readable test report', ru: 'Нет читаемого отчёта о тестах' },
);
const testsFailed = { cause: 'tests_failed', words: { en: 'the tests failed', ru: 'тесты не прошли' } };

export const testing: StageDefinition = {
  ...defaultFacts,
  name: 'testing',
  words: { en: 'testing', ru: 'тестирование' },
  role: {
    ...defaultRole,
    name: 'tester',
    words: { en: 'tester', ru: 'тестировщик' },
    // The testers of the system that orch replaced took 25 of their 30 minutes.
    timeoutMinutes: 45,
  },
  gate: 'tests-passed',
  products: (folder) => [
    `\`${folder}/13-test-report.md\` with the front matter \`result: PASS\` or \`result: FAIL\`, and \`commit:\``,
  ],
  reads: [testResult.document],
  needs: (policy) => ['reviews', ...codeNeeds(policy)],
  watchesCi: true,
  watchesReviews: true,
  edges: [
    { to: 'development', name: 'tests failed, red CI, changes requested, base conflict' },
    { to: 'review', name: 'rejected, code changed after the review' },
    { to: 'deploy', name: 'tests passed' },
  ],
  holds: [noReport],
  bounces: [testsFailed],
  decide,
};

/** The tester's report; code that changed after the review goes to the reviewer first (spec 3, 3.3). */
function decide(draft: Draft, evidence: Evidence): Step {
  const visit = visitOf(draft);
  const { task } = draft;
  const baseline = baselineOf(evidence);
  if (baseline === null || evidence.artifacts?.seen !== true) return cannotSeeBranch(draft, evidence);
  const unready = approvedCodeRule(draft, baseline) ?? codeRule(draft, evidence, baseline);
  if (unready !== null) return unready;
  const verdict = judgeDocument(testResult, visit, evidence.artifacts.value, undefined);
  if (verdict.status !== 'fail' || !verdict.readable) {
    const against = changesRule(draft, evidence, baseline);
    if (against !== null) return against;
  }
  if (!verdict.readable) return askAgain(draft, noReport, verdict.reason, verdict.subject);
  if (verdict.status === 'pass') {
    advanceTo(draft, stageAfter(task.stage, task.pipelineStages), baseline, 'The tests passed.', null);
    return commit(draft, 'testing.passed', verdict.reason, 'gate', {
      ...verdict.subject,
      code_tree: baseline.codeTree ?? '',
    });
  }
  const text = bodyOf(find(evidence.artifacts.value, testResult.document)?.text ?? '');
  if (codeStage(draft) === null) {
    return hold(draft, holds.gateFailed, 'testing.failed', 'the tests failed, and this pipeline has no developer', {
      detail: { tail: text },
      evidence: verdict.subject,
    });
  }
  bounceToCode(draft, baseline, {
    kind: testsFailed,
    why: 'The tests failed.',
    text,
    sections: [{ title: 'Test report', text }],
  });
  return commit(draft, 'testing.failed', verdict.reason, 'gate', verdict.subject);
}
