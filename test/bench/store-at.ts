import Database from 'better-sqlite3';
import type { Store } from '../../src/core/model/index.ts';
import { systemClock } from '../../src/core/platform/clock.ts';
import { busyTimeoutMs, connect } from '../../src/core/store/sqlite/connection.ts';
import { migrations, newestSchema } from '../../src/core/store/sqlite/migrate.ts';
import { createStore } from '../../src/core/store/store.ts';
import type { Durability } from './contestants/contestant.ts';

/**
 * The store's own port over a connection whose durability is chosen here; everything else is as `openStore` has it, which
 * must have made the file.
 */
export function openAt(file: string, durability: Durability): { db: Database.Database; store: Store } {
  const db = new Database(file, { timeout: busyTimeoutMs });
  db.pragma(`synchronous = ${durability}`);
  db.pragma('foreign_keys = ON');
  return { db, store: createStore(connect(db, file, 10_000, newestSchema(migrations())), systemClock) };
}
