-- The rows of a task that ended long ago are kept as one compressed value, and come back when anything happens to it.
CREATE TABLE packed_tasks (
  task_id TEXT PRIMARY KEY REFERENCES tasks (id),
  packed_at INTEGER NOT NULL,
  -- JSON, compressed (brotli): each table's rows as they were.
  body BLOB NOT NULL
) STRICT;
-- Whose a run is that was packed, and when it ended: asked for by number, and by the folders that it left.
CREATE TABLE packed_runs (
  id INTEGER PRIMARY KEY,
  task_id TEXT NOT NULL,
  ended_at INTEGER NOT NULL
) STRICT;
ALTER TABLE tasks ADD COLUMN packed INTEGER NOT NULL DEFAULT 0 CHECK (packed IN (0, 1));
-- Ended, and not packed yet.
CREATE INDEX tasks_ended ON tasks (updated_at, id) WHERE stage IN ('done', 'cancelled') AND packed = 0;
