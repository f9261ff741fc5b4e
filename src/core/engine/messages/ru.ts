import type { NoticeEvent } from '../../model/index.ts';
import { assertNever } from '../../model/index.ts';
import {
  dollars,
  excerpt,
  listed,
  reasonLength,
  reportLength,
  roundMinutes,
  text,
  type Catalogue,
  type MessageText,
  type Names,
} from './catalogue.ts';

const defects: Record<string, string> = {
  title_short: 'В названии должно быть не меньше 5 символов.',
  title_long: 'В названии должно быть не больше 80 символов.',
  description_short: 'В описании должно быть не меньше 20 символов текста.',
};

function message(body: NoticeEvent, names: Names): MessageText {
  switch (body.event) {
    case 'intake_accepted':
      return text('🔍', `Принято. ${capitalised(names.role(body.role))} начал работу.`, [
        body.usualMinutes === null ? '' : `Обычно это занимает около ${roundMinutes(body.usualMinutes)} мин.`,
      ]);
    case 'intake_refused':
      return text('⚠️', 'Работа не начата: задачу нужно дополнить.', [
        ...body.defects.map((d) => defects[d] ?? d),
        'Исправьте задачу — она будет проверена снова сама.',
      ]);
    case 'not_entered':
      return text('⚠️', `Задача ${body.number} не может быть принята.`, [
        excerpt(body.text, reasonLength),
        'Она будет проверена снова автоматически.',
      ]);
    case 'stage_changed':
      return text('🔄', `${names.stage(body.from)} → ${names.stage(body.to)}`, [
        body.by === null ? '' : `Кто: ${body.by}.`,
      ]);
    case 'agent_started':
      return text(
        '🚀',
        `Начал работу: ${names.role(body.role)} (попытка ${body.attempt}).`,
        [],
        excerpt(body.why, reasonLength),
      );
    case 'agent_finished':
      return text('✅', `Закончил работу: ${names.role(body.role)}.`, [
        `${roundMinutes(body.minutes)} мин${body.costMicros === null ? '' : `, ${dollars(body.costMicros)}`}`,
      ]);
    case 'approval_wanted':
      return text('📋', 'Прочитайте анализ и примите решение.', [
        body.artifacts.join(', '),
        'Ответьте комментарием, который начинается с :approved: — или с :rejected: и причины.',
        approvers(body.who),
      ]);
    case 'approval_too_old':
      return text('⚠️', 'Это согласование не засчитано.', [
        `${body.by}: согласовано до готовности документов или для старой версии. Прочитайте последний запрос и согласуйте снова.`,
      ]);
    case 'may_not_approve':
      return text('⚠️', 'Этот комментарий ничего не решает.', [
        `${body.by}: нет права согласовывать, или комментарий изменил тот, у кого такого права нет.`,
        approvers(body.who),
      ]);
    case 'marker_unclear':
      return text('❓', `Не понято: ${excerpt(body.said, reasonLength)}`, [
        'Это прочитано как обычный комментарий. Чтобы решить, начните строку с :approved: — или с :rejected: и причины.',
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
        `Снова работает ${names.role(body.role)}: ${names.bounce(body.cause)} (${body.n} из ${body.of}).`,
        [],
        excerpt(body.text, reportLength),
      );
    case 'hold':
      return text(
        '⚠️',
        `${names.hold(body.cause)}.`,
        [
          excerpt(body.text, reasonLength),
          `Что нужно: ${names.clearedBy(body.cause) ?? body.clearedBy}.`,
          body.command === null ? '' : `Затем: ${body.command}`,
        ],
        excerpt(body.detail, reportLength),
      );
    case 'run_failed':
      return text(
        body.kind === 'timeout' ? '⏰' : '❌',
        `${names.role(body.role)}: ${body.kind === 'timeout' ? 'время вышло' : 'сбой'}.`,
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
    case 'done_reopened':
      return text('⚠️', 'Эта задача завершена.', [
        'Её открыли снова после слияния кода: работа не начинается заново. Создайте новую задачу для того, что осталось.',
      ]);
    case 'cancelled':
      return text('⏹', `Отменено${body.by === null ? '' : `: ${body.by}`}. Ветка и рабочая папка сохранены.`);
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
    case 'trouble_over':
      return text('🟢', 'orch снова работает.', [excerpt(body.text, reasonLength)]);
    default:
      return assertNever(body);
  }
}

function approvers(who: string[] | undefined): string {
  if (who === undefined) return '';
  return who.length === 0
    ? 'Согласовать некому: укажите людей в approvers проекта.'
    : `Кто может согласовать: ${listed(who, (left) => `и ещё ${left}`)}.`;
}

function capitalised(word: string): string {
  return word.charAt(0).toUpperCase() + word.slice(1);
}

export const russian: Catalogue = {
  language: 'ru',
  links: { item: 'Задача', branch: 'Ветка', folder: 'Документы', artifact: 'Документ', pr: 'Запрос на слияние' },
  round: (n) => `(раунд ${n})`,
  message,
  answers: {
    head: (commit) => `Ответы агента, который писал код (${commit}).`,
    silent: 'Агент работал над этим и ничего об этом не говорит.',
  },
};
