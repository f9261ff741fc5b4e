import type { Sql } from './connection.ts';
import { jobStatements } from './jobs.ts';
import type { JobStatements } from './jobs.ts';
import { messageStatements } from './messages.ts';
import type { MessageStatements } from './messages.ts';
import { mirrorStatements } from './mirrors.ts';
import type { MirrorStatements } from './mirrors.ts';
import { outboxStatements } from './outbox.ts';
import type { OutboxStatements } from './outbox.ts';
import { runStatements } from './runs.ts';
import type { RunStatements } from './runs.ts';
import { taskStatements } from './tasks.ts';
import type { TaskStatements } from './tasks.ts';
import { visitStatements } from './visits.ts';
import type { VisitStatements } from './visits.ts';

/** The statement families of one connection; commands that span several tables are built from these. */
export interface Families {
  sql: Sql;
  tasks: TaskStatements;
  visits: VisitStatements;
  mirrors: MirrorStatements;
  messages: MessageStatements;
  jobs: JobStatements;
  runs: RunStatements;
  outbox: OutboxStatements;
}

export function families(sql: Sql): Families {
  return {
    sql,
    tasks: taskStatements(sql),
    visits: visitStatements(sql),
    mirrors: mirrorStatements(sql),
    messages: messageStatements(sql),
    jobs: jobStatements(sql),
    runs: runStatements(sql),
    outbox: outboxStatements(sql),
  };
}

/** Queues a message and wakes its task; `false` when the source key was seen before or there is no such task. */
export function postMessage(f: Families, message: Parameters<MessageStatements['insert']>[0], now: number): boolean {
  if (!f.messages.insert(message, now)) return false;
  f.tasks.wake(message.taskId, now);
  return true;
}
