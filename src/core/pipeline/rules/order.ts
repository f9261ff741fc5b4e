import type { Stage, WorkStage } from '../../model/index.ts';
import type { Draft } from '../draft.ts';

/** The stage after `stage` in a task's pinned pipeline; `done` behind the last. */
export function stageAfter(stage: Stage, pipeline: WorkStage[]): Stage {
  if (stage === 'created') return pipeline[0] ?? 'done';
  return pipeline[pipeline.indexOf(stage) + 1] ?? 'done';
}

/** The stage before `stage`; the first one stays where it is. */
export function stageBefore(stage: Stage, pipeline: WorkStage[]): WorkStage | null {
  const at = pipeline.indexOf(stage);
  return pipeline[Math.max(0, at - 1)] ?? null;
}

/** The stage of the task's pipeline in which code is written; null in one without (an audit). */
export function codeStage(draft: Draft): WorkStage | null {
  return draft.task.pipelineStages.find((name) => draft.stageFacts(name).role.writesCode) ?? null;
}
