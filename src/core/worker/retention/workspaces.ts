import { existsSync } from 'node:fs';
import type { Task } from '../../model/index.ts';
import type { Finding, Repair, RepairDeps } from '../repairs/repair.ts';
import { allTasks } from './tasks.ts';

/** Workspaces of done tasks, after their retention: removed when everything in them is on the server. */
export const oldWorkspaces: Repair = {
  name: 'workspaces of done tasks',
  find: async (deps) => {
    const findings: Finding[] = [];
    const before = deps.store.now() - deps.workspaceRetentionMs;
    for (const task of await deps.store.endedTasks(before, allTasks)) {
      const finding = task.stage === 'done' ? await oldWorkspace(deps, task) : null;
      if (finding !== null) findings.push(finding);
    }
    return findings;
  },
};

async function oldWorkspace(deps: RepairDeps, task: Task): Promise<Finding | null> {
  const folder = deps.workspaces.pathOf(task.repo, task.branch);
  if (!existsSync(folder) || ((await deps.store.task(task.id))?.liveJob ?? null) !== null) return null;
  if (await deps.workspaces.unpushed(task.repo, task.branch)) {
    return { line: `${task.id} is done, but ${folder} holds work that is not on the server`, fix: null };
  }
  return {
    line: `${task.id} is done, its workspace is not needed any more`,
    fix: async () => {
      await deps.workspaces.remove(task.repo, task.branch);
      return `workspace of ${task.id} removed`;
    },
  };
}
