import type { Mirror, MirrorKind, MirrorOf, TaskId } from '../model/index.ts';
import { mirrorKey } from '../model/index.ts';
import { canonicalJson, decode } from './codec.ts';
import type { Sql } from './connection.ts';
import { asMirrorKind } from './words.ts';

/** What orch last saw of the world, one row a task, kind and key. */
export function mirrorStatements(sql: Sql) {
  return {
    find<K extends MirrorKind>(taskId: TaskId, kind: K, key: string): MirrorOf<K> | null {
      const row = sql<{ body: string }>('SELECT body FROM mirrors WHERE task_id = ? AND kind = ? AND key = ?').get(
        taskId,
        kind,
        key,
      );
      return row === undefined ? null : decode<MirrorOf<K>>(row.body);
    },
    equals(taskId: TaskId, mirror: Mirror): boolean {
      const row = sql<{ body: string }>('SELECT body FROM mirrors WHERE task_id = ? AND kind = ? AND key = ?').get(
        taskId,
        mirror.kind,
        mirrorKey(mirror),
      );
      return row?.body === canonicalJson(mirror);
    },
    /** Whether anything changed; an equal mirror is not written. */
    put(taskId: TaskId, mirror: Mirror, now: number): boolean {
      const done = sql(
        `INSERT INTO mirrors (task_id, kind, key, body, seen_at) VALUES (?, ?, ?, ?, ?)
         ON CONFLICT (task_id, kind, key) DO UPDATE SET body = excluded.body, seen_at = excluded.seen_at
         WHERE body <> excluded.body`,
      ).run(taskId, asMirrorKind(mirror.kind), mirrorKey(mirror), canonicalJson(mirror), now);
      return done.changes === 1;
    },
  };
}

export type MirrorStatements = ReturnType<typeof mirrorStatements>;
