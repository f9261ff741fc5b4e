-- Lists of words that grow with the program (stages, kinds, reasons) are checked by the program where a row is written
-- (words.ts): a CHECK on them would make one word more a rebuild of its table. What stays here are invariants: states,
-- one live job a task, settled exactly when ended. Each table below is made again without such a list and keeps its rows.

CREATE TABLE tasks_new (
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
  stage TEXT NOT NULL,
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
  -- Woken by something that happened: due whatever the clock says. wake_at then says since when, else it is a timer.
  awake INTEGER NOT NULL CHECK (awake IN (0, 1)),
  wake_at INTEGER,
  runs INTEGER NOT NULL DEFAULT 0,
  spent_micros INTEGER NOT NULL DEFAULT 0 CHECK (spent_micros >= 0),
  reserved_micros INTEGER NOT NULL DEFAULT 0 CHECK (reserved_micros >= 0)
) STRICT;
INSERT INTO tasks_new (id, project_id, item_id, number, title, repo, branch, base_branch, pipeline, pipeline_stages, stage,
    visit, hold, paused, phase, pr_number, merged_sha, counters, handled, created_at, updated_at, stage_since, version,
    wake_seq, awake, wake_at, runs, spent_micros, reserved_micros)
  SELECT id, project_id, item_id, number, title, repo, branch, base_branch, pipeline, pipeline_stages, stage,
    visit, hold, paused, phase, pr_number, merged_sha, counters, handled, created_at, updated_at, stage_since, version,
    wake_seq, awake, wake_at, runs, spent_micros, reserved_micros
  FROM tasks ORDER BY rowid;
DROP TABLE tasks;
ALTER TABLE tasks_new RENAME TO tasks;
CREATE INDEX tasks_awake ON tasks (wake_at, id) WHERE awake = 1;
CREATE INDEX tasks_timer ON tasks (wake_at, id) WHERE awake = 0 AND wake_at IS NOT NULL;

CREATE TABLE mirrors_new (
  task_id TEXT NOT NULL REFERENCES tasks (id),
  kind TEXT NOT NULL,
  key TEXT NOT NULL,
  -- Canonical JSON (keys sorted), so that equal texts are equal mirrors.
  body TEXT NOT NULL CHECK (json_valid(body)),
  seen_at INTEGER NOT NULL,
  PRIMARY KEY (task_id, kind, key)
) STRICT;
INSERT INTO mirrors_new (task_id, kind, key, body, seen_at)
  SELECT task_id, kind, key, body, seen_at FROM mirrors ORDER BY rowid;
DROP TABLE mirrors;
ALTER TABLE mirrors_new RENAME TO mirrors;

CREATE TABLE jobs_new (
  id INTEGER PRIMARY KEY,
  kind TEXT NOT NULL,
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
INSERT INTO jobs_new (id, kind, role, task_id, cause, repo, branch, visit, orders, command, timeout_ms, run_cap,
    cost_cap_micros, state, available_at, attempts, max_attempts, transient, max_transient, interruptions,
    max_interruptions, cancel_requested, lease_owner, lease_token, lease_expires_at, last_error, created_at, finished_at)
  SELECT id, kind, role, task_id, cause, repo, branch, visit, orders, command, timeout_ms, run_cap,
    cost_cap_micros, state, available_at, attempts, max_attempts, transient, max_transient, interruptions,
    max_interruptions, cancel_requested, lease_owner, lease_token, lease_expires_at, last_error, created_at, finished_at
  FROM jobs ORDER BY id;
DROP TABLE jobs;
ALTER TABLE jobs_new RENAME TO jobs;
-- The same cause is the same job forever, finished ones included.
CREATE UNIQUE INDEX jobs_cause ON jobs (task_id, cause) WHERE task_id IS NOT NULL;
CREATE UNIQUE INDEX jobs_adhoc_cause ON jobs (cause) WHERE task_id IS NULL;
-- At most one live job a task, one running job a branch.
CREATE UNIQUE INDEX jobs_live ON jobs (task_id) WHERE task_id IS NOT NULL AND state IN ('queued', 'delayed', 'running');
CREATE UNIQUE INDEX jobs_branch ON jobs (repo, branch) WHERE state = 'running';
-- Jobs that are not due yet have an index of their own: a claim never walks over them.
CREATE INDEX jobs_ready ON jobs (available_at, id) WHERE state = 'queued';
CREATE INDEX jobs_delayed ON jobs (available_at, id) WHERE state = 'delayed';

CREATE TABLE processes_new (
  owner TEXT PRIMARY KEY,
  name TEXT NOT NULL,
  kind TEXT NOT NULL,
  started_at INTEGER NOT NULL,
  seen_at INTEGER NOT NULL,
  detail TEXT NOT NULL CHECK (json_valid(detail))
) STRICT, WITHOUT ROWID;
INSERT INTO processes_new (owner, name, kind, started_at, seen_at, detail)
  SELECT owner, name, kind, started_at, seen_at, detail FROM processes;
DROP TABLE processes;
ALTER TABLE processes_new RENAME TO processes;

CREATE TABLE agent_gate_new (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  state TEXT NOT NULL CHECK (state IN ('open', 'closed', 'probing')),
  reason TEXT,
  detail TEXT NOT NULL,
  failures INTEGER NOT NULL,
  until INTEGER,
  probe TEXT,
  version INTEGER NOT NULL
) STRICT;
INSERT INTO agent_gate_new (id, state, reason, detail, failures, until, probe, version)
  SELECT id, state, reason, detail, failures, until, probe, version FROM agent_gate;
DROP TABLE agent_gate;
ALTER TABLE agent_gate_new RENAME TO agent_gate;

-- Databases from before 0.1.0 still have two indexes that the first migration makes no more (a third one, jobs_running,
-- went with its table above).
DROP INDEX IF EXISTS runs_slots;
DROP INDEX IF EXISTS runs_task;
