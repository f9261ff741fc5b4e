import { createHash } from 'node:crypto';
import { counted } from '../../model/index.ts';
import type { Evidence, Protection, ReviewRow, StatusRow, Verdict, Visit } from '../../model/index.ts';
import type { Draft } from '../draft.ts';
import { judgeCi } from '../gates/ci-green.ts';
import { matchesContext } from '../gates/context-pattern.ts';
import { votes } from '../gates/pr-approved.ts';
import { cannotSee, hold, visitOf, type Step } from '../step.ts';
import { waitForCi } from './code.ts';
import { holds } from './holds.ts';

/**
 * Before a merge is asked for: what the protection of the base branch demands of this very head, checks and approvals. What may still
 * change is waited for. Null: nothing is seen that would refuse it.
 * @param approves whether the second account approves with the request
 */
export function protectionRule(
  draft: Draft,
  evidence: Evidence,
  baseline: Visit['baseline'],
  approves: boolean,
): Step | null {
  const { task, policy, now } = draft;
  if (evidence.protection?.seen !== true)
    return cannotSee(draft, evidence.protection?.reason ?? 'the protection of the base branch cannot be read');
  if (evidence.pull?.seen === true && evidence.pull.value.baseBranch !== task.baseBranch) {
    const { baseBranch } = evidence.pull.value;
    const text = `pull request #${task.prNumber ?? 0} now goes into ${baseBranch}: set it back to ${task.baseBranch}`;
    return hold(draft, holds.mergeRefused, 'deploy.retargeted', text);
  }
  const { rule, statuses } = evidence.protection.value;
  if (rule?.protected !== true) return null;
  const checks = judgeChecks(rule, statuses, baseline);
  const reason = `the protection of ${task.baseBranch} wants a check of this commit: ${checks.reason}`;
  if (checks.status === 'pending') return waitForCi(draft, { ...checks, reason }, statuses.length === 0, reason);
  const wakeAt = now + policy.recheckMs;
  if (checks.status === 'fail')
    return hold(draft, holds.mergeRefused, 'deploy.check-failed', reason, { evidence: checks.subject, wakeAt });
  const by = approvers(evidence, approves);
  if (by.length >= rule.requiredApprovals) return null;
  const text = `the protection of ${task.baseBranch} wants ${counted(rule.requiredApprovals, 'approval')}, ${by.length === 0 ? 'none counts' : `${by.length} ${by.length === 1 ? 'counts' : 'count'} (${by.join(', ')})`}`;
  return hold(draft, holds.pullReview, 'deploy.approvals', text, { detail: { visit: visitOf(draft).n }, wakeAt });
}

/**
 * The server refused the merge although nothing seen forbids it: it is asked again when something that it judges by has changed,
 * and waits for a person until then. Null: it was not refused as things stand.
 */
export function refusalRule(draft: Draft, evidence: Evidence, baseline: Visit['baseline']): Step | null {
  const refused = visitOf(draft).mergeRefused;
  if (refused === undefined || refused.picture !== pictureOf(evidence, baseline)) return null;
  const wakeAt = draft.now + draft.policy.recheckMs;
  return hold(draft, holds.mergeRefused, 'deploy.refused', `the server refuses the merge: ${refused.said}`, { wakeAt });
}

/** Digest of everything seen by which the server judges a merge. */
export function pictureOf({ protection, reviews, pull }: Evidence, { sha }: Visit['baseline']): string {
  const seen = protection?.seen === true ? protection.value : null;
  const rows = reviews?.seen === true ? [...reviews.value.rows, ...(reviews.value.own ?? [])] : [];
  const picture = [
    sha,
    pull?.seen === true ? pull.value.baseBranch : null,
    seen?.rule ?? null,
    seen?.statuses.map(({ context, state }) => `${state} ${context}`).sort() ?? [],
    rows.flatMap(({ id, user, state, dismissed, counts }) =>
      state === 'commented' ? [] : [[id, user, state, dismissed, counts]],
    ),
  ];
  return createHash('sha256').update(JSON.stringify(picture)).digest('hex').slice(0, 16);
}

/** As the server judges them: one that was skipped has passed, and without a pattern every status counts. */
function judgeChecks(rule: Protection, statuses: StatusRow[], { codeTree }: Visit['baseline']): Verdict {
  if (!rule.statusCheck) return { status: 'pass', reason: 'no check is wanted', subject: {} };
  const rows = statuses.map((row) => (row.state === 'skipped' ? { ...row, state: 'passed' as const } : row));
  if (rows.length === 0 && rule.contexts.length > 0)
    return { status: 'pending', reason: `${rule.contexts.join(', ')} has not reported`, subject: {} };
  return judgeCi(rows, rule.contexts, codeTree ?? '', matchesContext);
}

/** Whose approval the server counts, on whatever commit. */
function approvers({ reviews }: Evidence, approves: boolean): string[] {
  if (reviews?.seen !== true) return [];
  const { author, rows, own = [] } = reviews.value;
  const approved = (list: ReviewRow[]): string[] =>
    votes(author, list).flatMap(({ state, user }) => (state === 'approved' ? [user] : []));
  const second = approved(own);
  return [...approved(rows), ...(second.length === 0 && approves ? ["orch's second account"] : second)];
}
