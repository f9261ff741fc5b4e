import Database from 'better-sqlite3';
import type { Store, TaskId } from '../../src/core/model/index.ts';
import type { Clock } from '../../src/core/platform/clock.ts';
import { connect } from '../../src/core/store/sqlite/connection.ts';
import { migrate, migrations, newestSchema } from '../../src/core/store/sqlite/migrate.ts';
import { createStore } from '../../src/core/store/store.ts';

/** The real store over a database in memory. */
export interface MemoryStore {
  store: Store;
  /** Reads what the port does not show. */
  rows<Row>(sql: string): Row[];
  /** Makes a task due although nothing new is known of it. */
  wake(taskId: TaskId): void;
  /** The database as bytes: another store can be made from them. */
  image(): Buffer;
}

const schema = newestSchema(migrations());

/** A database with the schema of today and no row. */
export async function emptyImage(): Promise<Buffer> {
  const db = new Database(':memory:');
  await migrate(db, ':memory:', 1000, migrations());
  const image = db.serialize();
  db.close();
  return image;
}

/** @param image the migrations are run once for many stores, and a store can be copied with all it holds */
export function memoryStore(image: Buffer, clock: Clock): MemoryStore {
  const db = new Database(image);
  db.pragma('foreign_keys = ON');
  return {
    store: createStore(connect(db, ':memory:', 1000, schema), clock),
    rows: <Row>(sql: string) => db.prepare(sql).all() as Row[],
    wake: (taskId) => void db.prepare('UPDATE tasks SET awake = 1, wake_seq = wake_seq + 1 WHERE id = ?').run(taskId),
    image: () => db.serialize(),
  };
}
