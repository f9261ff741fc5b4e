import type { Observation, TaskId } from '../model/index.ts';
import { postMessage } from './families.ts';
import type { Families } from './families.ts';
import type { ProjectStatements } from './projects.ts';

/** Whether the observation holds anything the database does not know: asked before the write lock is taken. */
export function differs(f: Families, projects: ProjectStatements, seen: Observation): boolean {
  return (
    (seen.project !== null && !projects.equals(seen.project)) ||
    seen.newTasks.some(({ task }) => !f.tasks.exists(task)) ||
    seen.mirrors.some(({ taskId, mirror }) => !f.mirrors.equals(taskId, mirror) && f.tasks.find(taskId) !== null) ||
    seen.messages.some((message) => !f.messages.known(message) && f.tasks.find(message.taskId) !== null)
  );
}

/** Writes what differs, row by row, and wakes the tasks it belongs to. Tasks that are not known are passed over. */
export function applyObservation(f: Families, projects: ProjectStatements, seen: Observation, now: number): TaskId[] {
  const woken = new Set<TaskId>();
  if (seen.project !== null && !projects.equals(seen.project)) projects.put(seen.project);
  for (const { task, mirror } of seen.newTasks) {
    if (!f.tasks.insert(task, now)) continue;
    f.mirrors.put(task.id, mirror, now);
    woken.add(task.id);
  }
  const changed = new Set<TaskId>();
  for (const { taskId, mirror } of seen.mirrors) {
    if (f.mirrors.equals(taskId, mirror) || f.tasks.find(taskId) === null) continue;
    if (f.mirrors.put(taskId, mirror, now)) changed.add(taskId);
  }
  for (const taskId of changed) f.tasks.wake(taskId, now);
  for (const message of seen.messages) if (postMessage(f, message, now)) woken.add(message.taskId);
  return [...new Set([...woken, ...changed])];
}
