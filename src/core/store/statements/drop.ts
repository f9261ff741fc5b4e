import type { ProjectId, TaskId } from '../../model/index.ts';
import { isFinal } from '../../model/index.ts';
import { run, type Query } from '../query.ts';
import { recordDecision } from './commit.ts';
import { jobs } from './jobs.ts';
import { messages } from './messages.ts';
import { outbox } from './outbox.ts';
import { tasks } from './tasks.ts';

/** Ends what is left of a project's tasks without a decision: nobody has its settings any more. See the port. */
export function* dropProject(projectId: ProjectId, by: string, now: number): Query<TaskId[]> {
  const ended: TaskId[] = [];
  for (const { task, meta } of yield* tasks.list({ projectId })) {
    for (const row of yield* outbox.waitingOf(task.id)) yield* outbox.withdraw(row.id, now);
    yield* messages.allHandled(task.id, now);
    const job = yield* jobs.live(task.id);
    if (job !== null) yield* jobs.cancel(job.id, now);
    if (isFinal(task.stage)) continue;
    // Not seen: the item shows nothing of it, so its state must not reopen the task when the project comes back.
    const progress = { ...task.progress, cancelled: { stage: task.stage, seen: false } };
    const dropped = { ...task, progress, stage: 'cancelled', stageSince: now, updatedAt: now, hold: null } as const;
    yield* tasks.update({ ...dropped, phase: null }, meta.version, now);
    yield* recordDecision(task, dropped, meta.version, now, {
      rule: 'command.project-removed',
      sentence: `${by} removed the project; the task was dropped`,
      cause: `operator:${by}`,
      evidence: { project: projectId },
    });
    yield* tasks.sleep(task.id);
    ended.push(task.id);
  }
  yield* run('DELETE FROM projects WHERE project_id = @projectId', { projectId });
  return ended;
}
