import type { Message, MessageId, NewMessage, TaskId } from '../../model/index.ts';
import { countsByTask, decode, idOf, rowId } from '../codec.ts';
import { all, one, run, type Query } from '../query.ts';
import { asMessageKind } from '../words.ts';
import { tasks } from './tasks.ts';

interface MessageColumns {
  id: number;
  task_id: string;
  source_key: string;
  body: string;
  created_at: number;
}

function decodeMessage(row: MessageColumns): Message {
  return {
    id: idOf<MessageId>(row.id),
    taskId: row.task_id as TaskId,
    sourceKey: row.source_key,
    body: decode(row.body),
    createdAt: row.created_at,
  };
}

const insertMessage = `INSERT INTO messages (task_id, source_key, body, created_at)
    SELECT id, @sourceKey, @body, @now FROM tasks WHERE id = @taskId
  ON CONFLICT (task_id, source_key) DO NOTHING`;

/** What is addressed to a task, in the order it came; handled ones stay, so that their source keys stay known. */
export const messages = {
  *known({ taskId, sourceKey }: NewMessage): Query<boolean> {
    const text = 'SELECT 1 FROM messages WHERE task_id = @taskId AND source_key = @sourceKey';
    return (yield* one(text, { taskId, sourceKey })) !== null;
  },
  /** `false`, and nothing written, when the source key was seen before or there is no such task. */
  *insert({ taskId, sourceKey, body }: NewMessage, now: number): Query<boolean> {
    asMessageKind(body.kind);
    return (yield* run(insertMessage, { taskId, sourceKey, body: JSON.stringify(body), now })) === 1;
  },
  /** Inserts it and wakes its task; `false` as `insert`. */
  *post(message: NewMessage, now: number): Query<boolean> {
    if (!(yield* messages.insert(message, now))) return false;
    yield* tasks.wake(message.taskId, now);
    return true;
  },
  *oldest(taskId: TaskId): Query<Message | null> {
    const text = 'SELECT * FROM messages WHERE task_id = @taskId AND handled_at IS NULL ORDER BY id LIMIT 1';
    const row = yield* one<MessageColumns>(text, { taskId });
    return row === null ? null : decodeMessage(row);
  },
  *queued(taskId: TaskId): Query<number> {
    const text = 'SELECT count(*) AS n FROM messages WHERE task_id = @taskId AND handled_at IS NULL';
    return (yield* one<{ n: number }>(text, { taskId }))?.n ?? 0;
  },
  /** How many wait, by task; a task with none is not in it. */
  *queuedByTask(): Query<Map<string, number>> {
    const text = 'SELECT task_id, count(*) AS n FROM messages WHERE handled_at IS NULL GROUP BY task_id';
    return countsByTask(yield* all(text));
  },
  /** What waits is read no more. */
  *allHandled(taskId: TaskId, now: number): Query<void> {
    yield* run('UPDATE messages SET handled_at = @now WHERE task_id = @taskId AND handled_at IS NULL', { taskId, now });
  },
  *handled(id: MessageId, now: number): Query<void> {
    yield* run('UPDATE messages SET handled_at = @now WHERE id = @id', { id: rowId(id), now });
  },
};
