import type { Mirror, MirrorKind, MirrorOf, TaskId } from '../../model/index.ts';
import { mirrorKey } from '../../model/index.ts';
import { canonicalJson, decode } from '../codec.ts';
import { one, run, type Query } from '../query.ts';
import { asMirrorKind } from '../words.ts';

const bodyOf = 'SELECT body FROM mirrors WHERE task_id = @taskId AND kind = @kind AND key = @key';

const putMirror = `INSERT INTO mirrors (task_id, kind, key, body, seen_at) VALUES (@taskId, @kind, @key, @body, @now)
  ON CONFLICT (task_id, kind, key) DO UPDATE SET body = excluded.body, seen_at = excluded.seen_at
  WHERE mirrors.body <> excluded.body`;

/** What orch last saw of the world, one row a task, kind and key. */
export const mirrors = {
  *find<K extends MirrorKind>(taskId: TaskId, kind: K, key: string): Query<MirrorOf<K> | null> {
    const row = yield* one<{ body: string }>(bodyOf, { taskId, kind, key });
    return row === null ? null : decode<MirrorOf<K>>(row.body);
  },
  *equals(taskId: TaskId, mirror: Mirror): Query<boolean> {
    const row = yield* one<{ body: string }>(bodyOf, { taskId, kind: mirror.kind, key: mirrorKey(mirror) });
    return row?.body === canonicalJson(mirror);
  },
  /** Whether anything changed; an equal mirror is not written. */
  *put(taskId: TaskId, mirror: Mirror, now: number): Query<boolean> {
    const kind = asMirrorKind(mirror.kind);
    const row = { taskId, kind, key: mirrorKey(mirror), body: canonicalJson(mirror), now };
    return (yield* run(putMirror, row)) === 1;
  },
};
