import type { Artifact, ArtifactHashes, Evidence, Visit } from '../../model/index.ts';
import { approvedDocuments, hashesOf, sameHashes } from '../artifacts.ts';
import type { Draft } from '../draft.ts';
import { notify, showPhase } from '../draft.ts';
import { waiting } from '../stages/stage.ts';
import { commit, hold, visitOf, type Step } from '../step.ts';
import { holdTask, isHeldFor } from './holds.ts';

export const approval = waiting(
  'approval',
  'approver',
  'in_review',
  { en: 'a comment that begins with :approved: or :rejected: by a person who may approve' },
  { en: 'Waiting for an approval', ru: 'Ждёт согласования' },
);

/** Hashes of the documents that an approval is for. */
export function approvalSubject(artifacts: Artifact[]): ArtifactHashes {
  return hashesOf(artifacts.filter((artifact) => approvedDocuments.includes(artifact.path)));
}

/** Asks for an approval of exactly these contents, once; waits for it otherwise. @param sentence what led to it */
export function requestApproval(draft: Draft, visit: Visit, subject: ArtifactHashes, sentence: string): Step {
  const { stage } = draft.task;
  const text = 'waits for :approved: or :rejected: in the work item';
  const detail = { visit: visit.n };
  if (visit.approval !== null && sameHashes(visit.approval.artifacts, subject))
    return hold(draft, approval, `${stage}.waits`, text, { detail });
  holdTask(draft, approval, text, detail);
  const key = notify(draft, { event: 'approval_wanted', artifacts: Object.keys(subject) });
  // An approval of the request before this one, whose delivery was never recorded, is older than this one.
  const early = visit.approval?.early;
  if (early !== undefined) notify(draft, { event: 'approval_too_old', by: early.by });
  visit.approval = { artifacts: subject, key: key ?? '', askedAt: null };
  visit.approved = null;
  return commit(draft, `${stage}.ask-approval`, sentence, 'gate', subject);
}

/**
 * What a person approved stays what the later stages work from: a push that changed those documents since (no role may) is
 * approved as well, or taken back, before the stage's gate is asked. Null: they are as they were approved.
 */
export function documentsRule(draft: Draft, evidence: Evidence): Step | null {
  const visit = visitOf(draft);
  const { task } = draft;
  const approved = task.progress.approvedDocuments;
  if (approved === undefined || task.stage === 'analysis') return null;
  if (visit.merge?.merged === true || evidence.artifacts?.seen !== true) return null;
  const subject = approvalSubject(evidence.artifacts.value);
  if (sameHashes(approved, subject)) {
    if (!isHeldFor(draft, approval)) return null;
    visit.approval = null;
    return goOn(draft, 'the documents are those that were approved again', 'gate');
  }
  if (visit.approved !== null && sameHashes(visit.approved.artifacts, subject)) {
    const { by, commentId } = visit.approved;
    task.progress.approvedDocuments = subject;
    return goOn(draft, `${by} approved the changed documents`, `comment:${commentId}`);
  }
  const names = [...new Set([...Object.keys(approved), ...Object.keys(subject)])];
  const changed = names.filter((name) => approved[name] !== subject[name]).sort();
  const sentence = `${changed.join(', ')} changed after the approval; another one was asked for`;
  return requestApproval(draft, visit, subject, sentence);
}

function goOn(draft: Draft, sentence: string, cause: string): Step {
  draft.task.hold = null;
  showPhase(draft, 'in_progress');
  return commit(draft, `${draft.task.stage}.documents`, sentence, cause);
}
