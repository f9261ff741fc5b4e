-- What a delivered effect found out is typed: numbers and booleans instead of texts, and no commit is null instead of ''.
UPDATE outbox SET result = CASE kind
    WHEN 'tracker.comment' THEN json_object('id', result ->> '$.id', 'at', CAST(result ->> '$.at' AS INTEGER))
    WHEN 'chat.message' THEN json_object('sent', json(CASE result ->> '$.sent' WHEN 'yes' THEN 'true' ELSE 'false' END))
    WHEN 'git.start_branch' THEN json_object('sha', result ->> '$.sha', 'codeTree', result ->> '$.code_tree')
    WHEN 'forge.open_pull' THEN json_object('number', CAST(result ->> '$.number' AS INTEGER))
    WHEN 'forge.merge_pull' THEN json_object('mergedSha', nullif(result ->> '$.merged_sha', ''))
    ELSE result END
  WHERE state = 'done' AND result IS NOT NULL;

UPDATE messages SET body = json_set(body, '$.result', json(CASE body ->> '$.effect'
    WHEN 'tracker.comment' THEN json_object('id', body ->> '$.result.id', 'at', CAST(body ->> '$.result.at' AS INTEGER))
    WHEN 'git.start_branch' THEN json_object('sha', body ->> '$.result.sha', 'codeTree', body ->> '$.result.code_tree')
    WHEN 'forge.open_pull' THEN json_object('number', CAST(body ->> '$.result.number' AS INTEGER))
    WHEN 'forge.merge_pull' THEN json_object('mergedSha', nullif(body ->> '$.result.merged_sha', ''))
    ELSE body -> '$.result' END))
  WHERE body ->> '$.kind' = 'effect_settled' AND body ->> '$.ok' = 1;

-- Outages name the kind of server; the next tick reports those that last.
UPDATE processes SET detail = json_set(detail, '$.outages', json('[]')) WHERE kind = 'poller';
