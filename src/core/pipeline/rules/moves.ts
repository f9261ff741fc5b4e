import type { CommitSha, Evidence, Orders, Stage, Visit, WorkStage } from '../../model/index.ts';
import { isWorkStage } from '../../model/index.ts';
import { hashesOf } from '../artifacts.ts';
import type { Draft } from '../draft.ts';
import { notify, requestAgent, showPhase } from '../draft.ts';
import type { BounceKind } from '../stages/stage.ts';
import { holds, holdTask } from './holds.ts';
import { codeStage } from './order.ts';

/** Head, artifacts and code tree of one commit: the baseline of the next visit. */
export function baselineOf(evidence: Evidence): Visit['baseline'] | null {
  if (evidence.head?.seen !== true || evidence.artifacts?.seen !== true || evidence.codeTree?.seen !== true)
    return null;
  return { sha: evidence.head.value, artifacts: hashesOf(evidence.artifacts.value), codeTree: evidence.codeTree.value };
}

/** `bounced`: the material of the bounce that opens the visit; null when it is no bounce. */
export function openVisit(
  draft: Draft,
  stage: WorkStage,
  baseline: Visit['baseline'],
  why: string,
  bounced: Orders['sections'] | null,
): Visit {
  draft.task.stage = stage;
  draft.task.visit += 1;
  draft.task.stageSince = draft.now;
  draft.task.hold = null;
  const visit: Visit = {
    n: draft.task.visit,
    stage,
    startedAt: draft.now,
    baseline,
    finished: null,
    approval: null,
    approved: null,
    askedAgain: 0,
    requests: 0,
    order: null,
    answers: [],
    bounce: bounced !== null,
    ciSince: null,
    merge: null,
    why,
    sections: bounced ?? [],
  };
  draft.visit = visit;
  return visit;
}

/** Goes on to a stage and starts its agent, unless the stage's own rules start it later. */
export function advanceTo(
  draft: Draft,
  stage: Stage,
  baseline: Visit['baseline'],
  why: string,
  by: string | null,
): void {
  const from = draft.task.stage;
  if (!isWorkStage(stage)) return complete(draft);
  const facts = draft.stageFacts(stage);
  const visit = openVisit(draft, stage, baseline, why, null);
  notify(
    draft,
    from === 'created'
      ? { event: 'intake_accepted', role: facts.role.name, usualMinutes: draft.from.usualMinutes }
      : { event: 'stage_changed', from, to: stage, by },
  );
  showPhase(draft, 'in_progress');
  if (facts.agentFirst(draft.policy, visit)) requestAgent(draft, { why, sections: [] });
}

/** The task is done: nothing of it runs or waits any more. */
export function complete(draft: Draft): void {
  draft.task.stage = 'done';
  draft.task.stageSince = draft.now;
  draft.task.hold = null;
  notify(draft, { event: 'done' });
  showPhase(draft, 'done');
}

export interface Bounce {
  to: WorkStage;
  kind: BounceKind;
  /** What the agent reads, one sentence. */
  why: string;
  /** Excerpt for people. */
  text: string;
  sections: Orders['sections'];
}

/**
 * Sends the task back and runs that stage's agent again. Reruns of the developer share one budget, whatever sent the task
 * back (spec 3.3), taken here, in the commit that queues the run; other bounces pass `n` and `of` of their own cap. A shorter
 * pipeline without that stage (spec 3.4) has nobody to send it to: the task is held where it is.
 */
export function bounce(
  draft: Draft,
  baseline: Visit['baseline'],
  b: Bounce,
  own: { n: number; of: number } | null,
): void {
  const { task, policy } = draft;
  const { cause } = b.kind;
  if (!task.pipelineStages.includes(b.to)) {
    const kind = b.kind === bounces.baseConflict ? holds.baseConflict : holds.gateFailed;
    holdTask(draft, kind, `${b.text}; this pipeline has no ${b.to}`, { bounce: cause, tail: b.text });
    return;
  }
  const { role } = draft.stageFacts(b.to);
  let count = own ?? { n: 1, of: 1 };
  if (role.writesCode) {
    const of = policy.caps.developerReruns;
    if (task.counters.developerReruns >= of) {
      const text = `${b.text}; ${of === 1 ? `the only rerun of the ${role.name} is` : `all ${of} reruns of the ${role.name} are`} used`;
      holdTask(draft, holds.developerBudget, text, { bounce: cause });
      return;
    }
    task.counters.developerReruns += 1;
    count = { n: task.counters.developerReruns, of };
  }
  // The alert is written before the rerun it announces (spec 3.3).
  notify(draft, { event: 'bounce', role: role.name, cause, text: b.text, n: count.n, of: count.of });
  openVisit(draft, b.to, baseline, b.why, b.sections);
  showPhase(draft, 'in_progress');
  requestAgent(draft, { why: b.why, sections: [] });
}

/** Sends the task to the stage that writes code, or to `development`, which a pipeline without code lacks. */
export function bounceToCode(draft: Draft, baseline: Visit['baseline'], b: Omit<Bounce, 'to'>): void {
  bounce(draft, baseline, { ...b, to: codeStage(draft) ?? 'development' }, null);
}

/** The bounces that several stages, or none in particular, can come to. */
export const bounces = {
  rejected: { cause: 'rejected', words: { en: 'rejected', ru: 'отклонено' } },
  redCode: { cause: 'red_ci', words: { en: 'the checks are red', ru: 'проверки красные' } },
  baseConflict: {
    cause: 'base_conflict',
    words: { en: 'a conflict with the base branch', ru: 'конфликт с базовой веткой' },
  },
  changesRequested: {
    cause: 'changes_requested',
    words: { en: 'changes were requested', ru: 'запрошены изменения' },
  },
  codeChanged: {
    cause: 'code_changed',
    words: { en: 'the code changed after its approval', ru: 'код изменился после одобрения' },
  },
} as const satisfies Record<string, BounceKind>;

/** The merge has happened: people are notified once, and where orch merges the stage's agent starts now. */
export function noteMerge(
  draft: Draft,
  visit: Visit,
  number: number,
  sha: CommitSha | null,
  by: 'orch' | 'person',
): void {
  visit.merge = {
    head: visit.merge?.head ?? sha ?? ('' as CommitSha),
    marker: visit.merge?.marker ?? '',
    merged: true,
    mergedSha: sha,
  };
  draft.task.mergedSha = sha;
  draft.task.hold = null;
  notify(draft, { event: 'merged', number, by });
  showPhase(draft, 'in_progress');
  if (visit.finished === null && draft.from.liveJob === null) requestAgent(draft, { why: visit.why, sections: [] });
}
