import type { Evidence, ItemMirror, Verdict } from '../../model/index.ts';
import { documentFolder } from '../artifacts.ts';
import { branchName, titleOf } from '../intake.ts';
import type { Draft } from '../draft.ts';
import { effect, forgeLane, notify } from '../draft.ts';
import { htmlText } from '../markers.ts';
import { holds, holdTask, isHeldFor, otherDatabaseText } from '../rules/holds.ts';
import { cannotSee, commit, hold, rest, type Step } from '../step.ts';
import { blocking, waiting } from './stage.ts';

const intakeRefused = waiting(
  'intake_refused',
  'author',
  'blocked',
  { en: 'an edit of the work item that corrects what is listed' },
  { en: 'The work item is not good enough to start', ru: 'Задача недостаточно описана' },
);
const artifactsExist = blocking(
  'existing_artifacts',
  'operator',
  'rejudge',
  { en: 'removing the folder from the base branch', ru: 'удаление папки из базовой ветки' },
  { en: 'Documents of this id exist already', ru: 'Документы с этим номером уже есть' },
);

/** Where a task begins: no agent works here, the gate is the intake check. */
export const created = {
  name: 'created',
  words: { en: 'created', ru: 'создана' },
  gate: 'intake (QG-0)',
  edges: [{ to: 'analysis', name: 'intake passed, branch made' }],
  holds: [intakeRefused, artifactsExist],
} as const;

/** Bounds of QG-0 in characters (spec 3.1), the ones of the system that orch replaced. */
const minTitle = 5;
const maxTitle = 80;
const minDescription = 20;

export type IntakeDefect = 'title_short' | 'title_long' | 'description_short';

/** QG-0: is the item good enough to start work on; names everything that is missing at once. */
export function judgeIntake(item: ItemMirror): Verdict & { defects: IntakeDefect[] } {
  const title = [...item.name.trim()].length;
  const description = [...htmlText(item.descriptionHtml)].length;
  const defects: IntakeDefect[] = [];
  if (title < minTitle) defects.push('title_short');
  if (title > maxTitle) defects.push('title_long');
  if (description < minDescription) defects.push('description_short');
  const subject = { item: item.itemId };
  if (defects.length === 0) return { status: 'pass', reason: 'title and description are sufficient', subject, defects };
  return { status: 'fail', reason: defects.join(', '), subject, defects };
}

/** QG-0, then the branch with its first commit; the first agent's job exists only once the branch does (spec 4.1). */
export function decideCreated(draft: Draft, evidence: Evidence): Step {
  const { task } = draft;
  const item = draft.from.item;
  if (item === null) return rest(null);
  if (task.progress.branchEffect !== null)
    return hold(draft, holds.delivering, 'created.branch', 'the branch is being made');
  const verdict = judgeIntake(item);
  if (verdict.status === 'fail') return refuse(draft, item, verdict.defects);
  // The branch is named after the title that is accepted, not after the one that was refused.
  const branch = branchName(task.id, item.name);
  if (isHeldFor(draft, intakeRefused) && branch !== task.branch) {
    task.branch = branch;
    task.hold = null;
    return commit(draft, 'created.corrected', `the work item was corrected; its branch will be ${branch}`, 'mirror');
  }
  const seen = evidence.intake;
  if (seen === undefined || !seen.seen) return cannotSee(draft, seen?.reason ?? 'the repository cannot be read');
  const folder = documentFolder(task.id);
  if (seen.value.folderOnBase) {
    return hold(
      draft,
      artifactsExist,
      'created.existing',
      `${folder} already exists on ${task.baseBranch}: its files must not pass this task's gates`,
    );
  }
  if (seen.value.branchOwner === 'other') {
    return hold(
      draft,
      holds.branchExists,
      'created.branch-taken',
      `branch ${task.branch} exists and was not begun for this work item`,
    );
  }
  const { branchOwner: owner } = seen.value;
  if (typeof owner === 'object' && task.progress.acceptedDatabase !== owner.database)
    return hold(draft, holds.otherDatabase, 'created.other-database', otherDatabaseText(owner.database), {
      detail: { database: owner.database },
    });
  return startBranch(draft, item);
}

function refuse(draft: Draft, item: ItemMirror, defects: IntakeDefect[]): Step {
  const { progress } = draft.task;
  const text = defects.join(', ');
  if (!holdTask(draft, intakeRefused, `the work item is not good enough to start: ${text}`, { defects }))
    return rest(null);
  // Reported once: a card that is moved although nothing was corrected is refused again in silence (spec 3.3).
  if (progress.reportedDefects.join() !== defects.join()) notify(draft, { event: 'intake_refused', defects });
  progress.reportedDefects = defects;
  return commit(draft, 'created.refused', `intake refused: ${text}`, 'mirror', { item: item.itemId });
}

function startBranch(draft: Draft, item: ItemMirror): Step {
  const { task } = draft;
  task.title = titleOf(item.name);
  task.hold = null;
  task.progress.branchEffect = effect(
    draft,
    'start_branch',
    forgeLane(task),
    {
      kind: 'git.start_branch',
      repo: task.repo,
      branch: task.branch,
      baseBranch: task.baseBranch,
      taskId: task.id,
      itemId: task.itemId,
      projectId: task.projectId,
      folder: documentFolder(task.id),
    },
    true,
  );
  holdTask(draft, holds.delivering, 'the branch is being made');
  return commit(draft, 'created.accepted', 'the work item is good enough; its branch is made', 'mirror', {
    item: item.itemId,
  });
}
