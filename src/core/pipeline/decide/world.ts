import type { CommitSha, ItemMirror, ProjectPolicy, Visit } from '../../model/index.ts';
import { isEndGroup, isFinal } from '../../model/index.ts';
import type { Draft } from '../draft.ts';
import { mergesHere, notify, showPhase, stopJob } from '../draft.ts';
import { holds, holdTask, isHeldFor } from '../rules/holds.ts';
import { complete, noteMerge } from '../rules/moves.ts';
import { commit, type Step } from '../step.ts';
import { liftHold, resumeCancelled } from './command.ts';

/**
 * Facts of the outside that come before everything else: merged, gone, reopened, closed by hand, a card that was moved,
 * a branch or pull request that disappeared (spec 3.3). Level-triggered: what is undone outside is undone here.
 */
export function decideWorld(draft: Draft): Step | null {
  return (
    overruleOver(draft) ??
    merged(draft) ??
    gone(draft) ??
    reopened(draft) ??
    closedByHand(draft) ??
    movedCard(draft) ??
    unreadable(draft) ??
    lostBranch(draft) ??
    closedPullRequest(draft) ??
    reopenedDone(draft)
  );
}

/** Merged by a person: done in any stage; in the one that merges it counts as its merge. */
function merged(draft: Draft): Step | null {
  const { task, visit } = draft;
  const pr = draft.from.pr;
  if (pr === null || !pr.merged || pr.number !== task.prNumber) return null;
  if (task.stage === 'done' || task.stage === 'cancelled' || task.stage === 'created') return null;
  if (mergesHere(draft) && visit !== null) return mergedInDeploy(draft, visit, pr.number, pr.mergedSha);
  stopJob(draft);
  task.mergedSha = pr.mergedSha;
  notify(draft, { event: 'merged', number: pr.number, by: 'person' });
  complete(draft);
  return commit(draft, 'world.merged', `pull request #${pr.number} was merged by a person`, 'mirror', {
    pr: String(pr.number),
    merged: pr.mergedSha ?? '',
  });
}

/** In deploy it counts as the merge, by a person or by orch: our own, seen by a poll before its delivery was settled, too. */
function mergedInDeploy(draft: Draft, visit: Visit, number: number, sha: CommitSha | null): Step | null {
  if (visit.merge?.merged === true) return null;
  noteMerge(draft, visit, number, sha, visit.merge === null ? 'person' : 'orch');
  return commit(draft, 'deploy.merged', `pull request #${number} is merged`, 'mirror', {
    pr: String(number),
    merged: sha ?? '',
  });
}

/** Cancelled, archived or deleted: jobs are cancelled, the agent is stopped, branch and workspace stay. */
function gone(draft: Draft): Step | null {
  const { task } = draft;
  const item = draft.from.item;
  if (item === null || task.stage === 'done' || !isGone(item) || isOverruled(draft, item)) return null;
  const known = task.stage === 'cancelled';
  if (known && task.progress.cancelled?.seen === true) return null;
  const why = item.present ? 'the work item was cancelled' : 'the work item is gone (deleted, archived or moved)';
  if (known) {
    task.progress.cancelled = { stage: task.progress.cancelled?.stage ?? 'created', seen: true };
    return commit(draft, 'world.cancelled-seen', why, 'mirror', { item: item.itemId });
  }
  stopJob(draft);
  task.progress.cancelled = { stage: task.stage, seen: true };
  task.stage = 'cancelled';
  task.stageSince = draft.now;
  task.hold = null;
  if (item.present) notify(draft, { event: 'cancelled', by: null });
  task.phase = 'cancelled';
  return commit(draft, 'world.cancelled', why, 'mirror', { item: item.itemId });
}

/** The item has left the state that an operator overruled: whoever puts it there again is heard. */
function overruleOver(draft: Draft): Step | null {
  const { progress } = draft.task;
  if (progress.overruled === null || draft.from.item?.stateId === progress.overruled) return null;
  progress.overruled = null;
  return commit(draft, 'world.reopen-shown', 'the work item shows that the task was reopened', 'mirror');
}

/** An operator has reopened the task in spite of the state that the work item shows. */
function isOverruled({ task }: Draft, item: ItemMirror): boolean {
  return item.present && task.progress.overruled === item.stateId;
}

function isGone(item: ItemMirror): boolean {
  return !item.present || item.stateGroup === 'cancelled';
}

/** Reopened by a person: resumes at its stage. Only after the cancellation itself was seen in the item. */
function reopened(draft: Draft): Step | null {
  const { task } = draft;
  const item = draft.from.item;
  const { cancelled } = task.progress;
  if (task.stage !== 'cancelled' || cancelled?.seen !== true || item === null) return null;
  if (isGone(item) || item.stateGroup === 'completed') return null;
  return resumeCancelled(draft, null, 'the work item was reopened', 'world.reopened', 'mirror');
}

/** Set to Done by a person while orch is not done with it. */
function closedByHand(draft: Draft): Step | null {
  const { task } = draft;
  const item = draft.from.item;
  if (item === null || isFinal(task.stage) || isOverruled(draft, item)) return null;
  const closed = item.stateGroup === 'completed';
  if (isHeldFor(draft, holds.closedByHand) && !closed && item.stateGroup === 'started' && item.updatedByAllowed) {
    return liftHold(draft, item.updatedBy ?? 'a person', 'mirror');
  }
  if (!closed || isHeldFor(draft, holds.closedByHand)) return null;
  stopJob(draft);
  // The item shows Done; Blocked over it would hide what the person did.
  task.phase = 'blocked';
  holdTask(draft, holds.closedByHand, 'the work item was set to a completed state by hand');
  return commit(draft, 'world.closed-by-hand', 'the work item was set to a completed state by hand', 'mirror', {
    item: item.itemId,
  });
}

