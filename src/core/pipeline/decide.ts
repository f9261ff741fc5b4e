import type { Evidence, EvidenceNeed, LinkedPolicy, ProjectPolicy, Snapshot } from '../model/index.ts';
import { isFinal } from '../model/index.ts';
import { decideMessage } from './decide/message.ts';
import { carryOut } from './decide/person-order.ts';
import { decideWorld } from './decide/world.ts';
import { draftOf, wantsFeedback, type Draft } from './draft.ts';
import { documentsRule } from './rules/approval.ts';
import { decideCreated } from './stages/created.ts';
import { stageDefinition, stageOfTask } from './stages/index.ts';
import { look, rest, type Step } from './step.ts';

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
  if (s.task.stage === 'created') return ['intake'];
  return ['head', 'artifacts', 'codeTree', ...stageOfTask(s.task).needs(policy)];
}

/**
 * What follows for a task: pure and total. Facts of the world first (merged, cancelled, gone), then the oldest message,
 * then the stage's own gate. At most one transition; the caller asks again until the answer is `rest`.
 */
export function decide(s: Snapshot, evidence: Evidence, policy: LinkedPolicy, now: number): Step {
  const draft = draftOf(s, policy, now, (name) => stageDefinition(name, s.task.ownStages), evidence);
  const step = decideFor(draft, s, evidence);
  return step.kind === 'commit' && wantsFeedback(draft) ? look('feedback') : step;
}

function decideFor(draft: Draft, s: Snapshot, evidence: Evidence): Step {
  const world = decideWorld(draft);
  if (world !== null) return world;
  if (s.message !== null) return decideMessage(draft, s.message);
  if (!isJudged(s)) return rest(null);
  return decideStage(draft, evidence);
}

function decideStage(draft: Draft, evidence: Evidence): Step {
  if (draft.task.stage === 'created') return decideCreated(draft, evidence);
  return carryOut(draft, evidence) ?? documentsRule(draft, evidence) ?? stageOfTask(draft.task).decide(draft, evidence);
}
