import type { EffectId, RecordedDelivery } from '../model/index.ts';
import { decode } from './codec.ts';
import { postMessage } from './families.ts';
import type { Families } from './families.ts';
import type { EffectColumns } from './outbox.ts';

/**
 * Writes what a delivery came to, fenced by the sender's token: a sender that was too slow and was replaced changes
 * nothing. A refused effect always reports to its task, a delivered one when the decision asked for it.
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
  switch (delivery.kind) {
    case 'done':
      f.outbox.finish(row.id, 'done', JSON.stringify(delivery.result), null, now);
      if (row.report === 1) report(f, row, { ok: true, result: delivery.result, error: null }, now);
      break;
    case 'dead':
      f.outbox.finish(row.id, 'dead', JSON.stringify(delivery.result ?? {}), delivery.error, now);
      report(f, row, { ok: false, result: delivery.result ?? {}, error: delivery.error }, now);
      break;
    case 'retry':
      f.outbox.retry(row.id, now + delivery.afterMs, delivery.error);
      break;
  }
  return 'ok';
}

interface Report {
  ok: boolean;
  result: Record<string, string>;
  error: string | null;
}

function report(f: Families, row: EffectColumns, outcome: Report, now: number): void {
  if (row.task_id === null) return;
  const { kind } = decode<{ kind: string }>(row.body);
  const effectId = String(row.id) as EffectId;
  const message = {
    taskId: row.task_id as Parameters<Families['tasks']['find']>[0],
    // The token: an effect that was revived may be refused a second time, and says so a second time.
    sourceKey: `effect_settled:${effectId}:${row.lease_token}`,
    body: { kind: 'effect_settled' as const, effectId, effect: kind, key: row.key, ...outcome },
  };
  postMessage(f, message, now);
}
