import type { CommitSha, Evidence, Orders, Stage, Visit, WorkStage } from '../model/index.ts';
import { isWorkStage, roleOfStage } from '../model/index.ts';
import { hashesOf } from './artifacts.ts';
import type { Draft } from './draft.ts';
import { requestAgent, showPhase, tell } from './draft.ts';
import { holdTask } from './holds.ts';

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
): void {
  draft.task.stage = stage;
  draft.task.visit += 1;
  draft.task.stageSince = draft.now;
  draft.task.hold = null;
  draft.visit = {
    n: draft.task.visit,
    stage,
    startedAt: draft.now,
    baseline,
    finished: null,
    approval: null,
    approved: null,
    askedAgain: 0,
    requests: 0,
    directive: null,
    answers: [],
    bounce: bounced !== null,
    ciSince: null,
    merge: null,
    why,
    sections: bounced ?? [],
  };
}

/** Goes on to a stage and starts its agent. Deploy with the merge by orch starts its deployer only after the merge. */
export function advanceTo(
  draft: Draft,
  stage: Stage,
  baseline: Visit['baseline'],
  why: string,
  by: string | null,
): void {
  const from = draft.task.stage;
  if (!isWorkStage(stage)) return complete(draft);
  openVisit(draft, stage, baseline, why, null);
  tell(
    draft,
    from === 'created'
      ? { event: 'intake_accepted', usualMinutes: draft.from.usualAnalystMinutes }
      : { event: 'stage_changed', from, to: stage, by },
  );
  showPhase(draft, 'in_progress');
  if (stage === 'deploy' && draft.policy.deploy.merge === 'orch') return;
  requestAgent(draft, { why, sections: [] });
}

/** The task is done: nothing of it runs or waits any more. */
export function complete(draft: Draft): void {
  draft.task.stage = 'done';
  draft.task.stageSince = draft.now;
  draft.task.hold = null;
  tell(draft, { event: 'done' });
  showPhase(draft, 'done');
}

export interface Bounce {
  to: WorkStage;
  /** Machine name: `changes_requested`, `red_ci`, `tests_failed` … */
  cause: string;
  /** What the agent is told, one sentence. */
  why: string;
  /** Excerpt for people. */
  text: string;
  sections: Orders['sections'];
}

/**
 * Sends the task back and runs that stage's agent again. Reruns of the developer share one budget, whatever sent the task
 * back (spec 3.3), taken here, in the commit that queues the run; other bounces pass `n` and `of` of their own cap. A shorter
 * pipeline without that stage (spec 3.4) has nobody to send it to: held where it stands.
 */
export function bounce(
  draft: Draft,
  baseline: Visit['baseline'],
  b: Bounce,
  own: { n: number; of: number } | null,
): void {
  const { task, policy } = draft;
  const role = roleOfStage[b.to];
  if (!task.pipelineStages.includes(b.to)) {
    const cause = b.cause === 'base_conflict' ? 'base_conflict' : 'gate_failed';
    holdTask(draft, cause, `${b.text}; this pipeline has no ${b.to}`, { cause: b.cause, tail: b.text });
    return;
  }
  let count = own ?? { n: 1, of: 1 };
  if (role === 'developer') {
    const of = policy.caps.developerReruns;
    if (task.counters.developerReruns >= of) {
      holdTask(draft, 'developer_budget', `${b.text}; all ${of} reruns of the developer are used`, { cause: b.cause });
      return;
    }
    task.counters.developerReruns += 1;
    count = { n: task.counters.developerReruns, of };
  }
  // The alert is written before the rerun it announces (spec 3.3).
  tell(draft, { event: 'bounce', role, cause: b.cause, text: b.text, n: count.n, of: count.of });
  openVisit(draft, b.to, baseline, b.why, b.sections);
  showPhase(draft, 'in_progress');
  requestAgent(draft, { why: b.why, sections: [] });
}

/** The merge has happened: told once, and where orch merges the deployer starts now. */
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
  tell(draft, { event: 'merged', number, by });
  showPhase(draft, 'in_progress');
  if (visit.finished === null && draft.from.liveJob === null) requestAgent(draft, { why: visit.why, sections: [] });
}
