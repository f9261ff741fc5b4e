import type { ItemMirror, NewMessage, ProjectPolicy, Store, Task, TaskId, Tracker } from '../model/index.ts';
import { factsFor, mirrorOf } from './project-facts.ts';

/** Notes what was seen of one item by somebody who had to look at it, outside of a poll. */
export async function seeItem(
  store: Store,
  taskId: TaskId,
  mirror: ItemMirror,
  messages: NewMessage[] = [],
): Promise<void> {
  await store.observe({ leader: null, project: null, newTasks: [], mirrors: [{ taskId, mirror }], messages });
}

/** Looks at the item of a task now. @throws OrchError of the tracker */
export async function lookAtItem(
  task: Pick<Task, 'id' | 'itemId'>,
  policy: ProjectPolicy,
  { store, tracker }: { store: Store; tracker: Tracker },
): Promise<void> {
  const { projectId } = policy;
  const item = await tracker.item(projectId, task.itemId);
  if (item === null) {
    const last = (await store.load(task.id))?.item ?? null;
    if (last !== null) await seeItem(store, task.id, { ...last, present: false });
    return;
  }
  const { facts: known } = (await store.project(projectId)).resolved;
  const facts = await factsFor(known, item, [], { tracker, projectId, now: store.now() });
  await seeItem(store, task.id, mirrorOf(item, policy, facts));
}
