import type { Evidence, OwnStage, ProjectPolicy, Visit } from '../../model/index.ts';
import { counted } from '../../model/index.ts';
import { find } from '../artifacts.ts';
import type { Draft } from '../draft.ts';
import { bodyOf } from '../front-matter.ts';
import { judgeDocument, type DocumentGate } from '../gates/document.ts';
import { approvedCodeRule, noteApprovedCode } from '../rules/approved-code.ts';
import { askAgain } from '../rules/ask-again.ts';
import { codeNeeds, codeRule } from '../rules/code.ts';
import { advanceTo, baselineOf, bounce } from '../rules/moves.ts';
import { stageAfter } from '../rules/order.ts';
import { changesRule, pullReviewRule } from '../rules/pull-reviews.ts';
import { cannotSee, cannotSeeBranch, commit, hold, visitOf, type Step } from '../step.ts';
import { defaultFacts, type StageDefinition } from './definition.ts';
import { blocking, defaultRole, type BounceKind, type HoldKind } from './stage.ts';

/** Holds and bounces of every team's own stages. */
export const ownHolds = {
  noResult: blocking(
    'no_result',
    'operator',
    'rerun',
    { en: 'another run of the agent' },
    { en: 'No readable result', ru: 'Нет читаемого результата' },
  ),
  stageFails: blocking(
    'stage_fails',
    'operator',
    'rejudge',
    { en: 'another run; the rounds of this stage start again' },
    { en: 'The stage failed too often', ru: 'Этап не пройден слишком много раз' },
  ),
} as const satisfies Record<string, HoldKind>;

export const stageFailed: BounceKind = {
  cause: 'stage_failed',
  words: { en: 'a check did not pass', ru: 'проверка не пройдена' },
};

/** A stage that a team defines by configuration (spec 3.5): one agent, one document, one key that passes or fails. */
export function ownStage(own: OwnStage): StageDefinition {
  const gate: DocumentGate = {
    document: own.document,
    key: own.key,
    pass: own.pass,
    fail: own.fail,
    passed: `${own.label} passed`,
    failed: `${own.label} failed`,
  };
  const values = [...own.pass, ...own.fail].map((value) => `\`${own.key}: ${value}\``).join(' or ');
  return {
    ...defaultFacts,
    name: own.name,
    words: { en: own.label, ru: own.label },
    role: { ...defaultRole, name: own.role, words: { en: own.roleLabel, ru: own.roleLabel } },
    gate: `${own.key} of ${own.document}`,
    products: (folder) => [`\`${folder}/${own.document}\` with the front matter ${values}, and \`commit:\``],
    reads: [own.document],
    needs: (policy) => needsOf(own, policy),
    verdictDocument: own.document,
    watchesCi: own.needs.includes('ci'),
    watchesReviews: true,
    edges: [{ to: own.failTo, name: `${own.label} failed` }],
    holds: [ownHolds.noResult, ownHolds.stageFails],
    bounces: [stageFailed],
    decide: (draft, evidence) => decide(own, gate, draft, evidence),
  };
}

function needsOf(own: OwnStage, policy: ProjectPolicy): ReturnType<StageDefinition['needs']> {
  return ['verdictCommit', ...(own.needs.includes('ci') ? codeNeeds(policy) : []), 'reviews'];
}

/** The rules of built-in stages: code that changed first, then what the stage needs, then its own document. */
function decide(own: OwnStage, gate: DocumentGate, draft: Draft, evidence: Evidence): Step {
  const visit = visitOf(draft);
  const { task } = draft;
  const baseline = baselineOf(evidence);
  if (baseline === null || evidence.artifacts?.seen !== true) return cannotSeeBranch(draft, evidence);
  const unready =
    approvedCodeRule(draft, baseline) ?? (own.needs.includes('ci') ? codeRule(draft, evidence, baseline) : null);
  if (unready !== null) return unready;
  const verdict = judgeDocument(gate, visit, evidence.artifacts.value, evidence.verdictCommit);
  if (verdict.status === 'pending') return cannotSee(draft, verdict.reason);
  if (verdict.status !== 'fail' || !verdict.readable) {
    const against = changesRule(draft, evidence, baseline);
    if (against !== null) return against;
  }
  if (!verdict.readable) return askAgain(draft, ownHolds.noResult, verdict.reason, verdict.subject);
  if (verdict.status === 'fail') {
    const text = bodyOf(find(evidence.artifacts.value, own.document)?.text ?? '');
    return fail(own, draft, baseline, text, verdict.subject);
  }
  const subject = { ...verdict.subject, sha: baseline.sha ?? '', code_tree: baseline.codeTree ?? '' };
  if (own.needs.includes('reviews')) {
    const unapproved = pullReviewRule(draft, evidence, baseline, subject);
    if (unapproved !== null) return unapproved;
  }
  noteApprovedCode(draft, baseline);
  const why = `The stage ${own.name} has passed.`;
  advanceTo(draft, stageAfter(task.stage, task.pipelineStages), baseline, why, null);
  return commit(draft, `${own.name}.passed`, verdict.reason, 'gate', subject);
}

function fail(
  own: OwnStage,
  draft: Draft,
  baseline: Visit['baseline'],
  text: string,
  subject: Record<string, string>,
): Step {
  const { fails } = draft.task.progress;
  const n = (fails[own.name] ?? 0) + 1;
  if (n > own.maxFails) {
    const reason = `${own.label} failed again after ${counted(own.maxFails, 'time')}`;
    return hold(draft, ownHolds.stageFails, `${own.name}.fails-cap`, reason, {
      detail: { tail: text },
      evidence: subject,
    });
  }
  bounce(
    draft,
    baseline,
    {
      to: own.failTo,
      kind: stageFailed,
      why: `The stage ${own.name} failed.`,
      text,
      sections: [{ title: `Findings of the ${own.role}`, text }],
    },
    { n, of: own.maxFails },
  );
  // A rerun that the developer's own budget refused is not counted here.
  if (draft.task.hold === null) fails[own.name] = n;
  return commit(draft, `${own.name}.failed`, `${own.label} failed`, 'gate', subject);
}
