-- Effects, lanes and mirrors name what is done, not the product it is done with. Keys of effects stay what they were: an
-- effect that the former version sent and did not record is found again under its key and not doubled.
UPDATE outbox SET
  kind = CASE kind
    WHEN 'plane.comment' THEN 'tracker.comment'
    WHEN 'plane.state' THEN 'tracker.state'
    WHEN 'telegram.message' THEN 'chat.message'
    WHEN 'gitea.open_pr' THEN 'forge.open_pull'
    WHEN 'gitea.merge' THEN 'forge.merge_pull'
    WHEN 'gitea.review' THEN 'forge.post_review'
    ELSE kind END,
  lane = CASE
    WHEN lane = 'telegram' THEN 'chat'
    WHEN substr(lane, 1, 6) = 'plane:' THEN 'tracker:' || substr(lane, 7)
    WHEN substr(lane, 1, 6) = 'gitea:' THEN 'forge:' || substr(lane, 7)
    ELSE lane END;
UPDATE outbox SET body = json_set(body, '$.kind', kind);
UPDATE outbox SET body = json_remove(json_set(body, '$.vote',
    CASE json_extract(body, '$.verdict') WHEN 'APPROVED' THEN 'approved' ELSE 'changes_requested' END), '$.verdict')
  WHERE kind = 'forge.post_review';
-- Cancelled in the tracker, by whoever did it there.
UPDATE outbox SET body = json_set(body, '$.notice.body.by', NULL)
  WHERE json_extract(body, '$.notice.body.event') = 'cancelled' AND json_extract(body, '$.notice.body.by') = 'plane';

UPDATE messages SET body = json_set(body, '$.effect', CASE json_extract(body, '$.effect')
    WHEN 'plane.comment' THEN 'tracker.comment'
    WHEN 'plane.state' THEN 'tracker.state'
    WHEN 'telegram.message' THEN 'chat.message'
    WHEN 'gitea.open_pr' THEN 'forge.open_pull'
    WHEN 'gitea.merge' THEN 'forge.merge_pull'
    WHEN 'gitea.review' THEN 'forge.post_review'
    ELSE json_extract(body, '$.effect') END)
  WHERE json_extract(body, '$.kind') = 'effect_settled';


-- Written again, in the new words, by the first poll that sees them.
DELETE FROM mirrors WHERE kind IN ('reviews', 'statuses');
