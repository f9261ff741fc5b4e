import type { Evidence, EvidenceNeed, Orders, ProjectPolicy, Verdict, Visit } from '../../model/index.ts';
import { checkCause, counted } from '../../model/index.ts';
import type { Draft } from '../draft.ts';
import { failedContexts, judgeCi } from '../gates/ci-green.ts';
import { judgeLocalTests } from '../gates/tests-local.ts';
import { cannotSee, commit, hold, visitOf, type Step } from '../step.ts';
import { holds } from './holds.ts';
import { bounces, bounceToCode } from './moves.ts';
import { codeStage } from './order.ts';

/** How the code of the head stands by the project's rule: CI, or its own tests. */
export function judgeCode(draft: Draft, evidence: Evidence): Verdict {
  const codeTree = evidence.codeTree?.seen === true ? evidence.codeTree.value : '';
  if (draft.policy.gates.development === 'tests-local') return judgeLocalTests(draft.from.checks, codeTree);
  if (evidence.statuses === undefined || !evidence.statuses.seen) {
    return { status: 'pending', reason: evidence.statuses?.reason ?? 'CI was not asked', subject: {} };
  }
  return judgeCi(evidence.statuses.value, draft.policy.ci.requiredContexts, codeTree);
}

/** What a developer reads about code that failed: contexts with links, or the end of the test output. */
function failureSections(draft: Draft, evidence: Evidence): Orders['sections'] {
  if (draft.policy.gates.development === 'tests-local') {
    const codeTree = evidence.codeTree?.seen === true ? evidence.codeTree.value : '';
    const check = draft.from.checks.find((row) => row.codeTree === codeTree);
    return check === undefined ? [] : [{ title: 'Output of the tests', text: check.tail }];
  }
  if (evidence.statuses?.seen !== true) return [];
  return failedContexts(evidence.statuses.value, draft.policy.ci.requiredContexts).map((row) => ({
    title: `CI context ${row.context}: ${row.state}`,
    text: [row.description, row.url].filter((line) => line !== '').join('\n'),
  }));
}

/** Red code goes back to the developer, from whichever stage it is seen in, once per failed code tree (spec 3.3). */
function bounceRedCode(draft: Draft, evidence: Evidence, baseline: Visit['baseline'], verdict: Verdict): Step {
  const from = draft.task.stage;
  bounceToCode(draft, baseline, {
    kind: bounces.redCode,
    why: `${verdict.reason}.`,
    text: verdict.reason,
    sections: failureSections(draft, evidence),
  });
  return commit(draft, `${from}.red-code`, verdict.reason, 'gate', verdict.subject);
}

/**
 * Waits for CI: says after the grace period that none reported, holds after the limit (spec 3.1).
 * @param wanted who wants it and what; empty: the project's own rule does
 */
export function waitForCi(draft: Draft, verdict: Verdict, silent: boolean, wanted = ''): Step {
  const visit = visitOf(draft);
  const { ci } = draft.policy;
  // A clock that was set back must not make the wait longer than its limit.
  visit.ciSince = Math.min(visit.ciSince ?? draft.now, draft.now);
  const waited = draft.now - visit.ciSince;
  const evidence = verdict.subject;
  if (waited >= ci.limitMs)
    return hold(
      draft,
      holds.ciStuck,
      `${draft.task.stage}.ci-stuck`,
      `${verdict.reason} after ${minutes(ci.limitMs)}`,
      { evidence },
    );
  if (silent && waited >= ci.graceMs) {
    return hold(
      draft,
      holds.ciSilent,
      `${draft.task.stage}.ci-silent`,
      `${wanted === '' ? '' : `${wanted}; `}no CI has reported for ${minutes(ci.graceMs)}`,
      { evidence, wakeAt: visit.ciSince + ci.limitMs },
    );
  }
  const wakeAt = visit.ciSince + (silent ? Math.min(ci.graceMs, ci.limitMs) : ci.limitMs);
  return hold(draft, holds.ci, `${draft.task.stage}.ci-pending`, verdict.reason, { evidence, wakeAt });
}

/** Check jobs run under the settings of this role: its sandbox and environment. */
const checkRole = 'tester';

/** Queues the project's test command on this code tree, once per tree. */
function requestCheck(draft: Draft, codeTree: string): Step {
  const { task, policy } = draft;
  const visit = visitOf(draft);
  task.hold = null;
  draft.jobs.push({
    kind: 'check',
    role: checkRole,
    taskId: task.id,
    projectId: task.projectId,
    cause: checkCause(codeTree, task.progress.lostChecks),
    repo: task.repo,
    branch: task.branch,
    visit: visit.n,
    orders: { why: 'local tests', sections: [] },
    command: policy.tests.command,
    timeoutMs: policy.tests.timeoutMs,
    maxAttempts: 1,
    maxTransient: policy.budgets.transientRetries,
    maxInterruptions: policy.budgets.interruptions,
    runCap: null,
    costCapMicros: null,
    availableAt: null,
  });
  return commit(draft, `${task.stage}.check`, 'the local tests are run on this code', 'gate', { code_tree: codeTree });
}

/**
 * The rule of the code in every stage behind development, and in development itself: pass goes on (null), red goes back,
 * pending waits. In a stage that works on the same code the result is there already.
 */
export function codeRule(draft: Draft, evidence: Evidence, baseline: Visit['baseline']): Step | null {
  // A pipeline without development (an audit) has no code of its own to prove.
  if (codeStage(draft) === null) return null;
  const verdict = judgeCode(draft, evidence);
  if (verdict.status === 'pass') return null;
  if (verdict.status === 'fail') return bounceRedCode(draft, evidence, baseline, verdict);
  if (draft.policy.gates.development === 'tests-local') return requestCheck(draft, baseline.codeTree ?? '');
  if (evidence.statuses?.seen !== true) return cannotSee(draft, verdict.reason);
  return waitForCi(draft, verdict, evidence.statuses.value.length === 0);
}

/** A branch that does not merge into its base goes to the developer, who merges the base in (spec 3.3). */
export function mergeRule(draft: Draft, evidence: Evidence, baseline: Visit['baseline']): Step | null {
  if (evidence.merges === undefined || !evidence.merges.seen)
    return cannotSee(draft, evidence.merges?.reason ?? 'the base branch cannot be read');
  const { clean, conflicts } = evidence.merges.value;
  if (clean) return null;
  const base = draft.task.baseBranch;
  bounceToCode(draft, baseline, {
    kind: bounces.baseConflict,
    why: `The branch does not merge into ${base}. Merge ${base} into the branch (it is there as origin/${base}) and resolve the conflicts.`,
    text: `the branch does not merge into ${base}: ${conflicts.join(', ')}`,
    sections: [{ title: 'Files in conflict', text: conflicts.join('\n') }],
  });
  return commit(draft, `${draft.from.task.stage}.base-conflict`, `the branch does not merge into ${base}`, 'gate', {
    conflicts: conflicts.join(', '),
  });
}

/** What has to be collected to judge the code by the project's rule. */
export function codeNeeds(policy: ProjectPolicy): EvidenceNeed[] {
  return policy.gates.development === 'ci-green' ? ['statuses'] : [];
}

function minutes(ms: number): string {
  return counted(Math.round(ms / 60_000), 'minute');
}
