import type { HoldCause, MessageOf } from '../../model/index.ts';
import { assertNever, isEndGroup, isWorkStage } from '../../model/index.ts';
import type { Draft } from '../draft.ts';
import { currentStage, notify, requestAgent, showPhase, stopJob } from '../draft.ts';
import { holds } from '../rules/holds.ts';
import { commit, type Step } from '../step.ts';

type Command = MessageOf<'command'>;

/** An operator's command, journaled like everything else. Only commands reset counters (spec 3.3). */
export function decideCommand(draft: Draft, command: Command): Step {
  const cause = `operator:${command.by}`;
  switch (command.name) {
    case 'retry':
      return liftHold(draft, command.by, cause);
    case 'advance':
      return advance(draft, command, cause);
    case 'run':
      return runAgent(draft, command, cause);
    case 'cancel':
      stopJob(draft);
      draft.task.progress.cancelled = { stage: draft.task.stage, seen: false };
      draft.task.stage = 'cancelled';
      draft.task.stageSince = draft.now;
      draft.task.hold = null;
      draft.task.progress.overruled = null;
      notify(draft, { event: 'cancelled', by: command.by });
      showPhase(draft, 'cancelled');
      return commit(draft, 'command.cancel', `${command.by} cancelled the task`, cause);
    case 'reopen':
      return reopen(draft, command.by, cause);
    case 'pause':
      draft.task.paused = true;
      return commit(draft, 'command.pause', `${command.by} paused the task`, cause);
    case 'resume':
      draft.task.paused = false;
      return commit(draft, 'command.resume', `${command.by} resumed the task`, cause);
    default:
      return assertNever(command);
  }
}

/**
 * Takes a cancellation, or an end that was set by hand, back: also where the work item still shows it, which counts no more
 * until it shows something else. A task that is done has been merged: that is not undone.
 */
function reopen(draft: Draft, by: string, cause: string): Step {
  const { task } = draft;
  const { item } = draft.from;
  const refuse = (why: string): Step => commit(draft, 'command.reopen-refused', why, cause);
  if (item?.present === false) return refuse('the work item is gone: restore it in the tracker first');
  if (task.stage === 'done') return refuse('the task is done and merged; further work is a work item of its own');
  const ended = item !== null && isEndGroup(item.stateGroup);
  if (task.stage !== 'cancelled' && !ended) return refuse('the task is not cancelled: nothing is to be reopened');
  if (ended) task.progress.overruled = item.stateId;
  if (task.stage === 'cancelled') return resumeCancelled(draft, by, `${by} reopened the task`, 'command.reopen', cause);
  return liftHold(draft, by, cause);
}

/** A cancelled task goes on in the stage in which it was cancelled. */
export function resumeCancelled(draft: Draft, by: string | null, what: string, rule: string, cause: string): Step {
  const { task } = draft;
  const stage = task.progress.cancelled?.stage ?? 'created';
  task.progress.cancelled = null;
  task.progress.branchEffect = null;
  task.stage = stage;
  task.stageSince = draft.now;
  task.hold = null;
  task.phase = null;
  showPhase(draft, 'in_progress');
  notify(draft, { event: 'stage_changed', from: 'cancelled', to: stage, by });
  return commit(draft, rule, `${what}; it resumes in ${stage}`, cause);
}

/** Lifts a hold (spec 8): resets exactly the counter that it names, and does again what its cause asks for. */
export function liftHold(draft: Draft, by: string, cause: string): Step {
  const { task, visit } = draft;
  const held = task.hold;
  if (held === null)
    return commit(draft, 'command.retry-nothing', `${by} asked for a retry, but nothing holds the task`, cause);
  const still = stillSo(draft, held.cause);
  if (still !== null) return commit(draft, 'command.retry-refused', still, cause, { hold: held.cause });
  task.hold = null;
  const reset = resets[held.cause]?.(draft);
  // A rewritten branch is accepted as it was when the hold named it.
  if (held.cause === holds.forcePushed.cause && held.detail.head !== undefined)
    task.progress.acceptedHead = held.detail.head;
  if (held.cause === holds.otherDatabase.cause && held.detail.database !== undefined)
    task.progress.acceptedDatabase = held.detail.database;
  // Lifted by a command while the item still shows its end: that counts no more.
  if (held.cause === holds.closedByHand.cause && draft.from.item !== null && isEndGroup(draft.from.item.stateGroup))
    task.progress.overruled = draft.from.item.stateId;
  if (visit !== null) {
    visit.ciSince = null;
    visit.askedAgain = 0;
    delete visit.mergeRefused;
  }
  showPhase(draft, 'in_progress');
  task.progress.shownHold = null;
  // The command has what was refused delivered again; a card that is moved does not: a lost request is made again.
  if (held.lift === 'redeliver' && cause === 'mirror' && visit?.approval?.askedAt === null) visit.approval = null;
  // An order of a person that waits is carried out instead.
  if (held.lift === 'rerun' && visit !== null && draft.from.liveJob === null && visit.order === null) {
    const { tail } = held.detail;
    const said = visit.answers.splice(0).map((answer) => ({ title: `Comment of ${answer.by}`, text: answer.text }));
    requestAgent(draft, {
      why: `Another run was asked for after: ${held.text}`,
      sections: [...(tail === undefined ? [] : [{ title: 'What was seen last', text: tail }]), ...said],
    });
  }
  return commit(
    draft,
    'command.retry',
    `${by} lifted the hold "${held.cause}"${reset === undefined ? '' : `; ${reset}`}`,
    cause,
    { hold: held.cause },
  );
}

