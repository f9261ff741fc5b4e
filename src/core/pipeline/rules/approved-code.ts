import type { Visit } from '../../model/index.ts';
import type { Draft } from '../draft.ts';
import { commit, type Step } from '../step.ts';
import { bounce, bounces } from './moves.ts';

/** The stage approved this code; a later stage that finds other code at the head sends the task back. */
export function noteApprovedCode(draft: Draft, baseline: Visit['baseline']): void {
  draft.task.progress.approvedCode[draft.task.stage] = baseline.codeTree ?? '';
}

/**
 * What reaches a later stage is the code that every stage before it approved: other code at the head goes back to the first
 * one that approved another. Null: the code is the approved one.
 */
export function approvedCodeRule(draft: Draft, baseline: Visit['baseline']): Step | null {
  const { task } = draft;
  const { approvedCode } = task.progress;
  const before = task.pipelineStages.slice(0, task.pipelineStages.indexOf(task.stage));
  const to = before.find((name) => approvedCode[name] !== undefined && approvedCode[name] !== baseline.codeTree);
  if (to === undefined) return null;
  const approved = approvedCode[to] ?? '';
  const from = task.stage;
  delete approvedCode[to];
  bounce(
    draft,
    baseline,
    {
      to,
      kind: bounces.codeChanged,
      why: 'The code changed after it was approved.',
      text: 'the code on the branch changed after the review',
      sections: [],
    },
    null,
  );
  return commit(draft, `${from}.code-changed`, 'the code on the branch is not the code that was approved', 'gate', {
    approved,
    code_tree: baseline.codeTree ?? '',
  });
}
