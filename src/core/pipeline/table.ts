import type { Stage, WorkStage } from '../model/index.ts';

/** The line (spec 3): what has to pass to leave a stage. Also the source of docs/state-machine.md. */
export const gateOfStage: Record<'created' | WorkStage, string> = {
  created: 'intake (QG-0)',
  analysis: 'analysis-approved',
  architecture: 'architecture-done',
  development: 'ci-green or tests-local',
  review: 'reviewer-verdict and/or pr-approved',
  testing: 'tests-passed',
  deploy: 'deployed',
};

/** Every edge a decision may take beside `--force`; the journal and the model tests are checked against it. */
export const edges: { from: Stage; to: Stage; name: string }[] = [
  { from: 'created', to: 'analysis', name: 'intake passed, branch made' },
  { from: 'analysis', to: 'analysis', name: 'answers, nothing produced, rejected' },
  { from: 'analysis', to: 'architecture', name: 'approved' },
  { from: 'architecture', to: 'analysis', name: 'conflict, rejected' },
  { from: 'architecture', to: 'development', name: 'architecture done' },
  { from: 'development', to: 'development', name: 'red CI, tests failed, base conflict' },
  { from: 'development', to: 'architecture', name: 'rejected' },
  { from: 'development', to: 'review', name: 'CI green' },
  { from: 'review', to: 'development', name: 'changes requested, red CI, base conflict, rejected' },
  { from: 'review', to: 'testing', name: 'verdict' },
  { from: 'testing', to: 'development', name: 'tests failed, red CI, base conflict' },
  { from: 'testing', to: 'review', name: 'rejected, code changed after the review' },
  { from: 'testing', to: 'deploy', name: 'tests passed' },
  { from: 'deploy', to: 'development', name: 'deploy failed, red CI, base conflict' },
  { from: 'deploy', to: 'review', name: 'code changed after the review' },
  { from: 'deploy', to: 'testing', name: 'rejected' },
  { from: 'deploy', to: 'done', name: 'merged and deployed' },
];

/** The stage after `stage` in a task's pinned pipeline; `done` behind the last. */
export function stageAfter(stage: Stage, pipeline: WorkStage[]): Stage {
  if (stage === 'created') return pipeline[0] ?? 'done';
  return pipeline[pipeline.indexOf(stage as WorkStage) + 1] ?? 'done';
}

/** The stage before `stage`; the first one stays where it is. */
export function stageBefore(stage: Stage, pipeline: WorkStage[]): WorkStage | null {
  const at = pipeline.indexOf(stage as WorkStage);
  return pipeline[Math.max(0, at - 1)] ?? null;
}
