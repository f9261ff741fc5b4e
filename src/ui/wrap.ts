import { widthOfText } from './width.ts';
import { oneLine, textOf, type Piece } from './pieces.ts';

/**
 * Breaks text between words so that every line fits. A word that is wider than a line stays whole: a command or an
 * address has to be copied in one piece.
 * @param width columns; unbounded gives one line
 */
export function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of words(oneLine(text), width)) {
    const longer = line === '' ? word : `${line} ${word}`;
    if (line !== '' && widthOfText(longer) > width) {
      lines.push(line);
      line = word;
    } else line = longer;
  }
  return line === '' ? lines : [...lines, line];
}

/** A command between backticks is one word, as long as it fits a line. */
function words(text: string, width: number): string[] {
  const found = text.match(/[^\s`]*`[^`]*`\S*|\S+/g) ?? [];
  return found.flatMap((word) => (widthOfText(word) > width ? word.split(/\s+/) : [word]));
}

/** Columns that pieces take on one line. */
export function widthOf(pieces: Piece[]): number {
  return pieces.reduce((sum, piece) => sum + widthOfText(oneLine(textOf(piece))), 0);
}

/** Puts groups of pieces side by side, two blanks apart, as many in a line as fit; a group is never split. */
export function flow(groups: Piece[][], width: number): Piece[][] {
  const lines: Piece[][] = [];
  let used = 0;
  for (const group of groups) {
    const own = widthOf(group);
    const line = lines.at(-1);
    if (line === undefined || used + 2 + own > width) {
      lines.push([...group]);
      used = own;
    } else {
      line.push('  ', ...group);
      used += 2 + own;
    }
  }
  return lines;
}
