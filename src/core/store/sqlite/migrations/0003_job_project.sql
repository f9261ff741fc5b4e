-- Whose settings hold for a job: two projects may share a repository. An ad-hoc job queued before this knows its
-- repository only.
ALTER TABLE jobs ADD COLUMN project_id TEXT;
UPDATE jobs SET project_id = (SELECT project_id FROM tasks WHERE tasks.id = jobs.task_id) WHERE task_id IS NOT NULL;