/** A card moved from Blocked or Needs Input to a started state, by a person who may approve, is a retry. */
function movedCard(draft: Draft): Step | null {
  const { task, visit, policy } = draft;
  const item = draft.from.item;
  const phase = task.hold?.phase;
  if (item === null || task.hold === null || (phase !== 'blocked' && phase !== 'needs_input')) return null;
  // What was said together with the move comes first: it may be the answer that is waited for.
  if (draft.from.message !== null) return null;
  const { shownHold } = task.progress;
  const known = shownHold?.phase === phase && shownHold.since === task.hold.since;
  const shown = item.stateName.toLowerCase() === policy.states[phase].toLowerCase();
  if (shown) {
    if (known) return null;
    task.progress.shownHold = { phase, since: task.hold.since };
    return commit(draft, 'world.card-seen', `the work item shows ${item.stateName}`, 'mirror');
  }
  if (!known) return null;
  if (item.stateGroup !== 'started' || isWaitingState(item.stateName, policy)) return null;
  if (task.hold.cause === 'answers' && (visit?.answers.length ?? 0) > 0) return null;
  task.progress.shownHold = null;
  // Forgotten at once, so that a later edit by somebody else is not taken for the move.
  if (!item.updatedByAllowed)
    return commit(
      draft,
      'world.card-not-allowed',
      `the card was moved to ${item.stateName} by somebody who may not lift a hold`,
      'mirror',
    );
  return liftHold(draft, item.updatedBy ?? 'a person', 'mirror');
}

function isWaitingState(name: string, policy: ProjectPolicy): boolean {
  return [policy.states.blocked, policy.states.needs_input, policy.states.in_review].some(
    (state) => state.toLowerCase() === name.toLowerCase(),
  );
}

/** The tracker does not show the item or what was said in it: nobody could be heard. Lifted by itself. */
function unreadable(draft: Draft): Step | null {
  const { task } = draft;
  const item = draft.from.item;
  if (item === null || isFinal(task.stage)) return null;
  const held = isHeldFor(draft, holds.itemUnreadable);
  if (item.unreadable === undefined) {
    if (!held) return null;
    task.hold = null;
    showPhase(draft, 'in_progress');
    return commit(draft, 'world.item-readable', 'the work item can be read again', 'mirror');
  }
  if (held || task.hold?.blocking === true) return null;
  const text = `the work item cannot be read: ${item.unreadable}`;
  holdTask(draft, holds.itemUnreadable, text);
  return commit(draft, 'world.item-unreadable', text, 'mirror');
}

/** The branch was deleted on the server before it was merged. */
function lostBranch(draft: Draft): Step | null {
  const { task, visit } = draft;
  const branch = draft.from.branch;
  if (branch === null || isFinal(task.stage) || branch.branch !== task.branch) return null;
  const held = isHeldFor(draft, holds.branchDeleted);
  if (branch.sha !== null) {
    if (!held) return null;
    task.hold = null;
    showPhase(draft, 'in_progress');
    return commit(draft, 'world.branch-restored', 'the branch is back', 'mirror', { sha: branch.sha });
  }
  if (held || isHeldFor(draft, holds.closedByHand)) return null;
  if (visit?.merge?.merged === true || task.mergedSha !== null) return null;
  stopJob(draft);
  holdTask(draft, holds.branchDeleted, `branch ${task.branch} was deleted on the server`);
  return commit(draft, 'world.branch-deleted', `branch ${task.branch} was deleted on the server`, 'mirror');
}

/** Closed without a merge. Reopening it lifts the hold. */
function closedPullRequest(draft: Draft): Step | null {
  const { task, visit } = draft;
  const pr = draft.from.pr;
  if (pr === null || pr.number !== task.prNumber || isFinal(task.stage)) return null;
  // One fact at a time, the more serious first: two that replaced each other's hold would do so forever.
  if (isHeldFor(draft, holds.branchDeleted) || isHeldFor(draft, holds.closedByHand)) return null;
  const held = isHeldFor(draft, holds.pullClosed);
  if (pr.state === 'open') {
    if (!held) return null;
    task.hold = null;
    showPhase(draft, 'in_progress');
    return commit(draft, 'world.pr-reopened', `pull request #${pr.number} is open again`, 'mirror');
  }
  if (held || pr.merged || visit?.merge?.merged === true) return null;
  holdTask(draft, holds.pullClosed, `pull request #${pr.number} was closed without a merge`);
  return commit(draft, 'world.pr-closed', `pull request #${pr.number} was closed without a merge`, 'mirror', {
    pr: String(pr.number),
  });
}

/** A person moves the item of a done task out of its end. Its code is merged: nothing starts again, and that is said. */
function reopenedDone(draft: Draft): Step | null {
  const { task } = draft;
  const item = draft.from.item;
  if (task.stage !== 'done' || item === null || !item.present) return null;
  const ended = isEndGroup(item.stateGroup);
  if (ended && task.progress.doneSeen !== true) {
    task.progress.doneSeen = true;
    return commit(draft, 'world.done-seen', `the work item shows ${item.stateName}`, 'mirror');
  }
  if (ended || task.progress.doneSeen !== true) return null;
  task.progress.doneSeen = false;
  notify(draft, { event: 'done_reopened' });
  return commit(draft, 'world.done-reopened', 'the work item was reopened after the task was done', 'mirror');
}
