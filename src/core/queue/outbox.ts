import type {
  Effect,
  EffectBody,
  EffectEnd,
  EffectId,
  EffectKind,
  NewMessage,
  RecordedDelivery,
  Task,
  Visit,
} from '../model/index.ts';
import { assertNever, isFinal } from '../model/index.ts';

/** What an effect wants to be true of something outside, by name; null for one that is an event of its own. */
export function wishOf(body: EffectBody): string | null {
  return body.kind === 'tracker.state' ? `state of ${body.itemId}` : null;
}

/** Whether sending `older` is pointless once `newer` waits in the same lane: of one wish only the newest counts. */
export function supersedes(newer: EffectBody, older: EffectBody): boolean {
  const wish = wishOf(newer);
  return wish !== null && wish === wishOf(older);
}

/** A task as far as its effects depend on it, and its present visit. */
export interface Standing {
  task: Pick<Task, 'stage' | 'hold' | 'paused' | 'phase' | 'progress'>;
  visit: Pick<Visit, 'order' | 'merge'> | null;
}

/**
 * Whether a task still wants an effect that it asked for. What only informs people is always wanted, a state while the task
 * shows that phase. What changes the repository is wanted by the very decision that asked for it, until somebody says no.
 */
export function isWanted(effect: Pick<Effect, 'key' | 'body'>, standing: Standing): boolean {
  if (!isAwaited(effect, standing)) return false;
  const { task, visit } = standing;
  switch (effect.body.kind) {
    case 'git.start_branch':
      return goesOn(standing) && task.stage === 'created';
    case 'forge.open_pull':
      return goesOn(standing);
    case 'forge.merge_pull':
      // Seen as merged before its delivery was recorded: sent once more, it finds that and records it.
      return visit?.merge?.merged === true || goesOn(standing);
    case 'forge.post_review':
      // A verdict about a commit stands in later stages, at the end, and while the task is held for something else.
      return task.stage !== 'cancelled' && !isOrdered(visit);
    default:
      return true;
  }
}

/** Whether the task's own record names this effect, and none that was asked for later in its place. */
function isAwaited({ key, body }: Pick<Effect, 'key' | 'body'>, { task, visit }: Standing): boolean {
  const { branchEffect, pullEffect, postedVerdict } = task.progress;
  switch (body.kind) {
    case 'tracker.comment':
    case 'chat.message':
    case 'forge.answer_threads':
      return true;
    case 'tracker.state':
      return task.phase === null || task.phase === body.phase;
    case 'git.start_branch':
      return branchEffect === key;
    case 'forge.open_pull':
      return pullEffect === key;
    case 'forge.merge_pull':
      // The marker names the visit.
      return visit?.merge?.marker === body.marker;
    case 'forge.post_review':
      return postedVerdict?.verdict === body.vote && postedVerdict.sha === body.head;
    default:
      return assertNever(body);
  }
}

/** Nobody has ended, paused or held the task or ordered it elsewhere; a hold of orch's own only waits for an effect or a server. */
function goesOn({ task: { stage, paused, hold }, visit }: Standing): boolean {
  return !isFinal(stage) && !paused && (hold === null || hold.owner === 'orch') && !isOrdered(visit);
}

function isOrdered(visit: Standing['visit']): boolean {
  return visit !== null && visit.order !== null;
}

/** Kinds that may go out although the task has not looked at everything yet: they only inform people. */
const unhurried: readonly EffectKind[] = ['tracker.comment', 'chat.message', 'forge.answer_threads'];

/**
 * What becomes of an effect that is about to be sent: sent, kept back until the task was looked at, or never sent.
 * @param unseen whether a message or a change outside waits that the task has not looked at: it may be a no
 */
export function fateOf(
  effect: Pick<Effect, 'key' | 'body'>,
  standing: Standing,
  unseen: boolean,
): 'send' | 'wait' | 'withdraw' {
  const { kind } = effect.body;
  if (unseen && !unhurried.includes(kind)) return 'wait';
  if (!isWanted(effect, standing)) return 'withdraw';
  // No later decision would ask for a review again: it goes out when the task is resumed.
  return kind === 'forge.post_review' && standing.task.paused ? 'wait' : 'send';
}

/** What a task hears of an effect that was withdrawn: it may still wait for it, and asks again when it wants it again. */
export function withdrawalOf(effect: Effect, standing: Standing): NewMessage | null {
  if (effect.taskId === null || !isAwaited(effect, standing)) return null;
  const end = { effect: effect.body.kind, ok: false, withdrawn: true, result: {}, error: 'it is not wanted any more' };
  return {
    taskId: effect.taskId,
    sourceKey: `effect_withdrawn:${effect.id}`,
    body: { kind: 'effect_settled', effectId: effect.id, key: effect.key, ...(end as EffectEnd) },
  };
}

/** What was refused of these kinds is asked for again by a new decision, which looks at the repository first. */
const neverRevived: readonly EffectKind[] = ['git.start_branch', 'forge.open_pull', 'forge.merge_pull'];

/** Whether asking for this makes moot what was refused of its kind: such a refusal is answered by a new decision. */
export function replacesRefused({ kind }: EffectBody): boolean {
  return neverRevived.includes(kind);
}

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
