-- What has finished is counted where it finishes, so that no look at the whole has to read it again, and so that the counts stay
-- when its rows are packed away. Rows of the states that a counter cannot enter do not exist, and so are not counted.
CREATE TABLE finished (
  what TEXT NOT NULL CHECK (what IN ('tasks', 'jobs', 'runs', 'effects')),
  -- Stage of a task, state of a job or an effect, result of a run.
  state TEXT NOT NULL,
  -- Role and kind of a run; empty for the others.
  role TEXT NOT NULL DEFAULT '',
  kind TEXT NOT NULL DEFAULT '',
  n INTEGER NOT NULL,
  ms INTEGER NOT NULL DEFAULT 0,
  cost_micros INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (what, state, role, kind)
) STRICT, WITHOUT ROWID;

INSERT INTO finished (what, state, n)
  WITH states(what, state) AS (VALUES ('tasks', 'done'), ('tasks', 'cancelled'), ('jobs', 'done'), ('jobs', 'failed'),
    ('jobs', 'cancelled'), ('effects', 'done'), ('effects', 'superseded'), ('effects', 'withdrawn'))
  SELECT what, state, CASE what
      WHEN 'tasks' THEN (SELECT count(*) FROM tasks WHERE stage = state)
      WHEN 'jobs' THEN (SELECT count(*) FROM jobs WHERE jobs.state = states.state)
      ELSE (SELECT count(*) FROM outbox WHERE outbox.state = states.state) END
  FROM states;
INSERT INTO finished (what, state, role, kind, n, ms, cost_micros)
  SELECT 'runs', outcome ->> 'kind', role, kind, count(*),
    sum(CASE WHEN ended_at > started_at THEN ended_at - started_at ELSE 0 END),
    sum(coalesce(CAST(outcome ->> 'costMicros' AS INTEGER), 0))
  FROM runs WHERE phase = 'settled' GROUP BY 2, 3, 4;

CREATE TRIGGER finished_tasks AFTER UPDATE OF stage ON tasks WHEN NEW.stage <> OLD.stage BEGIN
  UPDATE finished SET n = n - 1 WHERE what = 'tasks' AND state = OLD.stage AND role = '' AND kind = '';
  UPDATE finished SET n = n + 1 WHERE what = 'tasks' AND state = NEW.stage AND role = '' AND kind = '';
END;
CREATE TRIGGER finished_jobs AFTER UPDATE OF finished_at ON jobs
  WHEN NEW.finished_at IS NOT NULL AND OLD.finished_at IS NULL BEGIN
  UPDATE finished SET n = n + 1 WHERE what = 'jobs' AND state = NEW.state AND role = '' AND kind = '';
END;
CREATE TRIGGER finished_effects AFTER UPDATE OF state ON outbox WHEN NEW.state <> OLD.state
  AND (NEW.state IN ('done', 'superseded', 'withdrawn') OR OLD.state IN ('done', 'superseded', 'withdrawn')) BEGIN
  UPDATE finished SET n = n - 1 WHERE what = 'effects' AND state = OLD.state AND role = '' AND kind = '';
  UPDATE finished SET n = n + 1 WHERE what = 'effects' AND state = NEW.state AND role = '' AND kind = '';
END;
CREATE TRIGGER finished_runs AFTER UPDATE OF phase ON runs WHEN NEW.phase = 'settled' AND OLD.phase <> 'settled' BEGIN
  INSERT INTO finished (what, state, role, kind, n, ms, cost_micros)
    VALUES ('runs', NEW.outcome ->> 'kind', NEW.role, NEW.kind, 1, max(NEW.ended_at - NEW.started_at, 0),
      coalesce(CAST(NEW.outcome ->> 'costMicros' AS INTEGER), 0))
    ON CONFLICT (what, state, role, kind)
    DO UPDATE SET n = n + 1, ms = ms + excluded.ms, cost_micros = cost_micros + excluded.cost_micros;
END;

-- Tasks that have not ended, however many have.
CREATE INDEX tasks_active ON tasks (project_id, number) WHERE stage NOT IN ('done', 'cancelled');
-- The former runs of a branch; written when a job is queued, and never again.
CREATE INDEX jobs_of_branch ON jobs (repo, branch);
