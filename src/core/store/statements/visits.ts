import type { OwnStage, TaskId, Visit } from '../../model/index.ts';
import { decode } from '../codec.ts';
import { all, one, run, type Query } from '../query.ts';
import { asStage } from '../words.ts';
import { packed } from './packed.ts';

const putVisit = `INSERT INTO visits (task_id, n, stage, started_at, body) VALUES (@taskId, @n, @stage, @startedAt, @body)
  ON CONFLICT (task_id, n) DO UPDATE SET stage = excluded.stage, started_at = excluded.started_at, body = excluded.body`;

/** Stays of a task in its stages; what a visit holds in addition to its number is one JSON value. */
export const visits = {
  *find(taskId: TaskId, n: number): Query<Visit | null> {
    const row = yield* one<{ body: string }>('SELECT body FROM visits WHERE task_id = @taskId AND n = @n', {
      taskId,
      n,
    });
    return row === null ? null : decode<Visit>(row.body);
  },
  *ofTask(taskId: TaskId): Query<Visit[]> {
    const text = 'SELECT body FROM visits WHERE task_id = @taskId ORDER BY n';
    const kept = (yield* packed.of(taskId))?.visits as { body: string }[] | undefined;
    const rows = kept ?? (yield* all<{ body: string }>(text, { taskId }));
    return rows.map((row) => decode<Visit>(row.body));
  },
  *put(taskId: TaskId, visit: Visit, own: OwnStage[]): Query<void> {
    const { n, startedAt } = visit;
    const stage = asStage(visit.stage, own);
    yield* run(putVisit, { taskId, n, stage, startedAt, body: JSON.stringify(visit) });
  },
};
