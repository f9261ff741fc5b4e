import type { Hold, HoldDetail } from '../../model/index.ts';
import type { Draft } from '../draft.ts';
import { notify, showPhase } from '../draft.ts';
import type { HoldKind } from '../stages/stage.ts';
import { blocking, waiting } from '../stages/stage.ts';

/** The holds that several stages, or none in particular, can come to. A stage's own stand in its file. */
export const holds = {
  ci: waiting(
    'ci',
    'ci',
    'in_progress',
    { en: 'a final commit status of every context' },
    { en: 'Waiting for CI', ru: 'Ждёт CI' },
  ),
  ciSilent: waiting(
    'ci_silent',
    'ci',
    'in_progress',
    { en: 'a commit status for the head; no CI has reported any', ru: 'статус коммита от CI' },
    { en: 'No CI has reported', ru: 'CI ничего не сообщил' },
    { notifies: true },
  ),
  ciStuck: waiting(
    'ci_stuck',
    'ci',
    'blocked',
    { en: 'CI reporting a result', ru: 'результат CI' },
    { en: 'CI does not finish', ru: 'CI не завершается' },
    { notifies: true },
  ),
  pullReview: waiting(
    'pr_review',
    'approver',
    'in_review',
    { en: 'an approving review of the pull request', ru: 'одобряющее ревью запроса на слияние' },
    { en: 'Waiting for a review of the pull request', ru: 'Ждёт ревью запроса на слияние' },
    { notifies: true },
  ),
  unobservable: waiting(
    'cannot_see',
    'orch',
    'in_progress',
    { en: 'the server answering again' },
    { en: 'A server does not answer', ru: 'Сервер не отвечает' },
  ),
  delivering: waiting(
    'outside',
    'orch',
    'in_progress',
    { en: 'the delivery of what was decided' },
    { en: 'Under way', ru: 'Выполняется' },
  ),
  branchExists: blocking(
    'existing_branch',
    'operator',
    'redeliver',
    { en: 'removing or renaming the branch', ru: 'удаление или переименование ветки' },
    { en: 'The branch exists already', ru: 'Ветка уже существует' },
  ),
  nothingProduced: blocking(
    'nothing_produced',
    'operator',
    'rerun',
    { en: 'another run' },
    { en: 'The agent left nothing that the gate can read', ru: 'Агент не оставил того, что проверяется' },
  ),
  rejections: blocking(
    'rejections',
    'operator',
    'rerun',
    { en: 'another run' },
    { en: 'Rejected too often', ru: 'Слишком много отказов' },
  ),
  // Judged again where it is: the gate that failed then sends the developer what it found, with a new budget.
  developerBudget: blocking(
    'developer_budget',
    'operator',
    'rejudge',
    { en: 'another run; the budget of reruns starts again' },
    { en: 'All reruns of the developer are used', ru: 'Все перезапуски разработчика израсходованы' },
  ),
  gateFailed: blocking(
    'gate_failed',
    'operator',
    'rerun',
    { en: 'another run' },
    { en: 'The gate failed', ru: 'Проверка не пройдена' },
  ),
  baseConflict: blocking(
    'base_conflict',
    'operator',
    'rejudge',
    { en: 'merging the base branch into the branch' },
    { en: 'The branch conflicts with its base', ru: 'Ветка конфликтует с базовой' },
  ),
  checkFailed: blocking(
    'check_failed',
    'operator',
    'rejudge',
    { en: 'running the local tests again' },
    { en: 'The local tests could not be run', ru: 'Локальные тесты не удалось запустить' },
  ),
  mergeRefused: waiting(
    'merge_refused',
    'administrator',
    'blocked',
    { en: 'satisfying the rule that the server names', ru: 'выполнение правила, которое назвал сервер' },
    { en: 'The merge was refused', ru: 'Слияние отклонено' },
    { notifies: true, retried: true },
  ),
  attemptsUsed: blocking(
    'attempts_used',
    'operator',
    'rerun',
    { en: 'another run with fresh attempts' },
    { en: 'The run failed and its attempts are used', ru: 'Запуск не удался, попытки израсходованы' },
  ),
  runCap: blocking(
    'run_cap',
    'operator',
    'rerun',
    { en: 'another run; the run cap starts again' },
    { en: 'The cap on runs is reached', ru: 'Достигнут предел числа запусков' },
  ),
  costCap: blocking(
    'cost_cap',
    'operator',
    'rerun',
    { en: 'another run; the cost cap starts again' },
    { en: 'The cap on cost is reached', ru: 'Достигнут предел стоимости' },
  ),
  pullClosed: blocking(
    'pr_closed',
    'operator',
    'rejudge',
    { en: 'reopening the pull request' },
    { en: 'The pull request was closed', ru: 'Запрос на слияние закрыт' },
  ),
  branchDeleted: blocking(
    'branch_deleted',
    'operator',
    'rejudge',
    { en: 'restoring the branch' },
    { en: 'The branch was deleted', ru: 'Ветка удалена' },
  ),
  repositoryReplaced: blocking(
    'repository_replaced',
    'operator',
    'rejudge',
    {
      en: 'pushing the branch to the repository, or cancelling the task',
      ru: 'отправка ветки в репозиторий или отмена задачи',
    },
    { en: 'The repository is another one', ru: 'Репозиторий теперь другой' },
  ),
  forcePushed: blocking(
    'force_pushed',
    'operator',
    'rejudge',
    { en: 'accepting the branch as it is now' },
    { en: 'The branch was rewritten', ru: 'История ветки переписана' },
  ),
  closedByHand: blocking(
    'closed_by_hand',
    'operator',
    'rejudge',
    { en: 'moving the work item back to a started state' },
    { en: 'The work item was closed by hand', ru: 'Задача закрыта вручную' },
  ),
  itemUnreadable: blocking(
    'item_unreadable',
    'author',
    'rejudge',
    { en: 'making the work item readable: fewer or shorter comments', ru: 'меньше комментариев или более короткие' },
    { en: 'The work item cannot be read', ru: 'Задачу не удаётся прочитать' },
  ),
  otherDatabase: blocking(
    'other_database',
    'operator',
    'rejudge',
    { en: 'stopping one of the two: orch must serve a project from one database only' },
    { en: 'Another orch works on this item', ru: 'Над этой задачей работает другой orch' },
  ),
  effectRefused: blocking(
    'effect_refused',
    'administrator',
    'redeliver',
    { en: 'fixing what the server refused' },
    { en: 'A server refused what was to be done', ru: 'Сервер отклонил действие' },
  ),
  unpushed: blocking(
    'unpushed',
    'operator',
    'rejudge',
    { en: 'pushing or discarding what is in the workspace' },
    { en: 'Work is not on the server', ru: 'Работа не отправлена на сервер' },
  ),
  leftOut: blocking(
    'left_out',
    'operator',
    'rejudge',
    {
      en: 'adding the files by hand, or deciding to go on without them',
      ru: 'добавление файлов вручную или решение продолжать без них',
    },
    { en: 'Files were left out of the commit', ru: 'Файлы не вошли в коммит' },
  ),
  agentAlive: blocking(
    'agent_alive',
    'operator',
    'rerun',
    { en: 'ending the processes of the former run' },
    { en: 'Processes of the former run are still alive', ru: 'Процессы прошлого запуска ещё живы' },
  ),
} as const satisfies Record<string, HoldKind>;

