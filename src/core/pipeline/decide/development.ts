import type { Evidence } from '../../model/index.ts';
import { documentFolder } from '../artifacts.ts';
import type { Draft } from '../draft.ts';
import { effect, giteaLane } from '../draft.ts';
import { advanceTo, baselineOf } from '../moves.ts';
import { cannotSee, commit, hold, visitOf, type Ruling } from '../ruling.ts';
import { stageAfter } from '../table.ts';
import { unseen } from './analysis.ts';
import { codeRule, judgeCode, mergeRule } from './code.ts';

/** New code, a pull request, no conflict with the base, and green: then review (spec 3, 3.3). */
export function decideDevelopment(draft: Draft, evidence: Evidence): Ruling {
  const visit = visitOf(draft);
  const { task } = draft;
  const baseline = baselineOf(evidence);
  if (baseline === null) return cannotSee(draft, unseen(evidence));
  const subject = { sha: baseline.sha ?? '', code_tree: baseline.codeTree ?? '' };
  const result = visit.finished?.result ?? null;
  if (baseline.codeTree === visit.baseline.codeTree) {
    const said =
      result?.status === 'nothing_to_do'
        ? `the developer says there is nothing to do: ${result.summary}`
        : 'the developer made no new code';
    return hold(draft, 'no_new_code', 'development.no-new-code', said, { evidence: subject });
  }
  if (task.prNumber === null) return openPullRequest(draft);
  const conflict = mergeRule(draft, evidence, baseline);
  if (conflict !== null) return conflict;
  const code = codeRule(draft, evidence, baseline);
  if (code !== null) return code;
  const verdict = judgeCode(draft, evidence);
  advanceTo(draft, stageAfter(task.stage, task.pipelineStages), baseline, 'The code is ready for review.', null);
  return commit(draft, 'development.green', verdict.reason, 'gate', { ...subject, ...verdict.subject });
}

/** Opens the task's pull request, or adopts the open one of its branch (spec 5). */
export function openPullRequest(draft: Draft): Ruling {
  const { task, policy } = draft;
  if (task.handled['open_pr'] !== undefined)
    return hold(draft, 'outside', `${task.stage}.pr`, 'the pull request is being opened');
  const item = `${policy.links.plane}/${policy.links.workspace}/projects/${task.projectId}/issues/${task.itemId}`;
  const folder = `${policy.links.gitea}/${task.repo}/src/branch/${task.branch.split('/').map(encodeURIComponent).join('/')}/${documentFolder(task.id)}`;
  task.hold = null;
  task.handled['open_pr'] = effect(
    draft,
    'open_pr',
    giteaLane(task),
    {
      kind: 'gitea.open_pr',
      repo: task.repo,
      branch: task.branch,
      baseBranch: task.baseBranch,
      title: `${task.id}: ${task.title}`,
      body: `Work item: [${task.id}](${item})\n\nDocuments: [${documentFolder(task.id)}](${folder})\n`,
      labels: policy.pullRequest.labels,
    },
    true,
  );
  return commit(draft, `${task.stage}.open-pr`, 'the code is on the branch; its pull request is opened', 'gate');
}
