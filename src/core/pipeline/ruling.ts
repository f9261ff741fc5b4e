import type { Decision, HoldCause, Visit } from '../model/index.ts';
import type { Draft } from './draft.ts';
import { finish } from './draft.ts';
import { holdTask } from './holds.ts';

/** Answer of `decide`: a change to commit, or nothing until something wakes the task or the time comes. */
export type Ruling = { kind: 'commit'; decision: Decision } | { kind: 'rest'; wakeAt: number | null };

export function rest(wakeAt: number | null): Ruling {
  return { kind: 'rest', wakeAt };
}

/** Commits the draft under the name of the rule that made it. */
export function commit(
  draft: Draft,
  rule: string,
  sentence: string,
  cause: string,
  evidence: Record<string, string> = {},
  wakeAt: number | null = null,
): Ruling {
  return { kind: 'commit', decision: finish(draft, wakeAt, { rule, sentence, cause, evidence }) };
}

/** Holds or waits: commits when that is news, rests until `wakeAt` when it is known already. */
export function hold(
  draft: Draft,
  cause: HoldCause,
  rule: string,
  text: string,
  options: { detail?: Record<string, string>; evidence?: Record<string, string>; wakeAt?: number | null } = {},
): Ruling {
  const wakeAt = options.wakeAt ?? null;
  const changed = holdTask(draft, cause, text, options.detail ?? {}) || draft.from.task.hold?.text !== text;
  const visitChanged = JSON.stringify(draft.visit) !== JSON.stringify(draft.from.visit);
  if (!changed && !visitChanged && draft.effects.length === 0) return rest(wakeAt);
  return commit(draft, rule, text, 'gate', options.evidence ?? {}, wakeAt);
}

/** A gate that cannot see is pending with the reason, never a pass (spec 3.1); it looks again after `recheckMinutes`. */
export function cannotSee(draft: Draft, reason: string): Ruling {
  return hold(draft, 'cannot_see', 'gate.cannot-see', reason, { wakeAt: draft.now + draft.policy.recheckMs });
}

/** The visit of a work stage; a work stage without one is a defect of the store. */
export function visitOf(draft: Draft): Visit {
  if (draft.visit === null) throw new Error(`task ${draft.task.id} is in ${draft.task.stage} without a visit`);
  return draft.visit;
}
