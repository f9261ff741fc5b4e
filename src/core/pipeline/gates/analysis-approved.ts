import type { Artifact, Verdict, Visit } from '../../model/index.ts';
import { approvalSubject, documents, find, isFresh, missingDocuments, sameHashes } from '../artifacts.ts';

/** The four artifacts exist, one of them changed in this visit, and an allowed human approved exactly these (spec 3.1). */
export function judgeAnalysis(visit: Visit, artifacts: Artifact[]): Verdict {
  const subject = approvalSubject(artifacts);
  const missing = missingDocuments(artifacts);
  if (missing.length > 0) return { status: 'fail', reason: `missing or empty: ${missing.join(', ')}`, subject };
  if (!documents.analyst.some((path) => isFresh(find(artifacts, path), visit.baseline.artifacts))) {
    return { status: 'fail', reason: 'none of the four documents changed in this visit', subject };
  }
  if (visit.approved !== null && sameHashes(visit.approved.artifacts, subject)) {
    return {
      status: 'pass',
      reason: `approved by ${visit.approved.by}`,
      subject: { ...subject, comment: visit.approved.commentId },
    };
  }
  return { status: 'pending', reason: 'waits for the approval of a person', subject };
}
