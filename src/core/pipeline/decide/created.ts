import type { Evidence } from '../../model/index.ts';
import { documentFolder } from '../artifacts.ts';
import { branchName, titleOf } from '../intake.ts';
import type { Draft } from '../draft.ts';
import { effect, giteaLane, tell } from '../draft.ts';
import { intakeDefects } from '../gates/intake.ts';
import { cannotSee, commit, hold, rest, type Ruling } from '../ruling.ts';
import { holdTask } from '../holds.ts';

/** QG-0, then the branch with its first commit; the analyst's job exists only once the branch does (spec 4.1). */
export function decideCreated(draft: Draft, evidence: Evidence): Ruling {
  const { task } = draft;
  const item = draft.from.item;
  if (item === null) return rest(null);
  if (task.handled['start_branch'] !== undefined)
    return hold(draft, 'outside', 'created.branch', 'the branch is being made');
  const defects = intakeDefects(item);
  if (defects.length > 0) {
    if (
      !holdTask(draft, 'intake_refused', `the work item is not good enough to start: ${defects.join(', ')}`, {
        defects: defects.join(','),
      })
    )
      return rest(null);
    // Told once: a card that is moved although nothing was mended is refused again in silence (spec 3.3).
    if (task.handled['intake_told'] !== defects.join(',')) tell(draft, { event: 'intake_refused', defects });
    task.handled['intake_told'] = defects.join(',');
    return commit(draft, 'created.refused', `intake refused: ${defects.join(', ')}`, 'mirror', { item: item.itemId });
  }
  // The branch is named after the title that is accepted, not after the one that was refused.
  const branch = branchName(task.id, item.name);
  if (task.hold?.cause === 'intake_refused' && branch !== task.branch) {
    task.branch = branch;
    task.hold = null;
    return commit(draft, 'created.mended', `the work item was mended; its branch will be ${branch}`, 'mirror');
  }
  const seen = evidence.intake;
  if (seen === undefined || !seen.seen) return cannotSee(draft, seen?.reason ?? 'the repository cannot be read');
  const folder = documentFolder(task.id);
  if (seen.value.folderOnBase) {
    return hold(
      draft,
      'existing_artifacts',
      'created.existing',
      `${folder} already exists on ${task.baseBranch}: its files must not pass this task's gates`,
    );
  }
  if (seen.value.branchOwner === 'other') {
    return hold(
      draft,
      'existing_branch',
      'created.branch-taken',
      `branch ${task.branch} exists and was not begun for this work item`,
    );
  }
  task.title = titleOf(item.name);
  task.hold = null;
  task.handled['start_branch'] = effect(
    draft,
    'start_branch',
    giteaLane(task),
    {
      kind: 'git.start_branch',
      repo: task.repo,
      branch: task.branch,
      baseBranch: task.baseBranch,
      taskId: task.id,
      itemId: task.itemId,
      projectId: task.projectId,
      folder,
    },
    true,
  );
  holdTask(draft, 'outside', 'the branch is being made');
  return commit(draft, 'created.accepted', 'the work item is good enough; its branch is made', 'mirror', {
    item: item.itemId,
  });
}
