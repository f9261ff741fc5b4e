import type { Artifact, Evidence, Verdict, Visit } from '../../model/index.ts';
import { documents, find, isFresh } from '../artifacts.ts';
import { frontMatter } from '../front-matter.ts';

export type ReviewerVerdict = Verdict & { readable: boolean };

/** `verdict:` in the front matter of a `12-review.md` of this visit, for the head's code (spec 3.1). Prose never counts. */
export function judgeReviewerVerdict(
  visit: Visit,
  artifacts: Artifact[],
  verdictCommit: Evidence['verdictCommit'],
): ReviewerVerdict {
  const review = find(artifacts, documents.review);
  const subject: Record<string, string> = review === undefined ? {} : { [review.path]: review.blob };
  const unreadable = (reason: string): ReviewerVerdict => ({ status: 'fail', readable: false, reason, subject });
  if (!isFresh(review, visit.baseline.artifacts)) return unreadable('no new or changed 12-review.md');
  const verdict = frontMatter(review.text ?? '')?.['verdict']?.toUpperCase();
  if (verdict === undefined) return unreadable('12-review.md has no `verdict:` in its front matter');
  if (verdict !== 'APPROVED' && verdict !== 'REQUEST_CHANGES')
    return unreadable(`12-review.md has the unknown verdict "${verdict.slice(0, 40)}"`);
  const named = verdictCommit?.seen === true ? verdictCommit.value : null;
  if (verdictCommit?.seen === false)
    return { status: 'pending', readable: true, reason: verdictCommit.reason, subject };
  if (named !== null && !named.sameCode)
    return unreadable(`the verdict is about commit ${named.named.slice(0, 40)}, whose code is not the head's`);
  return verdict === 'APPROVED'
    ? { status: 'pass', readable: true, reason: 'the reviewer approved', subject: { ...subject, verdict } }
    : { status: 'fail', readable: true, reason: 'the reviewer requests changes', subject: { ...subject, verdict } };
}
