/** One step of a pattern: one character, any number of them, or one of several patterns. */
type Part =
  { kind: 'one'; takes: (character: string) => boolean } | { kind: 'many' } | { kind: 'either'; of: Part[][] };

/**
 * Whether a required context means this context. Patterns are read as the server reads them in a branch protection: `*` and `**`
 * are any text (also with a `/`), `?` is one character, `[a-z]` and `[!a-z]` one of a class, `{a,b}` one of several, and a
 * backslash takes the next character as it is. A pattern that cannot be read means nothing, as on the server.
 */
export function matchesContext(pattern: string, context: string): boolean {
  const parts = partsOf([...pattern]);
  if (parts === null) return false;
  const text = [...context];
  return ends(parts, text, new Set([0])).has(text.length);
}

/** What a name in the project's configuration means: the context of that name, or every one that the pattern means. */
export function means(name: string, context: string): boolean {
  return name === context || matchesContext(name, context);
}

/** Where the parts may end in the text when they begin at one of these places: time grows with the text, not with the ways. */
function ends(parts: Part[], text: string[], starts: Set<number>): Set<number> {
  let at = starts;
  for (const part of parts) {
    const next = new Set<number>();
    if (part.kind === 'many') {
      for (let place = Math.min(...at); place <= text.length; place += 1) next.add(place);
    } else if (part.kind === 'either') {
      for (const branch of part.of) for (const place of ends(branch, text, at)) next.add(place);
    } else {
      for (const place of at) if (part.takes(text[place] ?? '')) next.add(place + 1);
    }
    if (next.size === 0) return next;
    at = next;
  }
  return at;
}

/** Null for a pattern that cannot be read. */
function partsOf(pattern: string[]): Part[] | null {
  const reader = { pattern, at: 0 };
  const read = sequences(reader, false);
  return read === null ? null : (read[0] ?? []);
}

interface Reader {
  pattern: string[];
  at: number;
}

/** The sequences up to the end, or to the brace that closes a group. */
function sequences(reader: Reader, inGroup: boolean): Part[][] | null {
  const found: Part[][] = [[]];
  while (reader.at < reader.pattern.length) {
    const character = reader.pattern[reader.at++] ?? '';
    if (inGroup && character === '}') return found;
    if (inGroup && character === ',') found.push([]);
    else {
      const part = partOf(character, reader);
      if (part === null) return null;
      found.at(-1)?.push(part);
    }
  }
  return inGroup ? null : found;
}

function partOf(character: string, reader: Reader): Part | null {
  switch (character) {
    case '*':
      return { kind: 'many' };
    case '?':
      return { kind: 'one', takes: (other) => other !== '' };
    case '[':
      return classOf(reader);
    case '{': {
      const of = sequences(reader, true);
      return of === null ? null : { kind: 'either', of };
    }
    case '\\': {
      const next = reader.pattern[reader.at++];
      return next === undefined ? null : { kind: 'one', takes: (other) => other === next };
    }
    default:
      return { kind: 'one', takes: (other) => other === character };
  }
}

/** A class such as `[a-z_]` or `[!0-9]`; the opening bracket is read already. */
function classOf(reader: Reader): Part | null {
  const negated = reader.pattern[reader.at] === '!';
  if (negated) reader.at += 1;
  const members: { from: string; to: string }[] = [];
  for (let next = reader.pattern[reader.at++]; next !== ']'; next = reader.pattern[reader.at++]) {
    const from = next === '\\' ? reader.pattern[reader.at++] : next;
    if (from === undefined) return null;
    const last = reader.pattern[reader.at + 1];
    if (reader.pattern[reader.at] === '-' && last !== undefined && last !== ']') {
      reader.at += 2;
      members.push({ from, to: last });
    } else members.push({ from, to: from });
  }
  const inside = (other: string): boolean => members.some(({ from, to }) => other >= from && other <= to);
  return { kind: 'one', takes: (other) => other !== '' && inside(other) !== negated };
}
