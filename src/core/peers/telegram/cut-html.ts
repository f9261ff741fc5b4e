/**
 * Cuts Telegram HTML to at most `max` UTF-16 units without leaving half a character, half a tag, half an entity or an
 * open tag behind: Telegram refuses the whole message otherwise. The text is orch's own escaped output, so a tag is what
 * stands between `<` and `>`.
 */
export function cutHtml(html: string, max: number): string {
  if (html.length <= max) return html;
  const open: string[] = [];
  let kept = '';
  for (const token of tokens(html)) {
    const after = openAfter(open, token);
    const closing = closingOf(after);
    if (kept.length + token.length + 1 + closing.length > max) break;
    kept += token;
    open.splice(0, open.length, ...after);
  }
  return `${kept}…${closingOf(open)}`;
}

/** Tags, entities and single characters, in order; a `<` or `&` that is never closed is a character. */
function* tokens(html: string): Generator<string> {
  let index = 0;
  while (index < html.length) {
    const rest = html[index];
    const end = rest === '<' ? html.indexOf('>', index) : rest === '&' ? html.indexOf(';', index) : -1;
    const whole = end !== -1 && (rest === '<' || end - index <= 10);
    const token = whole ? html.slice(index, end + 1) : String.fromCodePoint(html.codePointAt(index) ?? 0);
    yield token;
    index += token.length;
  }
}

function openAfter(open: readonly string[], token: string): string[] {
  if (token.length < 3 || !token.startsWith('<')) return [...open];
  if (token.startsWith('</')) return open.slice(0, -1);
  const name = token.slice(1, -1).split(/\s/, 1)[0] ?? '';
  return [...open, name];
}

function closingOf(open: readonly string[]): string {
  return [...open]
    .reverse()
    .map((name) => `</${name}>`)
    .join('');
}
