import stringWidth from 'string-width';

/** Columns that a text takes on a terminal. What every character of takes one column is not asked of the slow library. */
export function widthOfText(text: string): number {
  return /^[\x20-\x7e]*$/.test(text) ? text.length : stringWidth(text);
}
