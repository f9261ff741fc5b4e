import { parse, type ParseError } from 'jsonc-parser';

/**
 * Where a text stops being JSON, as an offset; the text's length when it ends too early, null when it is valid.
 * V8's own message names a position only at times and quotes the text around it, which may be a secret.
 */
export function jsonErrorOffset(text: string): number | null {
  const errors: ParseError[] = [];
  parse(text, errors, { disallowComments: true, allowTrailingComma: false, allowEmptyContent: false });
  return errors[0]?.offset ?? null;
}

/** Line and column, both from 1, of an offset. */
export function lineAndColumn(text: string, offset: number): { line: number; column: number } {
  const before = text.slice(0, offset);
  const line = before.split('\n').length;
  return { line, column: offset - before.lastIndexOf('\n') };
}
