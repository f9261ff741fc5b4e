import type { ProjectId, ProjectRow } from '../model/index.ts';
import { canonicalJson, decode } from './codec.ts';
import type { Sql } from './connection.ts';

interface ProjectColumns {
  project_id: string;
  first_number: number | null;
  item_watermark: number | null;
  pr_watermark: number | null;
  resolved: string;
}

/** What is kept of a project between polls. */
export function projectStatements(sql: Sql) {
  function get(projectId: ProjectId): ProjectRow {
    const row = sql<ProjectColumns>('SELECT * FROM projects WHERE project_id = ?').get(projectId);
    if (row === undefined)
      return { projectId, firstNumber: null, itemWatermark: null, prWatermark: null, resolved: {} };
    return {
      projectId,
      firstNumber: row.first_number,
      itemWatermark: row.item_watermark,
      prWatermark: row.pr_watermark,
      resolved: decode(row.resolved),
    };
  }
  return {
    /** A project that was never polled is an empty row: no first contact yet. */
    get,
    equals: (row: ProjectRow): boolean => canonicalJson(get(row.projectId)) === canonicalJson(row),
    put(row: ProjectRow): void {
      sql(
        `INSERT INTO projects (project_id, first_number, item_watermark, pr_watermark, resolved) VALUES (?, ?, ?, ?, ?)
         ON CONFLICT (project_id) DO UPDATE SET first_number = excluded.first_number,
           item_watermark = excluded.item_watermark, pr_watermark = excluded.pr_watermark, resolved = excluded.resolved`,
      ).run(row.projectId, row.firstNumber, row.itemWatermark, row.prWatermark, JSON.stringify(row.resolved));
    },
  };
}

export type ProjectStatements = ReturnType<typeof projectStatements>;
