import type {
  Effect,
  EffectBody,
  EffectEnd,
  EffectId,
  EffectKind,
  NewMessage,
  RecordedDelivery,
} from '../model/index.ts';

/** What an effect wants to be true of something outside, by name; null for one that is an event of its own. */
export function wishOf(body: EffectBody): string | null {
  return body.kind === 'tracker.state' ? `state of ${body.itemId}` : null;
}

/** Whether sending `older` is pointless once `newer` waits in the same lane: of one wish only the newest counts. */
export function supersedes(newer: EffectBody, older: EffectBody): boolean {
  const wish = wishOf(newer);
  return wish !== null && wish === wishOf(older);
}

/** A merge that was refused is asked for again by a new decision, which looks at the pull request first. */
const neverRevived: readonly EffectKind[] = ['forge.merge_pull'];

/**
 * Which refused effects of a task may be sent again. A wish that has a younger one in its lane must not come back after it,
 * whatever became of the younger one.
 * @param effects all effects of the task, oldest first
 */
export function revivable(effects: readonly (Pick<Effect, 'id' | 'lane' | 'body'> & { state: string })[]): EffectId[] {
  return effects
    .filter(({ state, body }) => state === 'dead' && !neverRevived.includes(body.kind))
    .filter(
      (effect) =>
        !effects
          .slice(effects.indexOf(effect) + 1)
          .some((younger) => younger.lane === effect.lane && supersedes(younger.body, effect.body)),
    )
    .map(({ id }) => id);
}

/**
 * What the task hears of a delivery: a refused effect always reports, a delivered one when the decision asked for it, one
 * that is tried again does not.
 * @param token the sender's: an effect that was revived may be refused a second time, and says so a second time
 */
export function reportOf(effect: Effect, token: number, delivery: RecordedDelivery): NewMessage | null {
  if (effect.taskId === null || delivery.kind === 'retry') return null;
  if (delivery.kind === 'done' && !effect.report) return null;
  return {
    taskId: effect.taskId,
    sourceKey: `effect_settled:${effect.id}:${token}`,
    body: { kind: 'effect_settled', effectId: effect.id, key: effect.key, ...endOf(effect.body.kind, delivery) },
  };
}

/** A delivery is one of its effect's kind: that is seen to where it is made. */
function endOf(effect: EffectKind, delivery: Exclude<RecordedDelivery, { kind: 'retry' }>): EffectEnd {
  const { result = {} } = delivery;
  const end =
    delivery.kind === 'done'
      ? { effect, ok: true, result, error: null }
      : { effect, ok: false, result, error: delivery.error };
  return end as EffectEnd;
}
