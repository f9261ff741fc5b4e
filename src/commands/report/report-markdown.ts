import { duration, rfc3339 } from '../../ui/format.ts';
import type { Block, Cell, Stretch } from './report-blocks.ts';

/**
 * Makes text from outside harmless in Markdown: no mark-up, link, table cell or HTML begins in it, and it stays on one
 * line. Everything that CommonMark lets a backslash escape is escaped where it could mean something.
 */
function escapeMarkdown(text: string): string {
  return text
    .replace(/\s+/g, ' ')
    .trim()
    .replace(/[\\`*_[\]<>|#~!&$@]/g, '\\$&')
    .replace(/^[-+=]/, '\\$&')
    .replace(/^(\d+)([.)])/, '$1\\$2')
    .replace(/(https?|ftp):\/\//gi, '$1:\\/\\/');
}

/** Addresses come from the configuration; what could end the link early is encoded all the same. */
function address(href: string): string {
  return href.replace(/[\s<>()\\|]/g, (c) => encodeURIComponent(c).replace('(', '%28').replace(')', '%29'));
}

function inline({ text, href }: Cell): string {
  const shown = escapeMarkdown(text);
  return href === undefined ? shown : `[${shown}](${address(href)})`;
}

function table(titles: string[], rows: Cell[][]): string {
  const line = (cells: string[]): string => `| ${cells.join(' | ')} |`;
  return [line(titles), line(titles.map(() => '---')), ...rows.map((row) => line(row.map(inline)))].join('\n');
}

function timelineTable(rows: Stretch[]): string {
  const moment = (at: number): string => rfc3339(at).slice(0, 19).replace('T', ' ');
  return table(
    ['Began (UTC)', 'Took', 'What', 'Note'],
    rows.map(({ label, from, to, tone, note }) => [
      { text: moment(from) },
      { text: duration(to - from) },
      { text: tone === 'stage' ? `Stage ${label}` : label },
      { text: note },
    ]),
  );
}

function block(of: Block): string {
  switch (of.kind) {
    case 'heading':
      return `${'#'.repeat(of.level)} ${escapeMarkdown(of.text)}`;
    case 'paragraph':
      return of.cells.map(inline).join(' ');
    case 'facts':
      return of.rows.map(({ name, value }) => `- ${name}: ${inline(value)}`).join('\n');
    case 'table':
      return table(of.titles, of.rows);
    case 'timeline':
      return of.rows.length === 0 ? 'Nothing yet.' : timelineTable(of.rows);
  }
}

/** The report as Markdown. */
export function markdownReport(blocks: Block[]): string {
  return `${blocks.map(block).join('\n\n')}\n`;
}
