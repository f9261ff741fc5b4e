import type { OwnStage, TaskId, Visit } from '../model/index.ts';
import { decode } from './codec.ts';
import type { Sql } from './connection.ts';
import { asStage } from './words.ts';

/** Stays of a task in its stages; what a visit holds beside its number is one JSON value. */
export function visitStatements(sql: Sql) {
  return {
    find(taskId: TaskId, n: number): Visit | null {
      const row = sql<{ body: string }>('SELECT body FROM visits WHERE task_id = ? AND n = ?').get(taskId, n);
      return row === undefined ? null : decode<Visit>(row.body);
    },
    ofTask(taskId: TaskId): Visit[] {
      return sql<{ body: string }>('SELECT body FROM visits WHERE task_id = ? ORDER BY n')
        .all(taskId)
        .map((row) => decode<Visit>(row.body));
    },
    put(taskId: TaskId, visit: Visit, own: OwnStage[]): void {
      sql(
        `INSERT INTO visits (task_id, n, stage, started_at, body) VALUES (?, ?, ?, ?, ?)
         ON CONFLICT (task_id, n) DO UPDATE SET stage = excluded.stage, started_at = excluded.started_at, body = excluded.body`,
      ).run(taskId, visit.n, asStage(visit.stage, own), visit.startedAt, JSON.stringify(visit));
    },
  };
}

export type VisitStatements = ReturnType<typeof visitStatements>;
