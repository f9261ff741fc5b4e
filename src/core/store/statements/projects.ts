import { nothingResolved, type ProjectId, type ProjectRow } from '../../model/index.ts';
import { canonicalJson } from '../codec.ts';
import { one, run, type Query } from '../query.ts';
import { resolvedOf } from '../resolved.ts';

interface ProjectColumns {
  project_id: string;
  first_number: number | null;
  item_watermark: number | null;
  pr_watermark: number | null;
  resolved: string;
}

const putProject = `INSERT INTO projects (project_id, first_number, item_watermark, pr_watermark, resolved)
    VALUES (@projectId, @firstNumber, @itemWatermark, @prWatermark, @resolved)
  ON CONFLICT (project_id) DO UPDATE SET first_number = excluded.first_number,
    item_watermark = excluded.item_watermark, pr_watermark = excluded.pr_watermark, resolved = excluded.resolved`;

/** What is kept of a project between polls. */
export const projects = {
  /** A project that was never polled is an empty row: no first contact yet. */
  *get(projectId: ProjectId): Query<ProjectRow> {
    const row = yield* one<ProjectColumns>('SELECT * FROM projects WHERE project_id = @projectId', { projectId });
    if (row === null)
      return { projectId, firstNumber: null, itemWatermark: null, prWatermark: null, resolved: nothingResolved };
    return {
      projectId,
      firstNumber: row.first_number,
      itemWatermark: row.item_watermark,
      prWatermark: row.pr_watermark,
      resolved: resolvedOf(row.resolved),
    };
  },
  *equals(row: ProjectRow): Query<boolean> {
    return canonicalJson(yield* projects.get(row.projectId)) === canonicalJson(row);
  },
  *put(row: ProjectRow): Query<void> {
    yield* run(putProject, { ...row, resolved: JSON.stringify(row.resolved) });
  },
};
