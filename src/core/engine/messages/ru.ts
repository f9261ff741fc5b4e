import type { NoticeEvent } from '../../model/index.ts';
import { assertNever } from '../../model/index.ts';
import {
  dollars,
  excerpt,
  reasonLength,
  reportLength,
  roundMinutes,
  text,
  type Catalogue,
  type MessageText,
} from './catalogue.ts';

const stages: Catalogue['stages'] = {
  created: 'создана',
  analysis: 'анализ',
  architecture: 'архитектура',
  development: 'разработка',
  review: 'ревью',
  testing: 'тестирование',
  deploy: 'развёртывание',
  done: 'готово',
  cancelled: 'отменена',
};

const roles: Catalogue['roles'] = {
  analyst: 'аналитик',
  architect: 'архитектор',
  developer: 'разработчик',
  reviewer: 'ревьюер',
  tester: 'тестировщик',
  deployer: 'деплоер',
};

const holds: Catalogue['holds'] = {
  approval: 'Ждёт согласования',
  answers: 'Ждёт ответов',
  ci: 'Ждёт CI',
  ci_silent: 'CI ничего не сообщил',
  pr_review: 'Ждёт ревью запроса на слияние',
  cannot_see: 'Сервер не отвечает',
  outside: 'Выполняется',
  intake_refused: 'Задача недостаточно описана',
  existing_artifacts: 'Документы с этим номером уже есть',
  existing_branch: 'Ветка уже существует',
  nothing_produced: 'Агент не оставил того, что проверяется',
  question_rounds: 'Слишком много раундов вопросов',
  rejections: 'Слишком много отказов',
  conflict_rounds: 'Противоречие со спецификацией осталось',
  developer_budget: 'Все перезапуски разработчика израсходованы',
  no_new_code: 'Нет нового кода',
  ci_stuck: 'CI не завершается',
  no_verdict: 'Нет читаемого вердикта',
  no_report: 'Нет читаемого отчёта о тестах',
  gate_failed: 'Проверка не пройдена',
  base_conflict: 'Ветка конфликтует с базовой',
  deploy_failed: 'Развёртывание не удалось',
  no_deploy_result: 'Деплоер не оставил результата',
  merge_refused: 'Слияние отклонено',
  check_failed: 'Локальные тесты не удалось запустить',
  attempts_used: 'Запуск не удался, попытки израсходованы',
  run_cap: 'Достигнут предел числа запусков',
  cost_cap: 'Достигнут предел стоимости',
  pr_closed: 'Запрос на слияние закрыт',
  branch_deleted: 'Ветка удалена',
  force_pushed: 'История ветки переписана',
  closed_by_hand: 'Задача закрыта вручную',
  effect_refused: 'Сервер отклонил действие',
  unpushed: 'Работа не отправлена на сервер',
  agent_alive: 'Процессы прошлого запуска ещё живы',
};

const clearedBy: Partial<Record<keyof Catalogue['holds'], string>> = {
  ci_silent: 'статус коммита от CI',
  pr_review: 'одобряющее ревью запроса на слияние',
  merge_refused: 'выполнение правила, которое назвал сервер',
  existing_branch: 'удаление или переименование ветки',
  existing_artifacts: 'удаление папки из базовой ветки',
  ci_stuck: 'результат CI',
};

const defects: Record<string, string> = {
  title_short: 'В названии должно быть не меньше 5 символов.',
  title_long: 'В названии должно быть не больше 80 символов.',
  description_short: 'В описании должно быть не меньше 20 символов текста.',
};

const bounces: Record<string, string> = {
  answers: 'на вопросы ответили',
  rejected: 'отклонено',
  conflict: 'противоречие со спецификацией',
  red_ci: 'проверки красные',
  changes_requested: 'запрошены изменения',
  tests_failed: 'тесты не прошли',
  base_conflict: 'конфликт с базовой веткой',
  code_changed: 'код изменился после одобрения',
};

