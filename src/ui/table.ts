import { widthOfText } from './width.ts';
import { oneLine, paint, styleOf, textOf, type Piece } from './pieces.ts';
import type { Screen } from './terminal.ts';

export interface Column<T> {
  title: string;
  value: (row: T) => Piece;
  /** What goes first when the terminal is narrow: higher numbers before lower ones; 0 or absent is never dropped. */
  priority?: number;
  align?: 'left' | 'right';
  /** Narrowest useful width when the column is cut; absent: it is never cut. */
  min?: number;
}

interface Cell {
  text: string;
  piece: Piece;
}

const gap = 2;

/** Cuts text to a width in terminal columns, on a whole character, with a mark where it was cut. */
export function truncate(text: string, width: number, ellipsis: string): string {
  if (widthOfText(text) <= width) return text;
  const room = Math.max(0, width - widthOfText(ellipsis));
  let kept = '';
  let used = 0;
  for (const { segment } of new Intl.Segmenter().segment(text)) {
    const w = widthOfText(segment);
    if (used + w > room) break;
    kept += segment;
    used += w;
  }
  return kept + ellipsis;
}

function pad(text: string, width: number, align: 'left' | 'right'): string {
  const space = ' '.repeat(Math.max(0, width - widthOfText(text)));
  return align === 'right' ? space + text : text + space;
}

function total(widths: number[]): number {
  return widths.reduce((sum, w) => sum + w, 0) + gap * Math.max(0, widths.length - 1);
}

/** Which columns are shown, and how wide; null when not even the ones that must stay fit. */
function layout<T>(
  columns: Column<T>[],
  natural: number[],
  width: number,
): { shown: number[]; widths: number[] } | null {
  let shown = columns.map((_, i) => i);
  const least = (i: number): number => {
    const own = natural[i] ?? 0;
    return Math.min(own, columns[i]?.min ?? own);
  };
  while (total(shown.map(least)) > width) {
    const worst = shown.reduce((a, b) => ((columns[b]?.priority ?? 0) >= (columns[a]?.priority ?? 0) ? b : a));
    if ((columns[worst]?.priority ?? 0) === 0) return null;
    shown = shown.filter((i) => i !== worst);
  }
  const widths = shown.map((i) => natural[i] ?? 0);
  // One column less at a time from the widest that may still shrink: what is left is shared evenly.
  while (total(widths) > width) {
    const candidates = widths.map((w, at) => ({ w, at })).filter(({ w, at }) => w > least(shown[at] as number));
    const widest = candidates.reduce((a, b) => (b.w > a.w ? b : a));
    widths[widest.at] = widest.w - 1;
  }
  return { shown, widths };
}

function stacked<T>(columns: Column<T>[], cells: Cell[][], screen: Screen, ellipsis: string): string {
  const label = Math.max(...columns.map((column) => widthOfText(column.title)));
  const blocks = cells.map((row) =>
    row
      .map((cell, i) => {
        const title = pad(columns[i]?.title ?? '', label, 'left');
        const text = truncate(cell.text, Math.max(8, screen.width() - label - gap), ellipsis);
        return `${paint(title, 'dim', screen.chalk)}${' '.repeat(gap)}${paint(text, styleOf(cell.piece), screen.chalk)}\n`;
      })
      .join(''),
  );
  return blocks.join('\n');
}

/**
 * A table: on a terminal aligned, with a header, cut to its width (columns of low priority go first; if the rest does
 * not fit, one line a cell). Elsewhere tab separated, without header, nothing cut.
 */
export function renderTable<T>(rows: readonly T[], columns: Column<T>[], screen: Screen, ellipsis: string): string {
  const cells = rows.map((row) =>
    columns.map((column): Cell => {
      const piece = column.value(row);
      return { text: oneLine(textOf(piece)), piece };
    }),
  );
  if (!screen.isTty) return cells.map((row) => `${row.map((cell) => cell.text).join('\t')}\n`).join('');
  if (rows.length === 0) return '';
  const natural = columns.map((column, i) =>
    Math.max(widthOfText(column.title), ...cells.map((row) => widthOfText(row[i]?.text ?? ''))),
  );
  const plan = layout(columns, natural, screen.width());
  if (plan === null) return stacked(columns, cells, screen, ellipsis);
  const line = (text: (i: number) => string, style: (i: number) => Piece | null): string => {
    const parts = plan.shown.map((i, at) => {
      const column = columns[i];
      const width = plan.widths[at] ?? 0;
      const shown = truncate(text(i), width, ellipsis);
      const last = at === plan.shown.length - 1 && column?.align !== 'right';
      const piece = style(i);
      return paint(
        last ? shown : pad(shown, width, column?.align ?? 'left'),
        piece === null ? 'dim' : styleOf(piece),
        screen.chalk,
      );
    });
    return `${parts.join(' '.repeat(gap))}\n`;
  };
  const header = line(
    (i) => (columns[i]?.title ?? '').toUpperCase(),
    () => null,
  );
  const body = cells.map((row) =>
    line(
      (i) => row[i]?.text ?? '',
      (i) => row[i]?.piece ?? '',
    ),
  );
  return header + body.join('');
}
