import type { Message, MessageId, NewMessage, TaskId } from '../model/index.ts';
import { decode, rowId } from './codec.ts';
import type { Sql } from './connection.ts';
import { asMessageKind } from './words.ts';

interface MessageColumns {
  id: number;
  task_id: string;
  source_key: string;
  body: string;
  created_at: number;
}

function decodeMessage(row: MessageColumns): Message {
  return {
    id: String(row.id) as MessageId,
    taskId: row.task_id as TaskId,
    sourceKey: row.source_key,
    body: decode(row.body),
    createdAt: row.created_at,
  };
}

/** What is addressed to a task, in the order it came; handled ones stay, so that their source keys are known for ever. */
export function messageStatements(sql: Sql) {
  return {
    known(message: NewMessage): boolean {
      return (
        sql('SELECT 1 FROM messages WHERE task_id = ? AND source_key = ?').get(message.taskId, message.sourceKey) !==
        undefined
      );
    },
    /** `false`, and nothing written, when the source key was seen before or there is no such task. */
    insert(message: NewMessage, now: number): boolean {
      asMessageKind(message.body.kind);
      const done = sql(
        `INSERT INTO messages (task_id, source_key, body, created_at) SELECT id, ?, ?, ? FROM tasks WHERE id = ?
         ON CONFLICT (task_id, source_key) DO NOTHING`,
      ).run(message.sourceKey, JSON.stringify(message.body), now, message.taskId);
      return done.changes === 1;
    },
    oldest(taskId: TaskId): Message | null {
      const row = sql<MessageColumns>(
        'SELECT * FROM messages WHERE task_id = ? AND handled_at IS NULL ORDER BY id LIMIT 1',
      ).get(taskId);
      return row === undefined ? null : decodeMessage(row);
    },
    queued(taskId: TaskId): number {
      const row = sql<{ n: number }>('SELECT count(*) AS n FROM messages WHERE task_id = ? AND handled_at IS NULL').get(
        taskId,
      );
      return row?.n ?? 0;
    },
    handled(id: MessageId, now: number): void {
      sql('UPDATE messages SET handled_at = ? WHERE id = ?').run(now, rowId(id));
    },
  };
}

export type MessageStatements = ReturnType<typeof messageStatements>;
