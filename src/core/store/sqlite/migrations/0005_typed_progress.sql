-- What a task has done so far becomes typed: the bag `handled` of strings is rewritten as `progress`, the details of holds
-- get numbers and lists, a visit's `directive` is called `order`. A task carries its team's own stages.
ALTER TABLE tasks RENAME COLUMN handled TO progress;
ALTER TABLE tasks ADD COLUMN own_stages TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(own_stages));

UPDATE tasks SET progress = json_object(
  'branchEffect', progress ->> '$.start_branch',
  'pullEffect', progress ->> '$.open_pr',
  'approvedCode', json(CASE WHEN progress ->> '$.approved_code' IS NULL THEN '{}'
    ELSE json_object('review', progress ->> '$.approved_code') END),
  'fails', json('{}'),
  'postedVerdict', json(CASE WHEN progress ->> '$.review_posted' IS NULL THEN 'null'
    ELSE json_object(
      'verdict', CASE WHEN progress ->> '$.review_posted' LIKE 'APPROVED:%' THEN 'approved' ELSE 'changes_requested' END,
      'sha', substr(progress ->> '$.review_posted', instr(progress ->> '$.review_posted', ':') + 1)) END),
  'acceptedHead', progress ->> '$.accepted_head',
  'codeSha', progress ->> '$.code_sha',
  'cancelled', json(CASE WHEN progress ->> '$.cancelled_in' IS NULL THEN 'null'
    ELSE json_object(
      'stage', progress ->> '$.cancelled_in',
      'seen', json(CASE WHEN progress ->> '$.cancelled_seen' IS NULL THEN 'false' ELSE 'true' END)) END),
  'shownHold', json(CASE WHEN progress ->> '$.phase_seen' IS NULL THEN 'null'
    ELSE json_object(
      'phase', substr(progress ->> '$.phase_seen', 1, instr(progress ->> '$.phase_seen', ':') - 1),
      'since', CAST(substr(progress ->> '$.phase_seen', instr(progress ->> '$.phase_seen', ':') + 1) AS INTEGER)) END),
  'reportedDefects', json(CASE WHEN coalesce(progress ->> '$.intake_told', '') = '' THEN '[]'
    ELSE '["' || replace(progress ->> '$.intake_told', ',', '","') || '"]' END),
  'runsFrom', CAST(coalesce(progress ->> '$.runs_from', '0') AS INTEGER),
  'costFromMicros', CAST(coalesce(progress ->> '$.cost_from', '0') AS INTEGER),
  'lostChecks', CAST(coalesce(progress ->> '$.checks_lost', '0') AS INTEGER));

UPDATE tasks SET hold = json_set(hold, '$.detail.visit', CAST(hold ->> '$.detail.visit' AS INTEGER))
  WHERE hold ->> '$.detail.visit' IS NOT NULL;
UPDATE tasks SET hold = json_set(hold, '$.detail.defects',
    json('["' || replace(hold ->> '$.detail.defects', ',', '","') || '"]'))
  WHERE hold ->> '$.detail.defects' IS NOT NULL;
UPDATE tasks SET hold = json_remove(json_set(hold, '$.detail.bounce', hold ->> '$.detail.cause'), '$.detail.cause')
  WHERE hold ->> '$.detail.cause' IS NOT NULL;
UPDATE tasks SET hold = json_remove(json_set(hold, '$.detail.effect', hold ->> '$.detail.key'), '$.detail.key')
  WHERE hold ->> '$.detail.key' IS NOT NULL;

UPDATE visits SET body = json_remove(json_set(body, '$.order', body -> '$.directive'), '$.directive');

-- The notice of an accepted item names the role that starts; it always was the analyst.
UPDATE outbox SET body = json_set(body, '$.notice.body.role', 'analyst')
  WHERE body ->> '$.notice.body.event' = 'intake_accepted';
