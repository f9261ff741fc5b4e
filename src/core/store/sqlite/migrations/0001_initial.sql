-- Times are integer milliseconds UTC; nested values are JSON. Rows are never deleted except processes, so integer keys
-- are not given out twice. The CHECK constraints and partial unique indexes carry the invariants: a defect in the
-- program meets an error here before it becomes a doubled run.

CREATE TABLE meta (
  key TEXT PRIMARY KEY,
  value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE projects (
  project_id TEXT PRIMARY KEY,
  first_number INTEGER,
  item_watermark INTEGER,
  pr_watermark INTEGER,
  resolved TEXT NOT NULL CHECK (json_valid(resolved))
) STRICT, WITHOUT ROWID;

CREATE TABLE tasks (
  id TEXT PRIMARY KEY,
  project_id TEXT NOT NULL,
  item_id TEXT NOT NULL UNIQUE,
  number INTEGER NOT NULL,
  title TEXT NOT NULL,
  repo TEXT NOT NULL,
  branch TEXT NOT NULL,
  base_branch TEXT NOT NULL,
  pipeline TEXT NOT NULL,
  pipeline_stages TEXT NOT NULL CHECK (json_valid(pipeline_stages)),
  stage TEXT NOT NULL CHECK (stage IN
    ('created', 'analysis', 'architecture', 'development', 'review', 'testing', 'deploy', 'done', 'cancelled')),
  visit INTEGER NOT NULL CHECK (visit >= 0),
  hold TEXT CHECK (hold IS NULL OR json_valid(hold)),
  paused INTEGER NOT NULL CHECK (paused IN (0, 1)),
  phase TEXT,
  pr_number INTEGER,
  merged_sha TEXT,
  counters TEXT NOT NULL CHECK (json_valid(counters)),
  handled TEXT NOT NULL CHECK (json_valid(handled)),
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  stage_since INTEGER NOT NULL,
  version INTEGER NOT NULL DEFAULT 0,
  wake_seq INTEGER NOT NULL DEFAULT 0,
  -- Woken by something that happened: due whatever the clock says. wake_at then tells since when, else it is a timer.
  awake INTEGER NOT NULL CHECK (awake IN (0, 1)),
  wake_at INTEGER,
  runs INTEGER NOT NULL DEFAULT 0,
  spent_micros INTEGER NOT NULL DEFAULT 0 CHECK (spent_micros >= 0),
  reserved_micros INTEGER NOT NULL DEFAULT 0 CHECK (reserved_micros >= 0)
) STRICT;
CREATE INDEX tasks_awake ON tasks (wake_at, id) WHERE awake = 1;
CREATE INDEX tasks_timer ON tasks (wake_at, id) WHERE awake = 0 AND wake_at IS NOT NULL;

CREATE TABLE visits (
  task_id TEXT NOT NULL REFERENCES tasks (id),
  n INTEGER NOT NULL CHECK (n > 0),
  stage TEXT NOT NULL,
  started_at INTEGER NOT NULL,
  body TEXT NOT NULL CHECK (json_valid(body)),
  PRIMARY KEY (task_id, n)
) STRICT;

CREATE TABLE mirrors (
  task_id TEXT NOT NULL REFERENCES tasks (id),
  kind TEXT NOT NULL CHECK (kind IN ('item', 'branch', 'pr', 'reviews', 'statuses')),
  key TEXT NOT NULL,
  -- Canonical JSON (keys sorted), so that equal texts are equal mirrors.
  body TEXT NOT NULL CHECK (json_valid(body)),
  seen_at INTEGER NOT NULL,
  PRIMARY KEY (task_id, kind, key)
) STRICT;

CREATE TABLE messages (
  id INTEGER PRIMARY KEY,
  task_id TEXT NOT NULL REFERENCES tasks (id),
  source_key TEXT NOT NULL,
  body TEXT NOT NULL CHECK (json_valid(body)),
  created_at INTEGER NOT NULL,
  handled_at INTEGER,
  UNIQUE (task_id, source_key)
) STRICT;
CREATE INDEX messages_queued ON messages (task_id, id) WHERE handled_at IS NULL;

CREATE TABLE jobs (
  id INTEGER PRIMARY KEY,
  kind TEXT NOT NULL CHECK (kind IN ('agent', 'check', 'adhoc')),
  role TEXT NOT NULL,
  task_id TEXT REFERENCES tasks (id),
  cause TEXT NOT NULL,
  repo TEXT NOT NULL,
  branch TEXT NOT NULL,
  visit INTEGER NOT NULL,
  orders TEXT NOT NULL CHECK (json_valid(orders)),
  command TEXT CHECK (command IS NULL OR json_valid(command)),
  timeout_ms INTEGER,
  run_cap INTEGER,
  cost_cap_micros INTEGER,
  state TEXT NOT NULL CHECK (state IN ('queued', 'delayed', 'running', 'done', 'failed', 'cancelled')),
  available_at INTEGER NOT NULL,
  attempts INTEGER NOT NULL DEFAULT 0,
  max_attempts INTEGER NOT NULL,
  transient INTEGER NOT NULL DEFAULT 0,
  max_transient INTEGER NOT NULL,
  interruptions INTEGER NOT NULL DEFAULT 0,
  max_interruptions INTEGER NOT NULL,
  cancel_requested INTEGER NOT NULL DEFAULT 0 CHECK (cancel_requested IN (0, 1)),
  lease_owner TEXT,
  lease_token INTEGER NOT NULL DEFAULT 0,
  lease_expires_at INTEGER,
  last_error TEXT,
  created_at INTEGER NOT NULL,
  finished_at INTEGER,
  CHECK ((state = 'running') = (lease_owner IS NOT NULL)),
  CHECK ((state = 'running') = (lease_expires_at IS NOT NULL)),
  CHECK ((state IN ('done', 'failed', 'cancelled')) = (finished_at IS NOT NULL)),
  CHECK ((kind = 'adhoc') = (task_id IS NULL))
) STRICT;
-- The same cause is the same job for ever, finished ones included.
CREATE UNIQUE INDEX jobs_cause ON jobs (task_id, cause) WHERE task_id IS NOT NULL;
CREATE UNIQUE INDEX jobs_adhoc_cause ON jobs (cause) WHERE task_id IS NULL;
-- At most one live job a task, one running job a branch.
CREATE UNIQUE INDEX jobs_live ON jobs (task_id) WHERE task_id IS NOT NULL AND state IN ('queued', 'delayed', 'running');
CREATE UNIQUE INDEX jobs_branch ON jobs (repo, branch) WHERE state = 'running';
-- Jobs that are not due yet have an index of their own: a claim never walks over them.
CREATE INDEX jobs_ready ON jobs (available_at, id) WHERE state = 'queued';
CREATE INDEX jobs_delayed ON jobs (available_at, id) WHERE state = 'delayed';

CREATE TABLE runs (
  id INTEGER PRIMARY KEY,
  job_id INTEGER NOT NULL REFERENCES jobs (id),
  task_id TEXT REFERENCES tasks (id),
  role TEXT NOT NULL,
  kind TEXT NOT NULL,
  repo TEXT NOT NULL,
  attempt INTEGER NOT NULL CHECK (attempt > 0),
  lease_token INTEGER NOT NULL,
  host TEXT NOT NULL,
  phase TEXT NOT NULL CHECK (phase IN ('preparing', 'running', 'publishing', 'settled')),
  folder TEXT NOT NULL DEFAULT '',
  workspace TEXT NOT NULL DEFAULT '',
  pid INTEGER,
  pid_start TEXT,
  session_id TEXT,
  base_sha TEXT,
  published_sha TEXT,
  outcome TEXT CHECK (outcome IS NULL OR json_valid(outcome)),
  -- Dollars reserved for the run while it is not settled; null without a cap.
  budget_micros INTEGER CHECK (budget_micros >= 0),
  started_at INTEGER NOT NULL,
  ended_at INTEGER,
  UNIQUE (job_id, attempt),
  CHECK ((phase = 'settled') = (ended_at IS NOT NULL)),
  CHECK (phase <> 'settled' OR outcome IS NOT NULL)
) STRICT;
-- A job has one run that is not settled, at most. The few rows of this index and of jobs_branch also serve every look for
-- what runs now: each further index is a page that every claim and every settlement writes.
CREATE UNIQUE INDEX runs_open ON runs (job_id) WHERE phase <> 'settled';
CREATE INDEX runs_role ON runs (role, id) WHERE kind = 'agent' AND phase = 'settled';

CREATE TABLE decisions (
  id INTEGER PRIMARY KEY,
  task_id TEXT NOT NULL REFERENCES tasks (id),
  at INTEGER NOT NULL,
  from_stage TEXT NOT NULL,
  to_stage TEXT NOT NULL,
  version INTEGER NOT NULL,
  hold_cause TEXT,
  why TEXT NOT NULL CHECK (json_valid(why)),
  UNIQUE (task_id, version)
) STRICT;

CREATE TABLE outbox (
  id INTEGER PRIMARY KEY,
  key TEXT NOT NULL UNIQUE,
  lane TEXT NOT NULL,
  kind TEXT NOT NULL,
  body TEXT NOT NULL CHECK (json_valid(body)),
  report INTEGER NOT NULL CHECK (report IN (0, 1)),
  task_id TEXT REFERENCES tasks (id),
  state TEXT NOT NULL CHECK (state IN ('pending', 'in_flight', 'done', 'dead', 'superseded')),
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
-- One sender a lane at a time.
CREATE UNIQUE INDEX outbox_sender ON outbox (lane) WHERE state = 'in_flight';
CREATE INDEX outbox_lane ON outbox (lane, id) WHERE state IN ('pending', 'in_flight');
CREATE INDEX outbox_order ON outbox (id) WHERE state IN ('pending', 'in_flight');
CREATE INDEX outbox_task ON outbox (task_id, id);

CREATE TABLE leases (
  name TEXT PRIMARY KEY,
  owner TEXT,
  token INTEGER NOT NULL,
  expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE processes (
  owner TEXT PRIMARY KEY,
  name TEXT NOT NULL,
  kind TEXT NOT NULL CHECK (kind IN ('poller', 'worker')),
  started_at INTEGER NOT NULL,
  seen_at INTEGER NOT NULL,
  detail TEXT NOT NULL CHECK (json_valid(detail))
) STRICT, WITHOUT ROWID;

CREATE TABLE agent_gate (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  state TEXT NOT NULL CHECK (state IN ('open', 'closed', 'probing')),
  reason TEXT CHECK (reason IN ('transient', 'usage_limit', 'authentication')),
  detail TEXT NOT NULL,
  failures INTEGER NOT NULL,
  until INTEGER,
  probe TEXT,
  version INTEGER NOT NULL
) STRICT;
INSERT INTO agent_gate (id, state, reason, detail, failures, until, probe, version)
VALUES (1, 'open', NULL, '', 0, NULL, NULL, 0);
