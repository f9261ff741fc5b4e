import type { CommitSha, Visit } from '../../model/index.ts';
import type { Draft } from '../draft.ts';
import { stopJob, tell } from '../draft.ts';
import { complete, noteMerge } from '../moves.ts';
import { commit, type Ruling } from '../ruling.ts';

/** Facts of the outside that come before everything else: merged, gone, cancelled, closed by hand (spec 3.3). */
export function decideWorld(draft: Draft): Ruling | null {
  return merged(draft) ?? gone(draft);
}

/** Merged by a person: done in any stage; in deploy it counts as the merge. */
function merged(draft: Draft): Ruling | null {
  const { task, visit } = draft;
  const pr = draft.from.pr;
  if (pr === null || !pr.merged || pr.number !== task.prNumber) return null;
  if (task.stage === 'done' || task.stage === 'cancelled' || task.stage === 'created') return null;
  if (task.stage === 'deploy' && visit !== null) return mergedInDeploy(draft, visit, pr.number, pr.mergedSha);
  stopJob(draft);
  task.mergedSha = pr.mergedSha;
  tell(draft, { event: 'merged', number: pr.number, by: 'person' });
  complete(draft);
  return commit(draft, 'world.merged', `pull request #${pr.number} was merged by a person`, 'mirror', {
    pr: String(pr.number),
    merged: pr.mergedSha ?? '',
  });
}

/** In deploy it counts as the merge, whoever made it: our own, seen by a poll before its delivery was settled, too. */
function mergedInDeploy(draft: Draft, visit: Visit, number: number, sha: CommitSha | null): Ruling | null {
  if (visit.merge?.merged === true) return null;
  noteMerge(draft, visit, number, sha, visit.merge === null ? 'person' : 'orch');
  return commit(draft, 'deploy.merged', `pull request #${number} is merged`, 'mirror', {
    pr: String(number),
    merged: sha ?? '',
  });
}

/** Cancelled, archived or deleted: jobs are cancelled, the agent is stopped, branch and workspace stay. */
function gone(draft: Draft): Ruling | null {
  const { task } = draft;
  const item = draft.from.item;
  if (item === null || task.stage === 'done' || task.stage === 'cancelled') return null;
  if (item.present && item.stateGroup !== 'cancelled') return null;
  stopJob(draft);
  const why = item.present ? 'the work item was cancelled' : 'the work item is gone (deleted, archived or moved)';
  task.handled['cancelled_in'] = task.stage;
  task.stage = 'cancelled';
  task.stageSince = draft.now;
  task.hold = null;
  if (item.present) tell(draft, { event: 'cancelled', by: 'plane' });
  task.phase = 'cancelled';
  return commit(draft, 'world.cancelled', why, 'mirror', { item: item.itemId });
}
