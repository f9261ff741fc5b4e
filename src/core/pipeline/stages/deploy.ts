import type { Evidence, Verdict, Visit } from '../../model/index.ts';
import type { Draft } from '../draft.ts';
import { effect, forgeLane, notify, showPhase } from '../draft.ts';
import { approvedCodeRule } from '../rules/approved-code.ts';
import { codeNeeds, codeRule, mergeRule } from '../rules/code.ts';
import { holds, holdTask } from '../rules/holds.ts';
import { baselineOf, complete, noteMerge, openVisit } from '../rules/moves.ts';
import { codeStage } from '../rules/order.ts';
import { pictureOf, protectionRule, refusalRule } from '../rules/protected-base.ts';
import { changesRule, lastReviewRule } from '../rules/pull-reviews.ts';
import { openPullRequest } from '../rules/pull-request.ts';
import { cannotSee, cannotSeeBranch, commit, hold, visitOf, type Step } from '../step.ts';
import { defaultFacts, type StageDefinition } from './definition.ts';
import { blocking, defaultRole } from './stage.ts';

const deployFailed = blocking(
  'deploy_failed',
  'operator',
  'rerun',
  { en: 'another run of the developer' },
  { en: 'The deployment failed', ru: 'Развёртывание не удалось' },
);
const noDeployResult = blocking(
  'no_deploy_result',
  'operator',
  'rerun',
  { en: 'another run of the deployer' },
  { en: 'The deployer left no result that can be read', ru: 'Деплоер не оставил результата, который можно прочитать' },
);

export const deploy: StageDefinition = {
  ...defaultFacts,
  name: 'deploy',
  words: { en: 'deploy', ru: 'развёртывание' },
  role: {
    ...defaultRole,
    name: 'deployer',
    words: { en: 'deployer', ru: 'деплоер' },
  },
  gate: 'deployed',
  products: () => [
    '`.orch/result.json` with the status and, when the deployment failed, `rolled_back`: without it the task stops',
  ],
  needs: (policy) => ['merges', 'pull', 'reviews', 'protection', ...codeNeeds(policy)],
  watchesCi: true,
  watchesReviews: true,
  merges: true,
  // Where orch merges, the deployer starts after the merge.
  agentFirst: (policy, visit) => policy.deploy.merge === 'agent' || visit.merge?.merged === true,
  edges: [
    { to: 'development', name: 'deploy failed, red CI, base conflict' },
    { to: 'review', name: 'code changed after the review' },
    { to: 'testing', name: 'rejected' },
    { to: 'done', name: 'merged and deployed' },
  ],
  holds: [deployFailed, noDeployResult],
  decide,
};

/** Merge by orch, pinned to the head it has just proven, then the deployer; or the deployer merges (spec 5). */
function decide(draft: Draft, evidence: Evidence): Step {
  const visit = visitOf(draft);
  const merged = visit.merge?.merged === true;
  if (!merged && draft.policy.deploy.merge === 'orch') return mergeProven(draft, evidence);
  if (visit.finished === null) return hold(draft, holds.delivering, 'deploy.waits', 'the deployer has not finished');
  // Before the deployer's word is judged, whether it merged: a failure after the merge needs a new pull request.
  if (!merged && draft.task.prNumber !== null) {
    if (evidence.pull?.seen !== true)
      return cannotSee(draft, evidence.pull?.reason ?? 'the pull request cannot be read');
    if (evidence.pull.value.merged) {
      noteMerge(draft, visit, draft.task.prNumber, evidence.pull.value.mergedSha, 'orch');
      return commit(draft, 'deploy.merged', `pull request #${draft.task.prNumber} is merged`, 'gate', {
        pr: String(draft.task.prNumber),
        merged: evidence.pull.value.mergedSha ?? '',
      });
    }
  }
  const against = merged ? null : changesRule(draft, evidence, baselineOf(evidence));
  if (against !== null) return against;
  const verdict = judgeDeployed(visit);
  if (verdict.status === 'pass') {
    complete(draft);
    return commit(draft, 'deploy.done', verdict.reason, `run:${visit.finished.runId}`, verdict.subject);
  }
  if (verdict.result === 'failed') return failed(draft, evidence, verdict.subject);
  if (verdict.result === 'none')
    return hold(draft, noDeployResult, 'deploy.no-result', verdict.reason, { evidence: verdict.subject });
  // Forced past development: there was nothing to merge yet.
  if (draft.task.prNumber === null) return openPullRequest(draft);
  return hold(
    draft,
    holds.gateFailed,
    'deploy.not-merged',
    'the deployer reported success, but the pull request is not merged',
    { evidence: verdict.subject },
  );
}

/**
 * Asks for the merge of exactly this head, after proving again what could have changed since the tests. The same is proven
 * while the merge waits to be delivered; what cannot be seen meanwhile does not take it back, because its delivery looks at
 * the pull request first.
 */
