import type { Evidence, Thread, Visit } from '../../model/index.ts';
import type { Draft } from '../draft.ts';
import { reviewThread } from '../feedback.ts';
import { judgePrReviews, votes, type ReviewOnCode } from '../gates/pr-approved.ts';
import { cannotSee, commit, hold, look, visitOf, type Step } from '../step.ts';
import { holds } from './holds.ts';
import { bounces, bounceToCode } from './moves.ts';
import { openPullRequest } from './pull-request.ts';

/**
 * Waits for people's approval of the pull request; a request for changes goes to the developer. Null: approved, and what was
 * judged is added to `subject`.
 */
export function pullReviewRule(
  draft: Draft,
  evidence: Evidence,
  baseline: Visit['baseline'],
  subject: Record<string, string>,
): Step | null {
  const { stage, prNumber } = draft.task;
  // Forced past development: there is nothing to review yet.
  if (prNumber === null) return openPullRequest(draft);
  if (evidence.reviews === undefined || !evidence.reviews.seen)
    return cannotSee(draft, evidence.reviews?.reason ?? 'the reviews cannot be read');
  const { author, rows } = evidence.reviews.value;
  const verdict = judgePrReviews(author, rows);
  if (verdict.status === 'pending')
    return hold(draft, holds.pullReview, `${stage}.waits`, verdict.reason, {
      evidence: verdict.subject,
      detail: { visit: visitOf(draft).n },
    });
  if (verdict.status === 'fail') return bounceChanges(draft, evidence.reviews.value, baseline, verdict.subject);
  Object.assign(subject, verdict.subject);
  return null;
}

/**
 * A standing request for changes of this very code by somebody whose vote counts sends the task back, whatever the review
 * policy and in every stage. Null: nobody asks for changes.
 */
export function changesRule(draft: Draft, evidence: Evidence, baseline: Visit['baseline'] | null): Step | null {
  if (draft.task.prNumber === null || evidence.reviews === undefined || baseline === null) return null;
  if (!evidence.reviews.seen) return cannotSee(draft, evidence.reviews.reason);
  const verdict = judgePrReviews(evidence.reviews.value.author, evidence.reviews.value.rows);
  if (verdict.status !== 'fail') return null;
  return bounceChanges(draft, evidence.reviews.value, baseline, verdict.subject);
}

/**
 * The last look at people's reviews before a merge, and while it waits to be delivered: a request for changes goes to the
 * developer whatever the review policy; where the review stage took people's approval of this code, one must still stand.
 * Null: nobody says no.
 */
export function lastReviewRule(draft: Draft, evidence: Evidence, baseline: Visit['baseline']): Step | null {
  const { prNumber, progress } = draft.task;
  if (prNumber === null || evidence.reviews === undefined) return null;
  const tookApproval =
    draft.policy.gates.review.includes('pr-approved') && progress.approvedCode['review'] === baseline.codeTree;
  return tookApproval ? pullReviewRule(draft, evidence, baseline, {}) : changesRule(draft, evidence, baseline);
}

function bounceChanges(
  draft: Draft,
  { author, rows }: { author: string; rows: ReviewOnCode[] },
  baseline: Visit['baseline'],
  subject: Record<string, string>,
): Step {
  const { stage } = draft.task;
  const against = votes(author, rows).filter((row) => row.state === 'changes_requested' && row.sameCode);
  const by = against.map((row) => row.user).join(', ');
  // Their words without them would be half a request: what stands at the lines is part of it.
  if (draft.evidence.feedback === undefined) return look('feedback');
  if (!draft.evidence.feedback.seen) return cannotSee(draft, draft.evidence.feedback.reason);
  const { threads } = draft.evidence.feedback.value;
  const text = [...against.map((row) => row.body), ...threads.map(spokenIn)]
    .filter((part) => part.trim() !== '')
    .join('\n\n');
  bounceToCode(draft, baseline, {
    kind: bounces.changesRequested,
    why: `Changes were requested by ${by}.`,
    text: text === '' ? `changes requested by ${by} without a word` : text,
    sections: against
      .filter((row) => row.body.trim() !== '')
      .map((row) => ({ title: `Findings of ${row.user} (thread ${reviewThread(row.id)})`, text: row.body })),
  });
  return commit(draft, `${stage}.changes-requested`, `changes requested by ${by}`, 'gate', subject);
}

/** A thread in one line, for people. */
function spokenIn({ path, line, said }: Thread): string {
  return `${path}${line === 0 ? '' : `:${line}`}: ${said.find(({ own }) => !own)?.text ?? ''}`;
}
