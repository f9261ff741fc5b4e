import type { Tracker, ProjectPolicy, Store, TaskId } from '../model/index.ts';
import { OrchError, taskIdOf } from '../model/index.ts';
import { newTask } from '../pipeline/intake.ts';
import { heardIn } from './comments.ts';
import { mirrorOf, readFacts } from './project-facts.ts';
import { reopen } from './reopen.ts';

/**
 * Brings one work item into the pipeline by its key (`SHOP-12`), whatever its number, label or state (spec 4.1). The
 * gate of the intake is asked all the same. A task that was cancelled is reopened.
 * @param by who orders it
 * @throws OrchError `work_item_unknown`, `project_not_registered`, `pipeline_unknown`, `task_id_taken`
 */
export async function bringIn(
  key: string,
  pipeline: string | null,
  deps: { tracker: Tracker; store: Store },
  policies: ProjectPolicy[],
  by: string,
): Promise<{ taskId: TaskId; came: 'new' | 'reopened' | 'known' }> {
  const { product } = deps.tracker;
  const match = /^([A-Za-z0-9]+)-(\d+)$/.exec(key.trim());
  if (match?.[1] === undefined) {
    throw new OrchError(`"${key}" is no key of a work item`, {
      code: 'bad_key',
      hint: `A key is the identifier of the ${product} project and a number, such as SHOP-12.`,
    });
  }
  const found = await deps.tracker.itemByKey(match[1].toUpperCase(), Number(match[2]));
  if (found === null)
    throw new OrchError(`there is no work item ${key}`, {
      code: 'work_item_unknown',
      hint: `Look for its key in ${product}.`,
    });
  const policy = policies.find((other) => other.projectId === found.projectId);
  if (policy === undefined) {
    throw new OrchError(`the ${product} project of ${key} is not registered`, {
      code: 'project_not_registered',
      hint: 'Add it under `projects` of the configuration.',
    });
  }
  if (pipeline !== null && policy.pipelines[pipeline] === undefined) {
    throw new OrchError(`project ${policy.name} has no pipeline "${pipeline}"`, {
      code: 'pipeline_unknown',
      hint: `Pipelines: ${Object.keys(policy.pipelines).join(', ')}.`,
    });
  }
  const item = await deps.tracker.item(policy.projectId, found.id);
  if (item === null)
    throw new OrchError(`work item ${key} is archived or deleted`, {
      code: 'work_item_unknown',
      hint: `Restore it in ${product} first.`,
    });
  const known = await deps.store.taskOfItem(item.id);
  const task = known === null ? null : ((await deps.store.task(known))?.task ?? null);
  if (task !== null) {
    if (task.stage !== 'cancelled') return { taskId: task.id, came: 'known' };
    await reopen(task, by, policy, deps);
    return { taskId: task.id, came: 'reopened' };
  }
  const facts = await readFacts(deps.tracker, policy.projectId, deps.store.now());
  const mirror = mirrorOf(item, policy, facts);
  const taskId = taskIdOf(policy.prefix, item.number);
  const owner = (await deps.store.task(taskId))?.task.itemId ?? null;
  if (owner !== null)
    throw new OrchError(`the task id ${taskId} belongs to another work item (${owner})`, {
      code: 'task_id_taken',
      hint: `Give project ${policy.name} another prefix in the configuration: task ids are made of prefix and number.`,
    });
  const comments = await deps.tracker.comments(policy.projectId, item.id);
  const created = await deps.store.addTask(newTask(mirror, policy, deps.store.now(), pipeline), mirror);
  // What was said before is noted now, while nothing waits for it: an old marker must not count as today's.
  const said = heardIn(comments, taskId, policy, facts, await deps.store.identity());
  if (created) for (const message of said) await deps.store.post(message);
  return { taskId, came: created ? 'new' : 'known' };
}
