import type { Message } from '../../model/index.ts';
import { assertNever, isFinal } from '../../model/index.ts';
import type { Draft } from '../draft.ts';
import { holds, holdTask } from '../rules/holds.ts';
import { commit, type Step } from '../step.ts';
import { decideCommand } from './command.ts';
import { decideComment } from './comment.ts';
import { decideEffect } from './effect.ts';
import { decideRun } from './run.ts';

/** The oldest message is handled, once and whatever it says; what it does not fit any more is consumed with that reason. */
export function decideMessage(draft: Draft, message: Message): Step {
  draft.handled = message.id;
  const { body } = message;
  const reopens = body.kind === 'command' && body.name === 'reopen';
  if (isFinal(draft.task.stage) && body.kind !== 'effect_settled' && !reopens) {
    return commit(
      draft,
      'message.late',
      `the task is ${draft.task.stage}; nothing follows from ${body.kind}`,
      `message:${message.sourceKey}`,
    );
  }
  switch (body.kind) {
    case 'run_finished':
      return decideRun(draft, body);
    case 'comment':
      return decideComment(draft, body);
    case 'effect_settled':
      return decideEffect(draft, body);
    case 'command':
      return decideCommand(draft, body);
    case 'job_refused':
      return decideRefused(draft, body.reason);
    default:
      return assertNever(body);
  }
}

function decideRefused(draft: Draft, reason: 'run_cap' | 'cost_cap'): Step {
  const { caps } = draft.policy;
  const text =
    reason === 'run_cap'
      ? `the task has used its ${caps.runs} runs`
      : `the task has used its $${((caps.costMicros ?? 0) / 1e6).toFixed(2)}`;
  holdTask(draft, reason === 'run_cap' ? holds.runCap : holds.costCap, text);
  return commit(draft, `message.${reason}`, text, 'queue');
}
