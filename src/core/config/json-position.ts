/**
 * Where a text stops being JSON, as an offset; the text's length when it ends too early, null when it is valid.
 * V8's own message names a position only at times and quotes the text around it, which may be a secret.
 */
export function jsonErrorOffset(text: string): number | null {
  let at = 0;
  let deepest = 0;
  const token = (pattern: RegExp): string | null => {
    pattern.lastIndex = at;
    const found = pattern.exec(text);
    if (found === null) return null;
    at += found[0].length;
    deepest = Math.max(deepest, at);
    return found[0];
  };
  const space = (): void => void token(/[ \t\r\n]*/y);
  const string = (): boolean => token(/"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/y) !== null;
  const list = (close: RegExp, element: () => boolean): boolean => {
    space();
    if (token(close) !== null) return true;
    for (;;) {
      space();
      if (!element()) return false;
      space();
      if (token(/,/y) === null) return token(close) !== null;
    }
  };
  const member = (): boolean => {
    if (!string()) return false;
    space();
    return token(/:/y) !== null && value();
  };
  const value = (): boolean => {
    space();
    if (token(/\{/y) !== null) return list(/\}/y, member);
    if (token(/\[/y) !== null) return list(/\]/y, value);
    return string() || token(/-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null/y) !== null;
  };
  const valid = value();
  if (!valid) return deepest;
  space();
  return at === text.length ? null : at;
}

/** Line and column, both from 1, of an offset. */
export function lineAndColumn(text: string, offset: number): { line: number; column: number } {
  const before = text.slice(0, offset);
  const line = before.split('\n').length;
  return { line, column: offset - before.lastIndexOf('\n') };
}
