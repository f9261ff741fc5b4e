import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import Database from 'better-sqlite3';
import { migrate, migrations } from '../../src/core/store/sqlite/migrate.ts';

/** The number of the migration whose text holds this; 0 when there is none. */
export function migrationWith(text: string): number {
  return migrations().find((step) => step.sql.includes(text))?.number ?? 0;
}

/** A database with every migration before this one, and the task ET-012 in it. */
export async function databaseBefore(number: number): Promise<{ db: Database.Database; remove: () => void }> {
  const folder = mkdtempSync(path.join(tmpdir(), 'orch-migration-'));
  const db = new Database(path.join(folder, 'orch.db'));
  db.pragma('foreign_keys = ON');
  const before = migrations().filter((step) => step.number < number);
  await migrate(db, 'orch.db', 1000, before);
  db.exec(`INSERT INTO tasks (id, project_id, item_id, number, title, repo, branch, base_branch, pipeline, pipeline_stages,
      stage, visit, paused, counters, progress, created_at, updated_at, stage_since, awake)
    VALUES ('ET-012', 'p', 'i', 12, 't', 'acme/shop', 'feature/x', 'main', 'default', '[]', 'deploy', 7, 0, '{}',
      '{}', 0, 0, 0, 1)`);
  const remove = (): void => {
    db.close();
    rmSync(folder, { recursive: true, force: true });
  };
  return { db, remove };
}
