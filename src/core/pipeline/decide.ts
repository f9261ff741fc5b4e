import type { Evidence, EvidenceNeed, ProjectPolicy, Snapshot } from '../model/index.ts';
import { assertNever, isFinal } from '../model/index.ts';
import { decideAnalysis } from './decide/analysis.ts';
import { decideArchitecture } from './decide/architecture.ts';
import { decideCreated } from './decide/created.ts';
import { decideDeploy } from './decide/deploy.ts';
import { decideDevelopment } from './decide/development.ts';
import { decideMessage } from './decide/message.ts';
import { decideReview } from './decide/review.ts';
import { decideTesting } from './decide/testing.ts';
import { decideWorld } from './decide/world.ts';
import type { Draft } from './draft.ts';
import { draftOf } from './draft.ts';
import { carryOut } from './decide/directive.ts';
import type { Ruling } from './ruling.ts';
import { rest } from './ruling.ts';

/** Whether the stage itself is to be judged now: nothing queued, running or held (spec 3.1). */
export function isJudged(s: Snapshot): boolean {
  return (
    s.message === null &&
    s.liveJob === null &&
    !s.task.paused &&
    s.task.hold?.blocking !== true &&
    !isFinal(s.task.stage)
  );
}

/** What has to be collected before `decide` can answer. Nothing while a message waits or an agent works. */
export function needs(s: Snapshot, policy: ProjectPolicy): EvidenceNeed[] {
  if (!isJudged(s)) return [];
  switch (s.task.stage) {
    case 'created':
      return ['intake'];
    case 'analysis':
    case 'architecture':
      return ['head', 'artifacts', 'codeTree'];
    case 'development':
      return ['head', 'artifacts', 'codeTree', 'merges', ...ciNeeds(policy)];
    case 'review':
      return [
        'head',
        'artifacts',
        'codeTree',
        'verdictCommit',
        ...ciNeeds(policy),
        ...(policy.gates.review.includes('pr-approved') ? (['reviews'] as const) : []),
      ];
    case 'testing':
      return ['head', 'artifacts', 'codeTree', ...ciNeeds(policy)];
    case 'deploy':
      return ['head', 'artifacts', 'codeTree', 'merges', 'pull', ...ciNeeds(policy)];
    case 'done':
    case 'cancelled':
      return [];
    default:
      return assertNever(s.task.stage);
  }
}

function ciNeeds(policy: ProjectPolicy): EvidenceNeed[] {
  return policy.gates.development === 'ci-green' ? ['statuses'] : [];
}

/**
 * What follows for a task: pure and total. Facts of the world first (merged, cancelled, gone), then the oldest message,
 * then the stage's own gate. At most one transition; the caller asks again until the answer is `rest`.
 */
export function decide(s: Snapshot, evidence: Evidence, policy: ProjectPolicy, now: number): Ruling {
  const draft = draftOf(s, policy, now);
  const world = decideWorld(draft);
  if (world !== null) return world;
  if (s.message !== null) return decideMessage(draft, s.message);
  if (!isJudged(s)) return rest(null);
  return decideStage(draft, evidence);
}

function decideStage(draft: Draft, evidence: Evidence): Ruling {
  const stage = draft.task.stage;
  if (stage === 'created') return decideCreated(draft, evidence);
  const ordered = carryOut(draft, evidence);
  if (ordered !== null) return ordered;
  switch (stage) {
    case 'analysis':
      return decideAnalysis(draft, evidence);
    case 'architecture':
      return decideArchitecture(draft, evidence);
    case 'development':
      return decideDevelopment(draft, evidence);
    case 'review':
      return decideReview(draft, evidence);
    case 'testing':
      return decideTesting(draft, evidence);
    case 'deploy':
      return decideDeploy(draft, evidence);
    case 'done':
    case 'cancelled':
      return rest(null);
    default:
      return assertNever(stage);
  }
}
