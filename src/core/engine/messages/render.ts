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
  return catalogue.message(notice.body, namesIn(catalogue.language, notice.labels));
}

/** HTML of a Plane comment. The item itself needs no link there. */
export function planeHtml(notice: Notice, catalogue: Catalogue): string {
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

/** Telegram allows a handful of tags and 4096 characters after parsing; the quote is what gives way. */
const telegramQuote = 1500;

/** HTML of a Telegram message. */
export function telegramHtml(notice: Notice, catalogue: Catalogue): string {
  const { marker, head, lines, quote } = messageOf(notice, catalogue);
  const subject =
    notice.taskId === null ? '' : `<b>${escapeHtml(notice.taskId)}</b> ${escapeHtml(excerpt(notice.title, 100))}\n`;
  const body = [`${marker} ${escapeHtml(head)}`, ...lines.map(escapeHtml)];
  if (quote !== null) body.push(`<i>${escapeHtml(excerpt(quote, telegramQuote))}</i>`);
  const links = anchors(notice.links, catalogue);
  return `${subject}${body.join('\n')}${links === '' ? '' : `\n${links}`}`;
}
