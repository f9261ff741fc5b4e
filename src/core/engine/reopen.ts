import type { ProjectPolicy, Store, Task, Tracker } from '../model/index.ts';
import { lookAtItem } from './item-look.ts';

/**
 * Reopens a task that was cancelled, or whose item was closed by hand, whatever the item shows. The item is looked at first, so
 * that the decision starts from what it shows now.
 * @param by who orders it
 * @throws OrchError of the tracker
 */
export async function reopen(
  task: Pick<Task, 'id' | 'itemId'>,
  by: string,
  policy: ProjectPolicy,
  deps: { store: Store; tracker: Tracker },
): Promise<void> {
  const { store } = deps;
  await lookAtItem(task, policy, deps);
  const sourceKey = `command:reopen:${store.now()}:${process.pid}`;
  await store.post({ taskId: task.id, sourceKey, body: { kind: 'command', name: 'reopen', by } });
}
