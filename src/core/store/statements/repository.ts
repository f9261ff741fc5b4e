import type { EffectBody, ProjectId, RepoSlug, TaskId } from '../../model/index.ts';
import { all, one, run, type Query } from '../query.ts';
import { recordDecision } from './commit.ts';
import { outbox } from './outbox.ts';
import { tasks } from './tasks.ts';

const runningIn = `SELECT 1 FROM jobs WHERE repo = @from AND state = 'running'`;
const moveJobs = `UPDATE jobs SET repo = @to WHERE project_id = @projectId AND repo = @from AND state IN ('queued', 'delayed')`;
const tasksIn = 'SELECT id FROM tasks WHERE project_id = @projectId AND repo = @from AND packed = 0';
const undelivered = `SELECT id, lane, body FROM outbox
  WHERE task_id = @taskId AND state IN ('pending', 'in_flight', 'dead')`;

/** Gives everything of a project that names a repository its new name; see the port. */
export function* moveRepository(projectId: ProjectId, from: RepoSlug, to: RepoSlug, now: number): Query<'ok' | 'busy'> {
  if ((yield* one(runningIn, { from })) !== null) return 'busy';
  yield* run(moveJobs, { projectId, from, to });
  yield* tasks.renamePacked(projectId, from, to);
  for (const { id } of yield* all<{ id: TaskId }>(tasksIn, { projectId, from })) {
    for (const row of yield* all<{ id: number; lane: string; body: string }>(undelivered, { taskId: id })) {
      const body = JSON.parse(row.body) as EffectBody;
      if (!('repo' in body)) continue;
      const lane = row.lane.replace(`:${from}#`, `:${to}#`);
      yield* outbox.rename(row.id, lane, JSON.stringify({ ...body, repo: to }));
    }
    const before = yield* tasks.find(id);
    if (before === null) continue;
    yield* tasks.rename(id, to, now);
    const sentence = `the repository ${from} is now called ${to}`;
    const why = { rule: 'world.repository-renamed', sentence, cause: 'mirror', evidence: {} };
    yield* recordDecision(before.task, before.task, before.meta.version, now, why);
  }
  return 'ok';
}
