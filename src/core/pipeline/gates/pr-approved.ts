import type { ReviewRow, Verdict } from '../../model/index.ts';

export type ReviewOnCode = ReviewRow & { sameCode: boolean };

/**
 * The vote of every reviewer but the author: the newest row per user counts, a later request for their review resets it,
 * comments leave it as it was, a dismissed one is none, and neither is that of somebody who may not write (spec 3.1).
 */
export function votes<Row extends ReviewRow>(author: string, rows: Row[]): Row[] {
  const latest = new Map<string, Row>();
  for (const row of [...rows].sort((a, b) => a.id - b.id)) {
    if (row.user === author) continue;
    if (row.state === 'review_requested') latest.delete(row.user);
    else if (row.state === 'approved' || row.state === 'changes_requested') latest.set(row.user, row);
  }
  return [...latest.values()].filter((row) => row.counts && !row.dismissed);
}

/** Only votes on the head's code count, for and against: findings about older code were answered by the newer (spec 3.1). */
export function judgePrReviews(author: string, rows: ReviewOnCode[]): Verdict {
  const counted = votes(author, rows);
  const current = counted.filter((row) => row.sameCode);
  const subject = Object.fromEntries(
    counted.map((row) => [`review:${row.id}`, `${row.state} by ${row.user} on ${row.commit}`]),
  );
  const against = current.filter((row) => row.state === 'changes_requested');
  if (against.length > 0)
    return { status: 'fail', reason: `changes requested by ${against.map((row) => row.user).join(', ')}`, subject };
  const approvals = current.filter((row) => row.state === 'approved');
  return approvals.length > 0
    ? { status: 'pass', reason: `approved by ${approvals.map((row) => row.user).join(', ')}`, subject }
    : { status: 'pending', reason: 'waits for an approving review of the pull request', subject };
}
