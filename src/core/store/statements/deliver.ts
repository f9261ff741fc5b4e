import type { EffectId, ProjectId, RecordedDelivery, Task, TaskId } from '../../model/index.ts';
import { chatLane } from '../../pipeline/channels.ts';
import { fateOf, isWanted, reportOf, revivable, withdrawalOf, type Standing } from '../../queue/outbox.ts';
import type { Query } from '../query.ts';
import { messages } from './messages.ts';
import { decodeEffect, outbox, type EffectColumns } from './outbox.ts';
import { tasks } from './tasks.ts';
import { visits } from './visits.ts';

/**
 * Hands the next due effect to a sender. Its task is looked at in the same transaction: what it does not want any more is
 * withdrawn, what it has to look at first is passed over, and so is what a task of another project than these wants done.
 */
export function* claimEffect(
  owner: string,
  leaseMs: number,
  now: number,
  projects?: readonly ProjectId[],
): Query<{ row: EffectColumns; isFirst: boolean } | null> {
  let row = yield* outbox.dueAfter(0, now);
  while (row !== null) {
    const standing = yield* standingOf(row);
    const effect = decodeEffect(row);
    // A chat message says what was decided; it needs no project.
    const foreign = projects !== undefined && standing !== null && !projects.includes(standing.task.projectId);
    if (foreign && effect.body.kind !== 'chat.message') {
      row = yield* outbox.dueAfter(row.id, now);
      continue;
    }
    const fate = standing === null ? 'send' : fateOf(effect, standing, standing.unseen);
    const claimed = fate === 'send' ? yield* outbox.claim(row.id, owner, leaseMs, now) : null;
    if (claimed !== null) return { row: claimed, isFirst: !(yield* outbox.mayBeSent(claimed)) };
    if (standing !== null && fate === 'withdraw') yield* withdraw(row, standing, now);
    row = yield* outbox.dueAfter(row.id, now);
  }
  return null;
}

/** Null for an effect of no task. */
function* standingOf({ task_id: id }: EffectColumns): Query<(Standing & { unseen: boolean; task: Task }) | null> {
  const taskId = id as TaskId | null;
  const stored = taskId === null ? null : yield* tasks.find(taskId);
  if (taskId === null || stored === null) return null;
  const { task } = stored;
  const unseen = (yield* tasks.isAwake(taskId)) || (yield* messages.oldest(taskId)) !== null;
  return { task, visit: yield* visits.find(taskId, task.visit), unseen };
}

/** Withdraws what a task does not want any more after a decision; what is being sent already is left alone. */
export function* withdrawUnwanted(taskId: TaskId, standing: Standing, now: number): Query<void> {
  for (const row of yield* outbox.waitingOf(taskId))
    if (!isWanted(decodeEffect(row), standing)) yield* withdraw(row, standing, now);
}

function* withdraw(row: EffectColumns, standing: Standing, now: number): Query<void> {
  yield* outbox.withdraw(row.id, now);
  const report = withdrawalOf(decodeEffect(row), standing);
  if (report !== null) yield* messages.post(report, now);
}

/**
 * Writes the result of a delivery, fenced by the sender's token: a sender that was too slow and was replaced changes
 * nothing.
 */
export function* settleEffect(
  id: EffectId,
  token: number,
  delivery: RecordedDelivery,
  now: number,
): Query<'ok' | 'lost'> {
  const row = yield* outbox.inFlight(id, token);
  if (row === null) return 'lost';
  if (delivery.kind === 'retry') {
    yield* outbox.retry(row.id, now + delivery.afterMs, delivery.error);
    return 'ok';
  }
  const error = delivery.kind === 'dead' ? delivery.error : null;
  yield* outbox.finish(row.id, delivery.kind, JSON.stringify(delivery.result ?? {}), error, now);
  // A chat that takes messages again: nobody sends the former ones, and the trouble is over.
  if (delivery.kind === 'done' && row.lane === chatLane) yield* outbox.dropDeadBefore(row.lane, row.id, now);
  const report = reportOf(decodeEffect(row), token, delivery);
  if (report !== null) yield* messages.post(report, now);
  return 'ok';
}

/** Makes the refused effects of a task deliverable again, and due at once what waits for its next try; answers how many. */
export function* reviveEffects(taskId: TaskId, now: number): Query<number> {
  const hurried = yield* outbox.hurry(taskId, now);
  const rows = yield* outbox.ofTask(taskId);
  const ids = revivable(rows.map((row) => ({ ...decodeEffect(row), state: row.state })));
  for (const id of ids) yield* outbox.revive(id);
  return hurried + ids.length;
}