function mergeProven(draft: Draft, evidence: Evidence): Step {
  const visit = visitOf(draft);
  const { task, policy } = draft;
  const asked = visit.merge !== null;
  const underWay = (): Step => hold(draft, holds.delivering, 'deploy.merging', 'the merge is under way');
  if (asked && !seesAll(draft, evidence)) return underWay();
  const baseline = baselineOf(evidence);
  if (baseline === null || baseline.sha === null) return cannotSeeBranch(draft, evidence);
  const broken =
    approvedCodeRule(draft, baseline) ??
    mergeRule(draft, evidence, baseline) ??
    codeRule(draft, evidence, baseline) ??
    lastReviewRule(draft, evidence, baseline);
  if (broken !== null) return broken;
  if (asked) return underWay();
  if (task.prNumber === null) return openPullRequest(draft);
  const approves = standsByVerdict(draft, baseline);
  const refused = protectionRule(draft, evidence, baseline, approves) ?? refusalRule(draft, evidence, baseline);
  if (refused !== null) return refused;
  const marker = `Orch-Merge: ${task.id}/${visit.n}`;
  const picture = pictureOf(evidence, baseline);
  visit.merge = { head: baseline.sha, marker, merged: false, mergedSha: null, picture };
  effect(
    draft,
    'merge',
    forgeLane(task),
    {
      kind: 'forge.merge_pull',
      repo: task.repo,
      number: task.prNumber,
      branch: task.branch,
      baseBranch: task.baseBranch,
      head: baseline.sha,
      style: policy.deploy.mergeStyle,
      marker,
      title: `${task.id}: ${task.title} (#${task.prNumber})`,
      ...(approves ? { approval: 'The code is the one that was approved.' } : {}),
    },
    true,
  );
  holdTask(draft, holds.delivering, 'the merge is under way');
  return commit(draft, 'deploy.merge', `the merge of ${baseline.sha} was asked for`, 'gate', {
    sha: baseline.sha,
    code_tree: baseline.codeTree ?? '',
  });
}

/** Whether the second account approved this very code. A push of documents may have dismissed that: it is said again for the new head. */
function standsByVerdict({ policy, task }: Draft, baseline: Visit['baseline']): boolean {
  const { approvedCode } = task.progress;
  const byAgent = policy.postsVerdict && policy.gates.review.includes('reviewer-verdict');
  return byAgent && approvedCode['review'] !== undefined && approvedCode['review'] === baseline.codeTree;
}

/** Whether everything that is proven before a merge can be seen. */
function seesAll({ policy }: Draft, evidence: Evidence): boolean {
  return (
    baselineOf(evidence) !== null &&
    evidence.merges?.seen === true &&
    evidence.reviews?.seen !== false &&
    (policy.gates.development !== 'ci-green' || evidence.statuses?.seen === true)
  );
}

/** Back to development, Blocked, reported with whether it was rolled back; nothing runs again by itself (spec 3.3). */
function failed(draft: Draft, evidence: Evidence, subject: Record<string, string>): Step {
  const visit = visitOf(draft);
  const { task } = draft;
  const baseline = baselineOf(evidence);
  if (baseline === null) return cannotSeeBranch(draft, evidence);
  const result = visit.finished?.result ?? null;
  const reason = result?.summary ?? '';
  notify(draft, { event: 'deploy_failed', reason, rolledBack: result?.rolledBack ?? null });
  // A pipeline without a developer stays here: the retry runs the deployer again.
  const codedIn = codeStage(draft);
  if (codedIn !== null) {
    // What was merged stays merged: the next round is a new pull request of the same branch.
    if (visit.merge?.merged === true) {
      task.prNumber = null;
      task.progress.pullEffect = null;
    }
    openVisit(draft, codedIn, baseline, `The deployment failed: ${reason}`, []);
  }
  holdTask(draft, deployFailed, `the deployment failed${rolledBack(result?.rolledBack ?? null)}: ${reason}`, {
    tail: reason,
  });
  showPhase(draft, 'blocked');
  return commit(draft, 'deploy.failed', `the deployer reported a failure: ${reason}`, 'gate', subject);
}

function rolledBack(done: boolean | null): string {
  if (done === null) return '';
  return done ? ' and was rolled back' : ' and was not rolled back';
}

function whyNone(visit: Visit): string {
  const trouble = visit.finished?.resultTrouble;
  return trouble === undefined
    ? 'the deployer left no result'
    : `there is a .orch/result.json of the deployer that cannot be read: ${trouble}`;
}

/** Merged in this round, and the deployer reported success. A deployer without a result is never a success (spec 3.1, 7). */
export function judgeDeployed(visit: Visit): Verdict & { result: 'success' | 'failed' | 'none' } {
  const merged = visit.merge?.merged === true;
  const status = visit.finished?.result?.status;
  const result = status === undefined ? 'none' : status === 'success' ? 'success' : 'failed';
  const subject: Record<string, string> = {
    ...(visit.merge?.mergedSha == null ? {} : { merged: visit.merge.mergedSha }),
    ...(visit.finished === null ? {} : { run: visit.finished.runId }),
  };
  if (result === 'failed') return { status: 'fail', result, reason: 'the deployer reported a failure', subject };
  if (result === 'none') return { status: 'fail', result, reason: whyNone(visit), subject };
  if (!merged) return { status: 'pending', result, reason: 'the pull request is not merged', subject };
  return { status: 'pass', result, reason: 'merged, and the deployer reported success', subject };
}
