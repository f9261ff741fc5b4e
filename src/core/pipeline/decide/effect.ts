import type { EffectKind, MessageOf } from '../../model/index.ts';
import type { Draft } from '../draft.ts';
import { mergesHere } from '../draft.ts';
import { holds, holdTask, isHeldFor } from '../rules/holds.ts';
import { advanceTo, noteMerge } from '../rules/moves.ts';
import { stageAfter } from '../rules/order.ts';
import { commit, type Step } from '../step.ts';
import { decideAsked } from './comment.ts';

type Settled = MessageOf<'effect_settled'>;
type Refused<K extends EffectKind> = Extract<Settled, { effect: K; ok: false }>;

/** What came of something that was to be done outside, where the line depends on it. */
export function decideEffect(draft: Draft, settled: Settled): Step {
  const cause = `effect:${settled.key}`;
  if (settled.ok) return delivered(draft, settled, cause);
  if (settled.withdrawn === true) return withdrawn(draft, settled, cause);
  const { error: text } = settled;
  switch (settled.effect) {
    case 'chat.message':
      return commit(draft, 'effect.lost', `a Telegram message was refused: ${text}`, cause);
    case 'git.start_branch':
      draft.task.progress.branchEffect = null;
      holdTask(
        draft,
        settled.result.reason === 'branch_exists' ? holds.branchExists : holds.effectRefused,
        `the branch could not be made: ${text}`,
      );
      break;
    case 'forge.open_pull':
      draft.task.progress.pullEffect = null;
      holdTask(draft, holds.effectRefused, `the pull request could not be opened: ${text}`);
      break;
    case 'forge.post_review':
      // It tells people what the document says anyway. Where the merge needs it, the request for the merge sees to it.
      return commit(draft, 'effect.lost', `the verdict could not be posted as a review: ${text}`, cause);
    case 'forge.answer_threads':
      return commit(draft, 'effect.lost', `the answers could not be posted on the pull request: ${text}`, cause);
    case 'forge.merge_pull':
      return notMerged(draft, settled, cause);
    default:
      holdTask(draft, holds.effectRefused, `${settled.effect} was refused: ${text}`, { effect: settled.key });
  }
  return commit(draft, 'effect.refused', `${settled.effect} was refused: ${text}`, cause);
}

function delivered(draft: Draft, settled: Extract<Settled, { ok: true }>, cause: string): Step {
  const { task, visit } = draft;
  switch (settled.effect) {
    case 'git.start_branch': {
      if (task.stage !== 'created') break;
      const { sha, codeTree } = settled.result;
      const baseline = { sha, artifacts: {}, codeTree };
      advanceTo(draft, stageAfter('created', task.pipelineStages), baseline, 'The work item was accepted.', null);
      return commit(draft, 'created.branch-made', `the branch exists at ${sha}`, cause, { sha });
    }
    case 'forge.open_pull': {
      const { number } = settled.result;
      task.prNumber = number;
      // Of the round before, after a failed deployment: this one is not merged yet.
      task.mergedSha = null;
      task.progress.pullEffect = null;
      if (isHeldFor(draft, holds.delivering)) task.hold = null;
      return commit(draft, `${task.stage}.pr-open`, `pull request #${number} is open`, cause, { pr: String(number) });
    }
    case 'forge.merge_pull': {
      if (visit === null || visit.merge === null || visit.merge.merged || !mergesHere(draft)) break;
      const { mergedSha } = settled.result;
      noteMerge(draft, visit, task.prNumber ?? 0, mergedSha, 'orch');
      return commit(draft, 'deploy.merged', `pull request #${task.prNumber ?? 0} was merged`, cause, {
        merged: mergedSha ?? '',
      });
    }
    case 'tracker.comment': {
      if (visit?.approval?.key !== settled.key) break;
      return decideAsked(draft, visit, visit.approval, settled.result.at ?? draft.now, cause);
    }
    default:
  }
  return commit(draft, 'effect.delivered', `${settled.effect} was delivered`, cause);
}

/** It was not sent, because somebody said no first. The task waits for it no longer: it is asked for again when it is wanted again. */
function withdrawn(draft: Draft, settled: Extract<Settled, { ok: false }>, cause: string): Step {
  const { task, visit } = draft;
  const { progress } = task;
  switch (settled.effect) {
    case 'git.start_branch':
      if (progress.branchEffect === settled.key) progress.branchEffect = null;
      break;
    case 'forge.open_pull':
      if (progress.pullEffect === settled.key) progress.pullEffect = null;
      break;
    case 'forge.merge_pull':
      if (visit?.merge?.merged === false) visit.merge = null;
      break;
    case 'forge.post_review':
      progress.postedVerdict = null;
      break;
    default:
  }
  if (isHeldFor(draft, holds.delivering)) task.hold = null;
  return commit(draft, 'effect.withdrawn', `${settled.effect} was not sent: ${settled.error}`, cause);
}

/** Not merged: the head moved (then it is judged again), or the server refuses what it was shown. */
function notMerged(draft: Draft, settled: Refused<'forge.merge_pull'>, cause: string): Step {
  const { visit, task } = draft;
  const { error: text } = settled;
  if (visit === null || !mergesHere(draft) || visit.merge?.merged === true)
    return commit(draft, 'effect.late', text, cause);
  const { reason } = settled.result;
  const again = reason === 'moved' || reason === 'conflict';
  if (!again) visit.mergeRefused = { said: text, picture: visit.merge?.picture ?? '' };
  visit.merge = null;
  task.hold = null;
  if (again) return commit(draft, 'deploy.merge-again', `not merged: ${text}; the head is judged again`, cause);
  return commit(draft, 'deploy.merge-refused', `the server refuses the merge: ${text}`, cause);
}
