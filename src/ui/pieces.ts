import type { ChalkInstance } from 'chalk';
import { printable } from '../core/platform/printable.ts';

export type Style = 'good' | 'bad' | 'warning' | 'accent' | 'dim' | 'bold';

/** Text to print, with or without a style. Escaped before it is coloured, so nothing from outside reaches the terminal. */
export type Piece = string | { text: string; style: Style };

/** Text on one line: for table cells and single lines. */
export function oneLine(text: string): string {
  return printable(text.replace(/\s*[\r\n]+\s*/g, ' ').replaceAll('\t', ' '));
}

export function textOf(piece: Piece): string {
  return typeof piece === 'string' ? piece : piece.text;
}

/** Colours text that is already escaped. */
export function paint(text: string, style: Style | null, chalk: ChalkInstance): string {
  switch (style) {
    case 'good':
      return chalk.green(text);
    case 'bad':
      return chalk.red(text);
    case 'warning':
      return chalk.yellow(text);
    case 'accent':
      return chalk.cyan(text);
    case 'dim':
      return chalk.dim(text);
    case 'bold':
      return chalk.bold(text);
    case null:
      return text;
  }
}

export function styleOf(piece: Piece): Style | null {
  return typeof piece === 'string' ? null : piece.style;
}
