-- Refused effects that are moot are looked for at every end of a task and after every chat message: an index of the few there are.

CREATE INDEX outbox_dead ON outbox (lane, id) WHERE state = 'dead';

-- Of tasks that have ended nobody waits for what was refused, and a chat that takes messages again has said enough.
UPDATE outbox SET state = 'superseded' WHERE state = 'dead' AND task_id IN (SELECT id FROM tasks WHERE stage IN ('done', 'cancelled'));
UPDATE outbox SET state = 'superseded' WHERE state = 'dead' AND lane = 'chat'
  AND id < (SELECT max(id) FROM outbox WHERE lane = 'chat' AND state = 'done');
