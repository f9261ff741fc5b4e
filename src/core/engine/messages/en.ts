import type { NoticeEvent } from '../../model/index.ts';
import { assertNever, counted } from '../../model/index.ts';
import {
  dollars,
  excerpt,
  listed,
  reasonLength,
  reportLength,
  roundMinutes,
  saysNothingNew,
  text,
  type Catalogue,
  type MessageText,
  type Names,
} from './catalogue.ts';

const defects: Record<string, string> = {
  title_short: 'The title needs at least 5 characters.',
  title_long: 'The title may have at most 80 characters.',
  description_short: 'The description needs at least 20 characters of text.',
};

function message(body: NoticeEvent, names: Names): MessageText {
  switch (body.event) {
    case 'intake_accepted':
      return text('🔍', `Accepted. The ${names.role(body.role)} has started.`, [
        body.usualMinutes === null
          ? ''
          : `This usually takes about ${counted(roundMinutes(body.usualMinutes), 'minute')}.`,
      ]);
    case 'intake_refused':
      return text('⚠️', 'Not started: the work item needs more.', [
        ...body.defects.map((d) => defects[d] ?? d),
        'Edit the item; it is looked at again by itself.',
      ]);
    case 'not_entered':
      return text('⚠️', `Work item ${body.number} cannot enter.`, [
        excerpt(body.text, reasonLength),
        'It is looked at again by itself.',
      ]);
    case 'stage_changed':
      return text('🔄', `${names.stage(body.from)} → ${names.stage(body.to)}`, [
        body.by === null ? '' : `By ${body.by}.`,
      ]);
    case 'agent_started':
      return text(
        '🚀',
        `The ${names.role(body.role)} has started (attempt ${body.attempt}).`,
        [],
        excerpt(body.why, reasonLength),
      );
    case 'agent_finished':
      return text('✅', `The ${names.role(body.role)} has finished.`, [
        `${roundMinutes(body.minutes)} min${body.costMicros === null ? '' : `, ${dollars(body.costMicros)}`}`,
      ]);
    case 'approval_wanted':
      return text('📋', 'Please read the analysis and decide.', [
        body.artifacts.join(', '),
        'Answer with a comment that begins with :approved: – or :rejected: and the reason.',
        approvers(body.who),
      ]);
    case 'approval_too_old':
      return text('⚠️', 'This approval does not count.', [
        `${body.by} approved before the documents were ready, or for an older version. Read what was asked about last and approve again.`,
      ]);
    case 'may_not_approve':
      return text('⚠️', 'This comment decides nothing.', [
        `${body.by} may not approve, or somebody who may not has changed the comment.`,
        approvers(body.who),
      ]);
    case 'marker_unclear':
      return text('❓', `Not understood: ${excerpt(body.said, reasonLength)}`, [
        'It was read as an ordinary comment. To decide, begin a line with :approved: – or with :rejected: and the reason.',
      ]);
    case 'not_waiting_for_approval':
      return text('📋', 'Nothing waits for an approval now.', [`The task waits for: ${body.waitsFor}.`]);
    case 'questions':
      return text(
        '❓',
        `The analyst asks (round ${body.round} of ${body.of}).`,
        ['Answer in a comment; the analyst goes on with it.'],
        excerpt(body.text, 4000),
      );
    case 'bounce':
      return text(
        '🔁',
        `The ${names.role(body.role)} runs again: ${names.bounce(body.cause)} (${body.n} of ${body.of}).`,
        [],
        excerpt(body.text, reportLength),
      );
    case 'hold':
      return text(
        '⚠️',
        `${names.hold(body.cause)}.`,
        [
          saysNothingNew(body.text, [names.hold(body.cause), body.clearedBy]) ? '' : excerpt(body.text, reasonLength),
          saysNothingNew(body.clearedBy, [names.hold(body.cause)]) ? '' : `Cleared by: ${body.clearedBy}.`,
          body.command === null ? '' : `Then: ${body.command}`,
        ],
        excerpt(body.detail, reportLength),
      );
    case 'run_failed':
      return text(
        body.kind === 'timeout' ? '⏰' : '❌',
        `The ${names.role(body.role)} ${body.kind === 'timeout' ? 'ran out of time' : 'failed'}.`,
        [excerpt(body.detail, reasonLength), `See: orch logs ${body.runId}`],
      );
    case 'deploy_failed':
      return text(
        '🚨',
        'The deployment failed.',
        [
          body.rolledBack === true
            ? 'It was rolled back.'
            : body.rolledBack === false
              ? 'It was NOT rolled back.'
              : 'Whether it was rolled back is not known.',
        ],
        excerpt(body.reason, reasonLength),
      );
    case 'merged':
      return text('🎉', `Pull request #${body.number} is merged${body.by === 'person' ? ' by a person' : ''}.`);
    case 'done':
      return text('🎉', 'Done.');
    case 'done_reopened':
      return text('⚠️', 'This work item is done.', [
        'It was reopened after its code was merged: nothing starts again. Make a new work item for what is still to be done.',
      ]);
    case 'cancelled':
      return text('⏹', `Cancelled${body.by === null ? '' : ` by ${body.by}`}. Branch and workspace are kept.`);
    case 'agents_paused':
      return text('🔴', 'No agents are started.', [
        excerpt(body.reason, reasonLength),
        body.until === null ? 'Until the agent is logged in again.' : `Until ${new Date(body.until).toISOString()}.`,
      ]);
    case 'agents_resumed':
      return text('🟢', 'Agents are started again.');
    case 'recovered':
      return text(
        '🟢',
        'Recovery did something.',
        body.lines.map((line) => excerpt(line, reasonLength)),
      );
    case 'trouble':
      return text('🔴', 'orch is in trouble.', [excerpt(body.text, reasonLength)]);
    case 'trouble_over':
      return text('🟢', 'orch works again.', [excerpt(body.text, reasonLength)]);
    default:
      return assertNever(body);
  }
}

function approvers(who: string[] | undefined): string {
  if (who === undefined) return '';
  return who.length === 0
    ? 'Nobody may approve: list people under approvers of the project.'
    : `Who may approve: ${listed(who, (left) => `and ${left} more`)}.`;
}

export const english: Catalogue = {
  language: 'en',
  links: { item: 'Work item', branch: 'Branch', folder: 'Documents', artifact: 'Document', pr: 'Pull request' },
  round: (n) => `(round ${n})`,
  message,
  answers: {
    head: (commit) => `Answers of the agent that wrote the code (${commit}).`,
    silent: 'The agent has worked on this and says nothing about it.',
  },
};
