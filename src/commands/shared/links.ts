import type { ProjectPolicy, Task } from '../../core/model/index.ts';

/** Addresses people follow, made from the configuration only; null where there is nothing to follow yet. */
export interface TaskLinks {
  item: string | null;
  branch: string | null;
  pullRequest: string | null;
}

/** @param policy of the task's project; undefined when the project has left the configuration */
export function taskLinks(task: Task, policy: ProjectPolicy | undefined): TaskLinks {
  if (policy === undefined) return { item: null, branch: null, pullRequest: null };
  const { plane, gitea, workspace } = policy.links;
  const repo = `${gitea}/${task.repo}`;
  const branch = task.branch.split('/').map(encodeURIComponent).join('/');
  return {
    item: `${plane}/${workspace}/projects/${task.projectId}/issues/${task.itemId}`,
    branch: task.visit === 0 ? null : `${repo}/src/branch/${branch}`,
    pullRequest: task.prNumber === null ? null : `${repo}/pulls/${task.prNumber}`,
  };
}
