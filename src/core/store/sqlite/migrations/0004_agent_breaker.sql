-- The circuit breaker in front of the agents' service gets the words of its field: closed is flowing (formerly open), open is
-- tripped (formerly closed), half_open is probing. "Gate" means a quality gate only.
CREATE TABLE agent_breaker (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  state TEXT NOT NULL CHECK (state IN ('closed', 'open', 'half_open')),
  reason TEXT,
  detail TEXT NOT NULL,
  failures INTEGER NOT NULL,
  until INTEGER,
  probe TEXT,
  version INTEGER NOT NULL
) STRICT;
INSERT INTO agent_breaker (id, state, reason, detail, failures, until, probe, version)
  SELECT id, CASE state WHEN 'open' THEN 'closed' WHEN 'closed' THEN 'open' ELSE 'half_open' END,
    reason, detail, failures, until, probe, version
  FROM agent_gate;
DROP TABLE agent_gate;

-- What is not delivered yet is rendered by the new program.
UPDATE outbox SET body = json_set(body, '$.notice.body.event',
    CASE json_extract(body, '$.notice.body.event') WHEN 'agent_gate_closed' THEN 'agents_paused' ELSE 'agents_resumed' END)
  WHERE json_extract(body, '$.notice.body.event') IN ('agent_gate_closed', 'agent_gate_opened');
