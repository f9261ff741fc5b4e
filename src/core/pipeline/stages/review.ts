import type { Evidence, Visit } from '../../model/index.ts';
import { find } from '../artifacts.ts';
import type { Draft } from '../draft.ts';
import { bodyOf } from '../front-matter.ts';
import { judgeDocument, type DocumentGate } from '../gates/document.ts';
import { noteApprovedCode } from '../rules/approved-code.ts';
import { askAgain } from '../rules/ask-again.ts';
import { codeNeeds, codeRule } from '../rules/code.ts';
import { advanceTo, baselineOf, bounces, bounceToCode } from '../rules/moves.ts';
import { stageAfter } from '../rules/order.ts';
import { postVerdict } from '../rules/posted-verdict.ts';
import { changesRule, pullReviewRule } from '../rules/pull-reviews.ts';
import { cannotSee, cannotSeeBranch, commit, visitOf, type Step } from '../step.ts';
import { defaultFacts, type StageDefinition } from './definition.ts';
import { blocking, defaultRole } from './stage.ts';

/** `verdict:` in the front matter of a review of this visit, for the head's code (spec 3.1). */
export const reviewerVerdict: DocumentGate = {
  document: '12-review.md',
  key: 'verdict',
  pass: ['APPROVED'],
  fail: ['REQUEST_CHANGES'],
  passed: 'the reviewer approved',
  failed: 'the reviewer requests changes',
};

const noVerdict = blocking(
  'no_verdict',
  'operator',
  'rerun',
  { en: 'another run of the reviewer' },
  { en: 'No readable verdict', ru: 'Нет читаемого вердикта' },
);

export const review: StageDefinition = {
  ...defaultFacts,
  name: 'review',
  words: { en: 'review', ru: 'ревью' },
  role: {
    ...defaultRole,
    name: 'reviewer',
    words: { en: 'reviewer', ru: 'ревьюер' },
    model: 'opus',
  },
  gate: 'reviewer-verdict and/or pr-approved',
  products: (folder) => [
    `\`${folder}/12-review.md\` with the front matter \`verdict: APPROVED\` or \`verdict: REQUEST_CHANGES\`, and \`commit:\``,
  ],
  reads: [reviewerVerdict.document],
  needs: (policy) => ['verdictCommit', 'reviews', ...codeNeeds(policy)],
  verdictDocument: reviewerVerdict.document,
  watchesCi: true,
  watchesReviews: true,
  edges: [
    { to: 'development', name: 'changes requested, red CI, base conflict, rejected' },
    { to: 'testing', name: 'verdict' },
  ],
  holds: [noVerdict],
  decide,
};

/** The reviewer's verdict, the reviews of the pull request, or both, by the project's policy (spec 3, 3.3). */
function decide(draft: Draft, evidence: Evidence): Step {
  const visit = visitOf(draft);
  const { task, policy } = draft;
  const baseline = baselineOf(evidence);
  if (baseline === null || evidence.artifacts?.seen !== true) return cannotSeeBranch(draft, evidence);
  const red = codeRule(draft, evidence, baseline);
  if (red !== null) return red;
  const subject: Record<string, string> = { sha: baseline.sha ?? '', code_tree: baseline.codeTree ?? '' };
  if (policy.gates.review.includes('reviewer-verdict')) {
    const verdict = judgeDocument(reviewerVerdict, visit, evidence.artifacts.value, evidence.verdictCommit);
    if (verdict.status === 'pending') return cannotSee(draft, verdict.reason);
    if (!verdict.readable)
      return changesRule(draft, evidence, baseline) ?? askAgain(draft, noVerdict, verdict.reason, verdict.subject);
    const text = bodyOf(find(evidence.artifacts.value, reviewerVerdict.document)?.text ?? '');
    postVerdict(draft, baseline, verdict.status === 'pass' ? 'approved' : 'changes_requested', text);
    if (verdict.status === 'fail') return changesRequested(draft, baseline, text, verdict.subject);
    Object.assign(subject, verdict.subject);
  }
  const against = changesRule(draft, evidence, baseline);
  if (against !== null) return against;
  if (policy.gates.review.includes('pr-approved')) {
    const unapproved = pullReviewRule(draft, evidence, baseline, subject);
    if (unapproved !== null) return unapproved;
  }
  noteApprovedCode(draft, baseline);
  advanceTo(draft, stageAfter(task.stage, task.pipelineStages), baseline, 'The review approved the code.', null);
  return commit(draft, 'review.approved', 'the review approved the code', 'gate', subject);
}

function changesRequested(
  draft: Draft,
  baseline: Visit['baseline'],
  text: string,
  subject: Record<string, string>,
): Step {
  bounceToCode(draft, baseline, {
    kind: bounces.changesRequested,
    why: 'Changes were requested by the reviewer.',
    text,
    sections: [{ title: 'Findings of the reviewer', text }],
  });
  return commit(draft, 'review.changes-requested', 'changes requested by the reviewer', 'gate', subject);
}
