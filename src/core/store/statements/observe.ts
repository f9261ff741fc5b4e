import type { Observation, TaskId } from '../../model/index.ts';
import type { Query } from '../query.ts';
import { messages } from './messages.ts';
import { mirrors } from './mirrors.ts';
import { packed } from './packed.ts';
import { projects } from './projects.ts';
import { tasks } from './tasks.ts';

/** Whether the observation holds anything the database does not know: asked before the write lock is taken. */
export function* differs(seen: Observation): Query<boolean> {
  if (seen.project !== null && !(yield* projects.equals(seen.project))) return true;
  for (const { task } of seen.newTasks) if (!(yield* tasks.exists(task))) return true;
  for (const { taskId, mirror } of seen.mirrors)
    if (!(yield* mirrors.equals(taskId, mirror)) && (yield* tasks.find(taskId)) !== null) return true;
  for (const message of seen.messages)
    if (!(yield* messages.known(message)) && (yield* tasks.find(message.taskId)) !== null) return true;
  return false;
}

/** What happens to a task that is packed finds its rows again, sources of messages that were seen before included. */
function* unpackTouched(seen: Observation): Query<void> {
  for (const taskId of new Set([...seen.mirrors, ...seen.messages].map((of) => of.taskId)))
    yield* packed.unpack(taskId);
}

/** Writes what differs, row by row, and wakes the tasks it belongs to. Tasks that are not known are passed over. */
export function* applyObservation(seen: Observation, now: number): Query<TaskId[]> {
  yield* unpackTouched(seen);
  const woken = new Set<TaskId>();
  if (seen.project !== null && !(yield* projects.equals(seen.project))) yield* projects.put(seen.project);
  for (const { task, mirror, messages: said } of seen.newTasks) {
    if (!(yield* tasks.insert(task, now))) continue;
    yield* mirrors.put(task.id, mirror, now);
    for (const message of said) yield* messages.post(message, now);
    woken.add(task.id);
  }
  const changed = new Set<TaskId>();
  for (const { taskId, mirror } of seen.mirrors) {
    if ((yield* mirrors.equals(taskId, mirror)) || (yield* tasks.find(taskId)) === null) continue;
    if (yield* mirrors.put(taskId, mirror, now)) changed.add(taskId);
  }
  for (const taskId of changed) yield* tasks.wake(taskId, now);
  for (const message of seen.messages) if (yield* messages.post(message, now)) woken.add(message.taskId);
  return [...new Set([...woken, ...changed])];
}
