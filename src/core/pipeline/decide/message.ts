import type { Message, MessageOf } from '../../model/index.ts';
import { assertNever, isFinal } from '../../model/index.ts';
import type { Draft } from '../draft.ts';
import { stopJob } from '../draft.ts';
import { holds, holdTask, otherDatabaseText } from '../rules/holds.ts';
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
    case 'other_database':
      return decideOtherDatabase(draft, body);
    case 'command':
      return decideCommand(draft, body);
    case 'repository_replaced':
      return decideReplaced(draft, body.text);
    case 'job_refused':
      return decideRefused(draft, body.reason);
    default:
      return assertNever(body);
  }
}

/** Nothing of a task is in a repository that took the place of its own. */
function decideReplaced(draft: Draft, text: string): Step {
  const { task } = draft;
  if (draft.visit === null) {
    // Nothing of it is in either of them yet.
    task.repo = draft.policy.repo;
    task.progress.branchEffect = null;
    return commit(draft, 'world.repository-replaced', text, 'mirror');
  }
  stopJob(draft);
  // The numbers and reviews of the other repository are somebody else's.
  task.prNumber = null;
  task.progress.pullEffect = null;
  task.progress.postedVerdict = null;
  holdTask(draft, holds.repositoryReplaced, text);
  return commit(draft, 'world.repository-replaced', text, 'mirror');
}

function decideRefused(draft: Draft, reason: 'run_cap' | 'cost_cap'): Step {
  const { caps } = draft.policy;
  const text =
    reason === 'run_cap'
      ? `the task has used ${caps.runs === 1 ? 'its only run' : `its ${caps.runs} runs`}`
      : `the task has used its $${((caps.costMicros ?? 0) / 1e6).toFixed(2)}`;
  holdTask(draft, reason === 'run_cap' ? holds.runCap : holds.costCap, text);
  return commit(draft, `message.${reason}`, text, 'queue');
}

/** Two databases on one item run two agents for everything. A hold that blocks already is enough. */
function decideOtherDatabase(draft: Draft, { database, commentId }: MessageOf<'other_database'>): Step {
  const text = otherDatabaseText(database);
  if (draft.task.hold?.blocking !== true) holdTask(draft, holds.otherDatabase, text, { database });
  return commit(draft, 'message.other-database', text, `comment:${commentId}`, { database });
}
