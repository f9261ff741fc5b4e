import type { Language, Notice, NoticeLinks } from '../../model/index.ts';
import { excerpt, namesIn, type Catalogue, type MessageText } from './catalogue.ts';
import { english } from './en.ts';
import { russian } from './ru.ts';

export function catalogueOf(language: Language): Catalogue {
  return language === 'ru' ? russian : english;
}

/** Escapes text for HTML, attributes included; everything that is put into a comment passes here (spec 4.3). */
export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);
}

function anchors(links: NoticeLinks, catalogue: Catalogue): string {
  return (Object.entries(links) as [keyof NoticeLinks, string][])
    .map(([name, url]) => `<a href="${escapeHtml(url)}">${escapeHtml(catalogue.links[name])}</a>`)
    .join(' · ');
}

function messageOf(notice: Notice, catalogue: Catalogue): MessageText {
  const message = catalogue.message(notice.body, namesIn(catalogue.language, notice.labels));
  return notice.round === undefined
    ? message
    : { ...message, head: `${message.head} ${catalogue.round(notice.round)}` };
}

/** HTML of a comment in a work item. The item itself needs no link there. */
export function commentHtml(notice: Notice, catalogue: Catalogue): string {
  const { marker, head, lines, quote } = messageOf(notice, catalogue);
  const { item: _item, ...links } = notice.links;
  const parts = [
    `<p>${marker} <strong>${escapeHtml(head)}</strong></p>`,
    ...lines.map((line) => `<p>${escapeHtml(line)}</p>`),
  ];
  if (quote !== null)
    parts.push(
      `<blockquote>${quote
        .split('\n')
        .map((line) => `<p>${escapeHtml(line)}</p>`)
        .join('')}</blockquote>`,
    );
  if (Object.keys(links).length > 0) parts.push(`<p>${anchors(links, catalogue)}</p>`);
  return parts.join('');
}

/** Characters: a chat takes messages of a few thousand; the quote is what gives way. */
const maxChatQuote = 1500;

/** HTML of a chat message, with the few tags that every chat knows: `b`, `i`, `a`; lines are separated by line breaks. */
export function chatHtml(notice: Notice, catalogue: Catalogue): string {
  const { marker, head, lines, quote } = messageOf(notice, catalogue);
  const subject =
    notice.taskId === null ? '' : `<b>${escapeHtml(notice.taskId)}</b> ${escapeHtml(excerpt(notice.title, 100))}\n`;
  const body = [`${marker} ${escapeHtml(head)}`, ...lines.map(escapeHtml)];
  if (quote !== null) body.push(`<i>${escapeHtml(excerpt(quote, maxChatQuote))}</i>`);
  const links = anchors(notice.links, catalogue);
  return `${subject}${body.join('\n')}${links === '' ? '' : `\n${links}`}`;
}
