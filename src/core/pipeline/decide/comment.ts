import type { ApprovalRequest, MessageOf, Visit } from '../../model/index.ts';
import { isWorkStage } from '../../model/index.ts';
import { sameHashes } from '../artifacts.ts';
import type { Draft } from '../draft.ts';
import { notify, stopJob } from '../draft.ts';
import { commit, type Step } from '../step.ts';

type Comment = MessageOf<'comment'>;

/** A comment counts once, and only from people who may approve (spec 4.3). */
export function decideComment(draft: Draft, comment: Comment): Step {
  const cause = `comment:${comment.commentId}`;
  const { visit, task } = draft;
  if (!comment.allowed) {
    if (comment.marker !== null) answerRefused(draft, comment);
    return commit(draft, 'comment.not-allowed', whyNothing(comment), cause);
  }
  const { marker } = comment;
  if (visit === null || !isWorkStage(task.stage)) {
    if (marker?.kind === 'approved') return approvedElsewhere(draft, comment, cause);
    return commit(draft, 'comment.early', 'nothing waits for a comment yet', cause);
  }
  if (marker === null) {
    if (comment.nearMiss !== undefined) notify(draft, { event: 'marker_unclear', said: comment.nearMiss });
    visit.answers.push({ commentId: comment.commentId, by: comment.actorName, text: comment.text });
    const near = comment.nearMiss === undefined ? '' : `; "${comment.nearMiss}" in it is no marker`;
    return commit(draft, 'comment.noted', `a comment of ${comment.actorName} was noted${near}`, cause);
  }
  if (marker.kind === 'rejected') {
    const reason = marker.reason === '' ? 'no reason given' : marker.reason;
    visit.order = { kind: 'rejected', by: comment.actorName, reason, commentId: comment.commentId };
    visit.approved = null;
    if (visit.approval !== null) delete visit.approval.early;
    if (task.hold?.cause !== undefined && !task.hold.blocking) task.hold = null;
    stopJob(draft);
    return commit(draft, 'comment.rejected', `${comment.actorName} rejected: ${reason}`, cause);
  }
  return approved(draft, comment, cause);
}

/** What happened to a comment that counts for nothing, for `orch why`. */
function whyNothing({ actorName, rewrittenBy, marker }: Comment): string {
  const what = marker === null ? 'a comment' : marker.kind === 'approved' ? 'an approval' : 'a rejection';
  return rewrittenBy === undefined
    ? `${what} of ${actorName} counts for nothing: they may not approve`
    : `${what} in the name of ${actorName} counts for nothing: ${rewrittenBy}, who may not approve, has rewritten the comment`;
}

/** Once for each person and visit: anybody may comment, as often as they like. */
function answerRefused(draft: Draft, comment: Comment): void {
  const { visit } = draft;
  const writer = comment.updatedBy ?? comment.actor;
  if (visit === null || visit.refused?.includes(writer) === true) return;
  visit.refused = [...(visit.refused ?? []), writer];
  notify(draft, { event: 'may_not_approve', by: comment.rewrittenBy ?? comment.actorName });
}

function approved(draft: Draft, comment: Comment, cause: string): Step {
  const { visit } = draft;
  const request = visit?.approval ?? null;
  if (visit === null || request === null) return approvedElsewhere(draft, comment, cause);
  if (request.askedAt === null) {
    request.early = { by: comment.actorName, commentId: comment.commentId, updatedAt: comment.updatedAt };
    const sentence = `${comment.actorName} approved while the request was being sent; it is judged when that is known`;
    return commit(draft, 'comment.approval-early', sentence, cause);
  }
  if (comment.updatedAt < request.askedAt) return tooOld(draft, comment.actorName, cause);
  if (visit.approved !== null && sameHashes(visit.approved.artifacts, request.artifacts)) {
    return commit(draft, 'comment.approved-already', 'approved already', cause);
  }
  if (visit.order?.kind === 'rejected') visit.order = null;
  visit.approved = { by: comment.actorName, commentId: comment.commentId, artifacts: request.artifacts };
  return commit(draft, 'comment.approved', `${comment.actorName} approved`, cause, request.artifacts);
}

function tooOld(draft: Draft, by: string, cause: string): Step {
  notify(draft, { event: 'approval_too_old', by });
  return commit(draft, 'comment.approval-too-old', `${by} approved before orch asked for it`, cause);
}

/**
 * The request for an approval is in the work item since `askedAt` (the tracker's time, ms): an approval that was seen before
 * this was known counts if it is younger.
 */
export function decideAsked(
  draft: Draft,
  visit: Visit,
  request: ApprovalRequest,
  askedAt: number,
  cause: string,
): Step {
  const { early } = request;
  request.askedAt = askedAt;
  delete request.early;
  if (early === undefined) return commit(draft, 'comment.asked', 'the request for approval is in the work item', cause);
  if (early.updatedAt < askedAt) return tooOld(draft, early.by, cause);
  visit.approved = { by: early.by, commentId: early.commentId, artifacts: request.artifacts };
  return commit(draft, 'comment.approved', `${early.by} approved`, `comment:${early.commentId}`, request.artifacts);
}

/** Moves nothing; the answer says what the task waits for (spec 4.3). */
function approvedElsewhere(draft: Draft, comment: Comment, cause: string): Step {
  const { task } = draft;
  const { liveJob } = draft.from;
  const waitsFor =
    task.hold?.clearedBy ??
    (liveJob === null ? 'its gate' : liveJob.kind === 'check' ? 'the local tests' : `the ${liveJob.role}`);
  notify(draft, { event: 'not_waiting_for_approval', by: comment.actorName, waitsFor });
  return commit(
    draft,
    'comment.approval-elsewhere',
    `${comment.actorName} approved, but ${task.stage} waits for ${waitsFor}`,
    cause,
  );
}
