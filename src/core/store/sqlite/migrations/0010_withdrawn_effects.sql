-- An effect that its task no longer wants is withdrawn before it is sent: one state more. The table is made again and keeps
-- its rows.

CREATE TABLE outbox_new (
  id INTEGER PRIMARY KEY,
  key TEXT NOT NULL UNIQUE,
  lane TEXT NOT NULL,
  kind TEXT NOT NULL,
  body TEXT NOT NULL CHECK (json_valid(body)),
  report INTEGER NOT NULL CHECK (report IN (0, 1)),
  task_id TEXT REFERENCES tasks (id),
  state TEXT NOT NULL CHECK (state IN ('pending', 'in_flight', 'done', 'dead', 'superseded', 'withdrawn')),
  attempts INTEGER NOT NULL DEFAULT 0,
  -- Earliest moment of a retry; 0: at once, whatever the clock says.
  available_at INTEGER NOT NULL,
  lease_owner TEXT,
  lease_token INTEGER NOT NULL DEFAULT 0,
  lease_expires_at INTEGER,
  result TEXT CHECK (result IS NULL OR json_valid(result)),
  error TEXT,
  created_at INTEGER NOT NULL,
  settled_at INTEGER,
  CHECK ((state = 'in_flight') = (lease_expires_at IS NOT NULL))
) STRICT;
INSERT INTO outbox_new (id, key, lane, kind, body, report, task_id, state, attempts, available_at, lease_owner, lease_token,
    lease_expires_at, result, error, created_at, settled_at)
  SELECT id, key, lane, kind, body, report, task_id, state, attempts, available_at, lease_owner, lease_token,
    lease_expires_at, result, error, created_at, settled_at
  FROM outbox ORDER BY id;
DROP TABLE outbox;
ALTER TABLE outbox_new RENAME TO outbox;
-- One sender a lane at a time.
CREATE UNIQUE INDEX outbox_sender ON outbox (lane) WHERE state = 'in_flight';
CREATE INDEX outbox_lane ON outbox (lane, id) WHERE state IN ('pending', 'in_flight');
CREATE INDEX outbox_order ON outbox (id) WHERE state IN ('pending', 'in_flight');
CREATE INDEX outbox_task ON outbox (task_id, id);
