import type { MessageBody, Store, TaskId, TaskRow } from '../../core/model/index.ts';
import { OrchError, parseTaskId } from '../../core/model/index.ts';

/** @throws OrchError `usage` for text that is no task id, `notFound` for a task orch does not have */
export async function taskOf(store: Store, text: string): Promise<TaskRow> {
  const row = await store.task(parseTaskId(text));
  if (row !== null) return row;
  throw new OrchError(`there is no task ${text.trim().toUpperCase()}`, {
    code: 'task_unknown',
    hint: '`orch status` lists the tasks; `orch enqueue --work-item` brings a Plane item in.',
  });
}

/** Leaves a command for a task. Every call is a command of its own, so its source key is unique. */
export async function order(
  store: Store,
  taskId: TaskId,
  body: Extract<MessageBody, { kind: 'command' }>,
): Promise<void> {
  await store.post({ taskId, sourceKey: `command:${body.name}:${store.now()}:${process.pid}`, body });
}
