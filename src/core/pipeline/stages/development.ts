import type { Evidence } from '../../model/index.ts';
import type { Draft } from '../draft.ts';
import { codeNeeds, codeRule, judgeCode, mergeRule } from '../rules/code.ts';
import { advanceTo, baselineOf } from '../rules/moves.ts';
import { stageAfter } from '../rules/order.ts';
import { openPullRequest } from '../rules/pull-request.ts';
import { changesRule } from '../rules/pull-reviews.ts';
import { cannotSeeBranch, commit, hold, visitOf, type Step } from '../step.ts';
import { defaultFacts, type StageDefinition } from './definition.ts';
import { blocking, defaultRole } from './stage.ts';

const noNewCode = blocking(
  'no_new_code',
  'operator',
  'rerun',
  { en: 'another run' },
  { en: 'No new code', ru: 'Нет нового кода' },
);

export const development: StageDefinition = {
  ...defaultFacts,
  name: 'development',
  words: { en: 'development', ru: 'разработка' },
  role: {
    ...defaultRole,
    name: 'developer',
    words: { en: 'developer', ru: 'разработчик' },
    writesCode: true,
  },
  gate: 'ci-green or tests-local',
  products: () => ['code and tests that meet the specification, committed or left in the working tree'],
  needs: (policy) => ['merges', 'reviews', ...codeNeeds(policy)],
  watchesReviews: true,
  edges: [
    { to: 'development', name: 'red CI, tests failed, changes requested, base conflict' },
    { to: 'architecture', name: 'rejected' },
    { to: 'review', name: 'CI green' },
  ],
  holds: [noNewCode],
  decide,
};

/** New code, a pull request, no conflict with the base, and green: then review (spec 3, 3.3). */
function decide(draft: Draft, evidence: Evidence): Step {
  const visit = visitOf(draft);
  const { task } = draft;
  const baseline = baselineOf(evidence);
  if (baseline === null) return cannotSeeBranch(draft, evidence);
  const subject = { sha: baseline.sha ?? '', code_tree: baseline.codeTree ?? '' };
  const result = visit.finished?.result ?? null;
  if (baseline.codeTree === visit.baseline.codeTree) {
    const said =
      result?.status === 'nothing_to_do'
        ? `the developer says there is nothing to do: ${result.summary}`
        : 'the developer made no new code';
    return hold(draft, noNewCode, 'development.no-new-code', said, { evidence: subject });
  }
  if (task.prNumber === null) return openPullRequest(draft);
  const unready =
    mergeRule(draft, evidence, baseline) ??
    codeRule(draft, evidence, baseline) ??
    changesRule(draft, evidence, baseline);
  if (unready !== null) return unready;
  const verdict = judgeCode(draft, evidence);
  advanceTo(draft, stageAfter(task.stage, task.pipelineStages), baseline, 'The code is ready for review.', null);
  return commit(draft, 'development.green', verdict.reason, 'gate', { ...subject, ...verdict.subject });
}
