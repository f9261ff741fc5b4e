import type { Evidence, Visit } from '../../model/index.ts';
import type { Draft } from '../draft.ts';
import { effect, giteaLane, showPhase, tell } from '../draft.ts';
import { judgeDeployed } from '../gates/deployed.ts';
import { holdTask } from '../holds.ts';
import { baselineOf, complete, noteMerge, openVisit } from '../moves.ts';
import { cannotSee, commit, hold, visitOf, type Ruling } from '../ruling.ts';
import { unseen } from './analysis.ts';
import { codeRule, mergeRule } from './code.ts';
import { openPullRequest } from './development.ts';
import { mirrorVerdict } from './review.ts';
import { reviewedCodeRule } from './testing.ts';

/** Merge by orch, pinned to the head it has just proven, then the deployer; or the deployer merges (spec 5). */
export function decideDeploy(draft: Draft, evidence: Evidence): Ruling {
  const visit = visitOf(draft);
  const merged = visit.merge?.merged === true;
  if (!merged && draft.policy.deploy.merge === 'orch') return mergeProven(draft, evidence);
  if (visit.finished === null) return hold(draft, 'outside', 'deploy.waits', 'the deployer has not finished');
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
  const verdict = judgeDeployed(visit);
  if (verdict.status === 'pass') {
    complete(draft);
    return commit(draft, 'deploy.done', verdict.reason, `run:${visit.finished.runId}`, verdict.subject);
  }
  if (verdict.result === 'failed') return failed(draft, evidence, verdict.subject);
  if (verdict.result === 'none')
    return hold(draft, 'no_deploy_result', 'deploy.no-result', verdict.reason, { evidence: verdict.subject });
  // Forced past development: there was nothing to merge yet.
  if (draft.task.prNumber === null) return openPullRequest(draft);
  return hold(
    draft,
    'gate_failed',
    'deploy.not-merged',
    'the deployer reported success, but the pull request is not merged',
    { evidence: verdict.subject },
  );
}

/** Asks for the merge of exactly this head, after proving again what could have changed since the tests. */
function mergeProven(draft: Draft, evidence: Evidence): Ruling {
  const visit = visitOf(draft);
  const { task, policy } = draft;
  if (visit.merge !== null) return hold(draft, 'outside', 'deploy.merging', 'the merge is under way');
  const baseline = baselineOf(evidence);
  if (baseline === null || baseline.sha === null) return cannotSee(draft, unseen(evidence));
  const broken =
    reviewedCodeRule(draft, baseline) ?? mergeRule(draft, evidence, baseline) ?? codeRule(draft, evidence, baseline);
  if (broken !== null) return broken;
  if (task.prNumber === null) return openPullRequest(draft);
  // A documents-only push may have dismissed the approval: the verdict on this very code is posted for the new head.
  if (policy.gates.review.includes('reviewer-verdict') && task.handled['approved_code'] === baseline.codeTree)
    mirrorVerdict(draft, baseline, 'APPROVED', 'The code is the one that was approved.');
  const marker = `Orch-Merge: ${task.id}/${visit.n}`;
  visit.merge = { head: baseline.sha, marker, merged: false, mergedSha: null };
  effect(
    draft,
    'merge',
    giteaLane(task),
    {
      kind: 'gitea.merge',
      repo: task.repo,
      number: task.prNumber,
      branch: task.branch,
      baseBranch: task.baseBranch,
      head: baseline.sha,
      style: policy.deploy.mergeStyle,
      marker,
      title: `${task.id}: ${task.title} (#${task.prNumber})`,
    },
    true,
  );
  holdTask(draft, 'outside', 'the merge is under way');
  return commit(draft, 'deploy.merge', `the merge of ${baseline.sha} was asked for`, 'gate', {
    sha: baseline.sha,
    code_tree: baseline.codeTree ?? '',
  });
}

/** Back to development, Blocked, told with whether it was rolled back; nothing is run again by itself (spec 3.3). */
function failed(draft: Draft, evidence: Evidence, subject: Record<string, string>): Ruling {
  const visit = visitOf(draft);
  const { task } = draft;
  const baseline: Visit['baseline'] | null = baselineOf(evidence);
  if (baseline === null) return cannotSee(draft, unseen(evidence));
  const result = visit.finished?.result ?? null;
  const reason = result?.summary ?? '';
  tell(draft, { event: 'deploy_failed', reason, rolledBack: result?.rolledBack ?? null });
  // A pipeline without a developer stays here: the retry runs the deployer again.
  if (task.pipelineStages.includes('development')) {
    // What was merged stays merged: the next round is a new pull request of the same branch.
    if (visit.merge?.merged === true) {
      task.prNumber = null;
      delete task.handled['open_pr'];
    }
    openVisit(draft, 'development', baseline, `The deployment failed: ${reason}`, []);
  }
  holdTask(draft, 'deploy_failed', `the deployment failed${rolledBack(result?.rolledBack ?? null)}: ${reason}`, {
    tail: reason,
  });
  showPhase(draft, 'blocked');
  return commit(draft, 'deploy.failed', `the deployer reported a failure: ${reason}`, 'gate', subject);
}

function rolledBack(done: boolean | null): string {
  if (done === null) return '';
  return done ? ' and was rolled back' : ' and was not rolled back';
}
