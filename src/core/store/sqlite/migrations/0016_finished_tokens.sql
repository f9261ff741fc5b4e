-- Tokens of settled runs by class, in sums that stay when the rows of the runs are packed away. What the cache of the provider served
-- (cache_read) costs a tenth of what it did not (input) and of what was written to it (cache_write).
ALTER TABLE finished ADD COLUMN input_tokens INTEGER NOT NULL DEFAULT 0;
ALTER TABLE finished ADD COLUMN output_tokens INTEGER NOT NULL DEFAULT 0;
ALTER TABLE finished ADD COLUMN cache_read_tokens INTEGER NOT NULL DEFAULT 0;
ALTER TABLE finished ADD COLUMN cache_write_tokens INTEGER NOT NULL DEFAULT 0;

UPDATE finished SET (input_tokens, output_tokens, cache_read_tokens, cache_write_tokens) = (
  SELECT coalesce(sum(outcome ->> '$.tokens.input'), 0), coalesce(sum(outcome ->> '$.tokens.output'), 0),
    coalesce(sum(outcome ->> '$.tokens.cacheRead'), 0), coalesce(sum(outcome ->> '$.tokens.cacheWrite'), 0)
  FROM runs WHERE phase = 'settled' AND outcome ->> 'kind' = finished.state AND runs.role = finished.role AND runs.kind = finished.kind)
  WHERE what = 'runs';

DROP TRIGGER finished_runs;
CREATE TRIGGER finished_runs AFTER UPDATE OF phase ON runs WHEN NEW.phase = 'settled' AND OLD.phase <> 'settled' BEGIN
  INSERT INTO finished (what, state, role, kind, n, ms, cost_micros, input_tokens, output_tokens, cache_read_tokens, cache_write_tokens)
    VALUES ('runs', NEW.outcome ->> 'kind', NEW.role, NEW.kind, 1, max(NEW.ended_at - NEW.started_at, 0),
      coalesce(CAST(NEW.outcome ->> 'costMicros' AS INTEGER), 0),
      coalesce(CAST(NEW.outcome ->> '$.tokens.input' AS INTEGER), 0),
      coalesce(CAST(NEW.outcome ->> '$.tokens.output' AS INTEGER), 0),
      coalesce(CAST(NEW.outcome ->> '$.tokens.cacheRead' AS INTEGER), 0),
      coalesce(CAST(NEW.outcome ->> '$.tokens.cacheWrite' AS INTEGER), 0))
    ON CONFLICT (what, state, role, kind)
    DO UPDATE SET n = n + 1, ms = ms + excluded.ms, cost_micros = cost_micros + excluded.cost_micros,
      input_tokens = input_tokens + excluded.input_tokens, output_tokens = output_tokens + excluded.output_tokens,
      cache_read_tokens = cache_read_tokens + excluded.cache_read_tokens,
      cache_write_tokens = cache_write_tokens + excluded.cache_write_tokens;
END;