function message(body: NoticeEvent): MessageText {
  switch (body.event) {
    case 'intake_accepted':
      return text('🔍', 'Принято. Аналитик начал работу.', [
        body.usualMinutes === null ? '' : `Обычно это занимает около ${roundMinutes(body.usualMinutes)} мин.`,
      ]);
    case 'intake_refused':
      return text('⚠️', 'Работа не начата: задачу нужно дополнить.', [
        ...body.defects.map((d) => defects[d] ?? d),
        'Исправьте задачу — она будет проверена снова сама.',
      ]);
    case 'stage_changed':
      return text('🔄', `${stages[body.from]} → ${stages[body.to]}`, [body.by === null ? '' : `Кто: ${body.by}.`]);
    case 'agent_started':
      return text(
        '🚀',
        `Начал работу: ${roles[body.role]} (попытка ${body.attempt}).`,
        [],
        excerpt(body.why, reasonLength),
      );
    case 'agent_finished':
      return text('✅', `Закончил работу: ${roles[body.role]}.`, [
        `${roundMinutes(body.minutes)} мин${body.costMicros === null ? '' : `, ${dollars(body.costMicros)}`}`,
      ]);
    case 'approval_wanted':
      return text('📋', 'Прочитайте анализ и примите решение.', [
        body.artifacts.join(', '),
        'Ответьте комментарием, который начинается с :approved: — или с :rejected: и причины.',
      ]);
    case 'approval_too_old':
      return text('⚠️', 'Это согласование не засчитано.', [
        `${body.by}: согласовано до готовности документов или для старой версии. Прочитайте последний запрос и согласуйте снова.`,
      ]);
    case 'not_waiting_for_approval':
      return text('📋', 'Сейчас согласование не требуется.', [`Чего ждёт задача: ${body.waitsFor}.`]);
    case 'questions':
      return text(
        '❓',
        `Вопросы аналитика (раунд ${body.round} из ${body.of}).`,
        ['Ответьте комментарием — аналитик продолжит с ним.'],
        excerpt(body.text, 4000),
      );
    case 'bounce':
      return text(
        '🔁',
        `Снова работает ${roles[body.role]}: ${bounces[body.cause] ?? body.cause} (${body.n} из ${body.of}).`,
        [],
        excerpt(body.text, reportLength),
      );
    case 'hold':
      return text(
        '⚠️',
        `${holds[body.cause]}.`,
        [
          excerpt(body.text, reasonLength),
          `Что нужно: ${clearedBy[body.cause] ?? body.clearedBy}.`,
          body.command === null ? '' : `Затем: ${body.command}`,
        ],
        excerpt(body.detail, reportLength),
      );
    case 'gate_failed':
      return text('⚠️', `Проверка ${body.gate} не пройдена.`, [excerpt(body.reason, reasonLength)]);
    case 'run_failed':
      return text(
        body.kind === 'timeout' ? '⏰' : '❌',
        `${roles[body.role]}: ${body.kind === 'timeout' ? 'время вышло' : 'сбой'}.`,
        [excerpt(body.detail, reasonLength), `Журнал: orch logs ${body.runId}`],
      );
    case 'deploy_failed':
      return text(
        '🚨',
        'Развёртывание не удалось.',
        [
          body.rolledBack === true
            ? 'Выполнен откат.'
            : body.rolledBack === false
              ? 'Отката НЕ было.'
              : 'Был ли откат, неизвестно.',
        ],
        excerpt(body.reason, reasonLength),
      );
    case 'merged':
      return text('🎉', `Запрос на слияние №${body.number} влит${body.by === 'person' ? ' человеком' : ''}.`);
    case 'done':
      return text('🎉', 'Готово.');
    case 'cancelled':
      return text('⏹', `Отменено${body.by === 'plane' ? '' : `: ${body.by}`}. Ветка и рабочая папка сохранены.`);
    case 'answered':
      return text('📋', body.text);
    case 'agents_paused':
      return text('🔴', 'Агенты не запускаются.', [
        excerpt(body.reason, reasonLength),
        body.until === null
          ? 'Пока агент снова не войдёт в учётную запись.'
          : `До ${new Date(body.until).toISOString()}.`,
      ]);
    case 'agents_resumed':
      return text('🟢', 'Агенты снова запускаются.');
    case 'recovered':
      return text(
        '🟢',
        'Восстановление что-то исправило.',
        body.lines.map((line) => excerpt(line, reasonLength)),
      );
    case 'trouble':
      return text('🔴', 'У orch неполадки.', [excerpt(body.text, reasonLength)]);
    default:
      return assertNever(body);
  }
}

export const russian: Catalogue = {
  stages,
  roles,
  holds,
  links: { item: 'Задача', branch: 'Ветка', folder: 'Документы', artifact: 'Документ', pr: 'Запрос на слияние' },
  message,
};
