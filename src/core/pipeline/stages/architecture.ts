import type { Artifact, Evidence, Verdict, Visit } from '../../model/index.ts';
import { counted } from '../../model/index.ts';
import { find, isFresh } from '../artifacts.ts';
import type { Draft } from '../draft.ts';
import { askAgain } from '../rules/ask-again.ts';
import { holds } from '../rules/holds.ts';
import { advanceTo, baselineOf, bounce } from '../rules/moves.ts';
import { stageAfter } from '../rules/order.ts';
import { cannotSeeBranch, commit, hold, visitOf, type Step } from '../step.ts';
import { defaultFacts, type StageDefinition } from './definition.ts';
import { blocking, defaultRole } from './stage.ts';

const decisionsFolder = '06-adr/';
const infrastructureFile = '07-infra-requirements.md';
const conflictFile = '10-conflict.md';

const conflictRounds = blocking(
  'conflict_rounds',
  'operator',
  'rerun',
  { en: 'settling the conflict, then another run' },
  { en: 'The conflict with the specification remains', ru: 'Противоречие со спецификацией осталось' },
);
const conflictFound = {
  cause: 'conflict',
  words: { en: 'a conflict with the specification', ru: 'противоречие со спецификацией' },
};

export const architecture: StageDefinition = {
  ...defaultFacts,
  name: 'architecture',
  words: { en: 'architecture', ru: 'архитектура' },
  role: {
    ...defaultRole,
    name: 'architect',
    words: { en: 'architect', ru: 'архитектор' },
    model: 'opus',
  },
  gate: 'architecture-done',
  products: (folder) => [
    `at least one file in \`${folder}/${decisionsFolder}\`, or \`${folder}/${infrastructureFile}\`, new or changed in this run`,
    `or, when the specification contradicts itself or the system: \`${folder}/${conflictFile}\``,
  ],
  reads: [conflictFile],
  edges: [
    { to: 'analysis', name: 'conflict, rejected' },
    { to: 'development', name: 'architecture done' },
  ],
  holds: [conflictRounds],
  bounces: [conflictFound],
  decide,
};

/** A decision record or infrastructure requirements; a conflict goes back to the analyst, twice at most (spec 3.3). */
function decide(draft: Draft, evidence: Evidence): Step {
  const visit = visitOf(draft);
  const { task } = draft;
  const baseline = baselineOf(evidence);
  if (baseline === null || evidence.artifacts?.seen !== true) return cannotSeeBranch(draft, evidence);
  const verdict = judgeArchitecture(visit, evidence.artifacts.value);
  if (verdict.status === 'pass') {
    advanceTo(draft, stageAfter(task.stage, task.pipelineStages), baseline, 'The architecture is decided.', null);
    return commit(draft, 'architecture.done', verdict.reason, 'gate', verdict.subject);
  }
  const conflict = find(evidence.artifacts.value, conflictFile);
  if (!isFresh(conflict, visit.baseline.artifacts))
    return askAgain(draft, holds.nothingProduced, verdict.reason, verdict.subject);
  return backToAnalyst(draft, baseline, conflict.text ?? '', verdict);
}

/** A decision record or infrastructure requirements, new or changed; a new or changed conflict fails it (spec 3.1). */
export function judgeArchitecture(visit: Visit, artifacts: Artifact[]): Verdict {
  const conflict = find(artifacts, conflictFile);
  if (isFresh(conflict, visit.baseline.artifacts)) {
    return {
      status: 'fail',
      reason: 'the architect found a conflict with the specification',
      subject: { [conflict.path]: conflict.blob },
    };
  }
  const fresh = artifacts.filter(
    (artifact) =>
      (artifact.path.startsWith(decisionsFolder) || artifact.path === infrastructureFile) &&
      isFresh(artifact, visit.baseline.artifacts),
  );
  const subject = Object.fromEntries(fresh.map((artifact) => [artifact.path, artifact.blob]));
  return fresh.length > 0
    ? { status: 'pass', reason: `${fresh.length} architecture document(s)`, subject }
    : { status: 'fail', reason: 'no new or changed file in 06-adr/ and no new 07-infra-requirements.md', subject };
}

function backToAnalyst(draft: Draft, baseline: Visit['baseline'], text: string, verdict: Verdict): Step {
  const { task, policy } = draft;
  const maxRounds = policy.caps.conflictRounds;
  if (task.counters.conflictRounds >= maxRounds) {
    return hold(
      draft,
      conflictRounds,
      'architecture.conflict-cap',
      `the architect finds a conflict again after ${counted(maxRounds, 'round')}`,
      { detail: { tail: text }, evidence: verdict.subject },
    );
  }
  task.counters.conflictRounds += 1;
  bounce(
    draft,
    baseline,
    {
      to: 'analysis',
      kind: conflictFound,
      why: 'The architect found a conflict with the specification.',
      text,
      sections: [{ title: 'Conflict', text }],
    },
    { n: task.counters.conflictRounds, of: maxRounds },
  );
  return commit(draft, 'architecture.conflict', verdict.reason, 'gate', verdict.subject);
}
