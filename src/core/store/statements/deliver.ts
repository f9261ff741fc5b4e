import type { EffectId, RecordedDelivery, TaskId } from '../model/index.ts';
import { reportOf, revivable } from '../queue/outbox.ts';
import { postMessage } from './families.ts';
import type { Families } from './families.ts';
import { decodeEffect } from './outbox.ts';

/**
 * Writes the result of a delivery, fenced by the sender's token: a sender that was too slow and was replaced changes
 * nothing.
 */
export function settleEffect(
  f: Families,
  id: EffectId,
  token: number,
  delivery: RecordedDelivery,
  now: number,
): 'ok' | 'lost' {
  const row = f.outbox.inFlight(id, token);
  if (row === null) return 'lost';
  if (delivery.kind === 'retry') {
    f.outbox.retry(row.id, now + delivery.afterMs, delivery.error);
    return 'ok';
  }
  const error = delivery.kind === 'dead' ? delivery.error : null;
  f.outbox.finish(row.id, delivery.kind, JSON.stringify(delivery.result ?? {}), error, now);
  const report = reportOf(decodeEffect(row), token, delivery);
  if (report !== null) postMessage(f, report, now);
  return 'ok';
}

/** Makes the refused effects of a task deliverable again; answers how many. */
export function reviveEffects(f: Families, taskId: TaskId): number {
  const effects = f.outbox.ofTask(taskId).map((row) => ({ ...decodeEffect(row), state: row.state }));
  const ids = revivable(effects);
  for (const id of ids) f.outbox.revive(id);
  return ids.length;
}
