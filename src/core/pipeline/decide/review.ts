import type { Evidence, Visit } from '../../model/index.ts';
import { documents, find } from '../artifacts.ts';
import type { Draft } from '../draft.ts';
import { effect, giteaLane } from '../draft.ts';
import { bodyOf } from '../front-matter.ts';
import { judgePrReviews, votes } from '../gates/pr-approved.ts';
import { judgeReviewerVerdict } from '../gates/reviewer-verdict.ts';
import { advanceTo, baselineOf, bounce } from '../moves.ts';
import { cannotSee, commit, hold, visitOf, type Ruling } from '../ruling.ts';
import { stageAfter } from '../table.ts';
import { unseen } from './analysis.ts';
import { codeRule } from './code.ts';
import { openPullRequest } from './development.ts';
import { askAgain } from './directive.ts';

/** The reviewer's verdict, the reviews of the pull request, or both, by the project's policy (spec 3, 3.3). */
export function decideReview(draft: Draft, evidence: Evidence): Ruling {
  const visit = visitOf(draft);
  const { task, policy } = draft;
  const baseline = baselineOf(evidence);
  if (baseline === null || evidence.artifacts?.seen !== true) return cannotSee(draft, unseen(evidence));
  const red = codeRule(draft, evidence, baseline);
  if (red !== null) return red;
  const subject: Record<string, string> = { sha: baseline.sha ?? '', code_tree: baseline.codeTree ?? '' };
  if (policy.gates.review.includes('reviewer-verdict')) {
    const verdict = judgeReviewerVerdict(visit, evidence.artifacts.value, evidence.verdictCommit);
    if (verdict.status === 'pending') return cannotSee(draft, verdict.reason);
    if (!verdict.readable) return askAgain(draft, 'no_verdict', verdict.reason, verdict.subject);
    const text = bodyOf(find(evidence.artifacts.value, documents.review)?.text ?? '');
    mirrorVerdict(draft, baseline, verdict.status === 'pass' ? 'APPROVED' : 'REQUEST_CHANGES', text);
    if (verdict.status === 'fail') return requestChanges(draft, baseline, 'the reviewer', text, verdict.subject);
    Object.assign(subject, verdict.subject);
  }
  if (policy.gates.review.includes('pr-approved')) {
    // Forced past development: there is nothing to review yet.
    if (task.prNumber === null) return openPullRequest(draft);
    if (evidence.reviews === undefined || !evidence.reviews.seen)
      return cannotSee(draft, evidence.reviews?.reason ?? 'the reviews cannot be read');
    const { author, rows } = evidence.reviews.value;
    const verdict = judgePrReviews(author, rows);
    if (verdict.status === 'fail') {
      const against = votes(author, rows).filter((row) => row.state === 'REQUEST_CHANGES' && row.sameCode);
      return requestChanges(
        draft,
        baseline,
        against.map((row) => row.user).join(', '),
        against.map((row) => row.body).join('\n\n'),
        verdict.subject,
      );
    }
    if (verdict.status === 'pending')
      return hold(draft, 'pr_review', 'review.waits', verdict.reason, {
        evidence: verdict.subject,
        detail: { visit: String(visit.n) },
      });
    Object.assign(subject, verdict.subject);
  }
  // What was approved is this code; a later stage that finds other code at the head sends it back here.
  task.handled['approved_code'] = baseline.codeTree ?? '';
  advanceTo(draft, stageAfter(task.stage, task.pipelineStages), baseline, 'The review approved the code.', null);
  return commit(draft, 'review.approved', 'the review approved the code', 'gate', subject);
}

/** With a second account the verdict also stands where people look: as a review of the pull request (spec 5). */
export function mirrorVerdict(
  draft: Draft,
  baseline: Visit['baseline'],
  verdict: 'APPROVED' | 'REQUEST_CHANGES',
  text: string,
): void {
  const { task } = draft;
  if (!draft.policy.postsVerdict || task.prNumber === null || baseline.sha === null) return;
  const mark = `${verdict}:${baseline.sha}`;
  if (task.handled['review_posted'] === mark) return;
  task.handled['review_posted'] = mark;
  effect(
    draft,
    'review',
    giteaLane(task),
    {
      kind: 'gitea.review',
      repo: task.repo,
      number: task.prNumber,
      head: baseline.sha,
      verdict,
      body: text.slice(0, 4000),
    },
    false,
  );
}

function requestChanges(
  draft: Draft,
  baseline: Visit['baseline'],
  by: string,
  text: string,
  subject: Record<string, string>,
): Ruling {
  bounce(
    draft,
    baseline,
    {
      to: 'development',
      cause: 'changes_requested',
      why: `Changes were requested by ${by}.`,
      text,
      sections: [{ title: `Findings of ${by}`, text }],
    },
    null,
  );
  return commit(draft, 'review.changes-requested', `changes requested by ${by}`, 'gate', subject);
}
