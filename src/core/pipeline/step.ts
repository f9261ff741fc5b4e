import type { Decision, Evidence, EvidenceNeed, HoldDetail, Visit } from '../model/index.ts';
import type { Draft } from './draft.ts';
import { finish, visitChanged } from './draft.ts';
import { holds, holdTask } from './rules/holds.ts';
import type { HoldKind } from './stages/stage.ts';

/**
 * Answer of `decide`: a change to commit, or nothing until something wakes the task or the time comes. `look`: it cannot answer
 * before these, too, were collected; what costs much to collect is asked for only by the decision that uses it.
 */
export type Step =
  | { kind: 'commit'; decision: Decision }
  | { kind: 'rest'; wakeAt: number | null }
  | { kind: 'look'; needs: EvidenceNeed[] };

export function look(...needs: EvidenceNeed[]): Step {
  return { kind: 'look', needs };
}

export function rest(wakeAt: number | null): Step {
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
): Step {
  return { kind: 'commit', decision: finish(draft, wakeAt, { rule, sentence, cause, evidence }) };
}

interface HoldOptions {
  detail?: HoldDetail;
  evidence?: Record<string, string>;
  wakeAt?: number | null;
}

/** Holds or waits: commits when that is news, rests until `wakeAt` when it is known already. */
export function hold(draft: Draft, kind: HoldKind, rule: string, text: string, options: HoldOptions = {}): Step {
  const wakeAt = options.wakeAt ?? null;
  const changed = holdTask(draft, kind, text, options.detail) || draft.from.task.hold?.text !== text;
  if (!changed && !visitChanged(draft) && draft.effects.length === 0) return rest(wakeAt);
  return commit(draft, rule, text, 'gate', options.evidence ?? {}, wakeAt);
}

/** A gate that cannot see is pending with the reason, never a pass (spec 3.1); it looks again after `recheckMinutes`. */
export function cannotSee(draft: Draft, reason: string): Step {
  return hold(draft, holds.unobservable, 'gate.cannot-see', reason, { wakeAt: draft.now + draft.policy.recheckMs });
}

/** The branch itself cannot be seen: the reason of whichever part is missing. */
export function cannotSeeBranch(draft: Draft, evidence: Evidence): Step {
  for (const part of [evidence.head, evidence.artifacts, evidence.codeTree])
    if (part?.seen === false) return cannotSee(draft, part.reason);
  return cannotSee(draft, 'the branch has not been seen yet');
}

/** The visit of a work stage; a work stage without one is a defect of the store. */
export function visitOf(draft: Draft): Visit {
  if (draft.visit === null) throw new Error(`task ${draft.task.id} is in ${draft.task.stage} without a visit`);
  return draft.visit;
}