/**
 * Holds the task; the same hold again repeats neither comment nor alert, only its sentence may say something newer.
 * @returns whether it is another hold
 */
export function holdTask(draft: Draft, kind: HoldKind, text: string, detail: HoldDetail = {}): boolean {
  const hold: Hold = {
    cause: kind.cause,
    blocking: kind.blocking,
    owner: kind.owner,
    text,
    clearedBy: kind.clearedBy.en,
    command: kind.blocking || kind.retried === true ? `orch retry ${draft.task.id}` : null,
    lift: kind.lift,
    phase: kind.phase,
    since: draft.now,
    detail,
  };
  if (draft.task.hold !== null && sameHold(draft.task.hold, hold)) {
    draft.task.hold.text = text;
    return false;
  }
  draft.task.hold = hold;
  if (kind.notifies) {
    notify(draft, {
      event: 'hold',
      cause: kind.cause,
      text,
      clearedBy: hold.clearedBy,
      command: hold.command,
      detail: detail.tail ?? '',
    });
  }
  showPhase(draft, kind.phase);
  return true;
}

function sameHold(a: Hold, b: Hold): boolean {
  const keys = new Set([...Object.keys(a.detail), ...Object.keys(b.detail)]) as Set<keyof HoldDetail>;
  return a.cause === b.cause && [...keys].every((key) => sameValue(a.detail[key], b.detail[key]));
}

function sameValue(a: HoldDetail[keyof HoldDetail], b: HoldDetail[keyof HoldDetail]): boolean {
  return Array.isArray(a) && Array.isArray(b) ? a.join('\n') === b.join('\n') : a === b;
}

export function isHeldFor(draft: Draft, kind: HoldKind): boolean {
  return draft.task.hold?.cause === kind.cause;
}

export function otherDatabaseText(database: string): string {
  return `another database of orch (${database}) works on this work item: a forgotten container, or another machine with the same tokens`;
}
