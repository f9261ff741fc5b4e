import type { Draft } from '../draft.ts';
import { documentFolder } from '../artifacts.ts';
import { effect, forgeLane } from '../draft.ts';
import { commit, hold, type Step } from '../step.ts';
import { holds } from './holds.ts';

/** Opens the task's pull request, or adopts the open one of its branch (spec 5). */
export function openPullRequest(draft: Draft): Step {
  const { task, policy } = draft;
  if (task.progress.pullEffect !== null)
    return hold(draft, holds.delivering, `${task.stage}.pr`, 'the pull request is being opened');
  const item = policy.links.item(task.projectId, task.itemId);
  const folder = policy.links.file(task.repo, task.branch, documentFolder(task.id));
  task.hold = null;
  task.progress.pullEffect = effect(
    draft,
    'open_pr',
    forgeLane(task),
    {
      kind: 'forge.open_pull',
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
