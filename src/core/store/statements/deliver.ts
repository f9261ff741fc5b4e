import type { EffectId, RecordedDelivery, TaskId } from '../../model/index.ts';
import { reportOf, revivable } from '../../queue/outbox.ts';
import type { Query } from '../query.ts';
import { messages } from './messages.ts';
import { decodeEffect, outbox } from './outbox.ts';

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
  const report = reportOf(decodeEffect(row), token, delivery);
  if (report !== null) yield* messages.post(report, now);
  return 'ok';
}

/** Makes the refused effects of a task deliverable again; answers how many. */
export function* reviveEffects(taskId: TaskId): Query<number> {
  const rows = yield* outbox.ofTask(taskId);
  const ids = revivable(rows.map((row) => ({ ...decodeEffect(row), state: row.state })));
  for (const id of ids) yield* outbox.revive(id);
  return ids.length;
}