/** What holds the task and stands outside as it did: the same hold would follow at once. It is lifted by itself when it is over. */
function stillSo({ from, task }: Draft, held: HoldCause): string | null {
  if (held === holds.branchDeleted.cause && from.branch?.branch === task.branch && from.branch.sha === null)
    return `nothing was lifted: branch ${task.branch} is still deleted; push it again, and the task goes on by itself`;
  if (
    held === holds.pullClosed.cause &&
    from.pr?.number === task.prNumber &&
    from.pr.state !== 'open' &&
    !from.pr.merged
  )
    return `nothing was lifted: pull request #${from.pr.number} is still closed; reopen it, and the task goes on by itself`;
  return null;
}

/** What lifting a hold resets, by its cause; half a sentence for the journal. */
const resets: Record<HoldCause, (draft: Draft) => string> = {
  repository_replaced: ({ task, policy }) => {
    task.repo = policy.repo;
    return `the task goes on in ${policy.repo}`;
  },
  developer_budget: ({ task }) => {
    task.counters.developerReruns = 0;
    return 'the budget of developer reruns starts again';
  },
  question_rounds: ({ task }) => {
    task.counters.questionRounds = 0;
    return 'the rounds of questions start again';
  },
  rejections: ({ task }) => {
    task.counters.rejections = 0;
    return 'the rejections start again';
  },
  conflict_rounds: ({ task }) => {
    task.counters.conflictRounds = 0;
    return 'the rounds of conflicts start again';
  },
  stage_fails: ({ task }) => {
    delete task.progress.fails[task.stage];
    return 'the rounds of this stage start again';
  },
  run_cap: ({ task, from }) => {
    task.progress.runsFrom = from.meta.runs;
    return 'the run cap starts again';
  },
  cost_cap: ({ task, from }) => {
    task.progress.costFromMicros = from.meta.spentMicros + from.meta.reservedMicros;
    return 'the cost cap starts again';
  },
};

function advance(draft: Draft, command: Extract<Command, { name: 'advance' }>, cause: string): Step {
  const { task, visit } = draft;
  if (visit === null)
    return commit(draft, 'command.advance-early', 'the task has no branch yet; it cannot be advanced', cause);
  if (!command.force) return commit(draft, 'command.advance', `${command.by} asked the gate`, cause);
  if (command.to !== null && command.to !== 'done' && !task.pipelineStages.includes(command.to)) {
    return commit(draft, 'command.advance-refused', `the pipeline ${task.pipeline} has no stage ${command.to}`, cause);
  }
  visit.order = { kind: 'advance', by: command.by, to: command.to, force: true };
  task.hold = null;
  stopJob(draft);
  return commit(
    draft,
    'command.advance-force',
    `${command.by} ordered the task to ${command.to ?? 'the next stage'}`,
    cause,
  );
}

function runAgent(draft: Draft, command: Extract<Command, { name: 'run' }>, cause: string): Step {
  const { task, visit } = draft;
  const role = isWorkStage(task.stage) ? currentStage(draft).role.name : null;
  if (visit === null || role !== command.role) {
    return commit(draft, 'command.run-refused', `${command.role} does not work in ${task.stage}`, cause);
  }
  if (draft.from.liveJob !== null)
    return commit(draft, 'command.run-live', 'an agent of the task is queued or running', cause);
  task.hold = null;
  requestAgent(draft, { why: `${command.by} asked for this run.`, sections: [] });
  return commit(draft, 'command.run', `${command.by} asked for another run of the ${role}`, cause);
}
