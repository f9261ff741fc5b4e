import { isMap, isScalar, parse, parseDocument, visit } from 'yaml';

/** More than a page of keys is no front matter; also bounds what is given to the YAML parser. */
const longest = 16 * 1024;

const block = /^\uFEFF?---[ \t]*\r?\n(?:([\s\S]*?)\r?\n)??---[ \t]*(?:\r?\n|$)/;

/** Characters of the document, and of YAML's own message, that are repeated. */
const maxQuoted = 100;

/** The keys of a front matter, lower-cased, whose value is plain text. */
export interface FrontMatter {
  keys: Record<string, string>;
  /** Why the block that is there cannot be read, with its line; null when it can, or when there is none. */
  trouble: string | null;
}

const none: FrontMatter = { keys: {}, trouble: null };
const unreadable = (trouble: string): FrontMatter => ({ keys: {}, trouble });

/**
 * The YAML front matter of a document: the block between a first line `---` and the next `---`. Prose never counts.
 * Scalars stay text (`failsafe`): a sha of digits is not a number. A key that stands twice, in whatever case, with two
 * values makes all of it unreadable, because nobody can say which one was meant.
 */
export function frontMatter(text: string): FrontMatter {
  const start = text.slice(0, longest);
  if (!/^\uFEFF?---[ \t]*(?:\r?\n|$)/.test(start)) return none;
  const match = block.exec(start);
  if (match === null) return unreadable(`it has no end: a line --- within its first ${longest / 1024} KiB`);
  try {
    return keysOf(match[1] ?? '');
  } catch (error) {
    return unreadable(error instanceof Error ? error.message.slice(0, maxQuoted) : 'it is no YAML');
  }
}

function keysOf(yaml: string): FrontMatter {
  const lineAt = (offset: number): number => yaml.slice(0, offset).split('\n').length + 1;
  // Warnings would go to stderr as they are, and they quote the document.
  const document = parseDocument(yaml, {
    schema: 'failsafe',
    uniqueKeys: false,
    prettyErrors: false,
    logLevel: 'error',
  });
  const [error] = document.errors;
  if (error !== undefined) return unreadable(`line ${lineAt(error.pos[0])}: ${error.message.slice(0, maxQuoted)}`);
  let aliasAt: number | null = null;
  visit(document, {
    Alias: (_key, node) => {
      aliasAt = node.range?.[0] ?? 0;
      return visit.BREAK;
    },
  });
  if (aliasAt !== null) return unreadable(`line ${lineAt(aliasAt)}: an alias (*name) is not read`);
  if (!isMap(document.contents)) return none;
  const values = new Map<string, string | null>();
  for (const { key, value } of document.contents.items) {
    if (!isScalar(key) || typeof key.value !== 'string') continue;
    const name = key.value.toLowerCase();
    const said = isScalar(value) && typeof value.value === 'string' ? value.value.trim() : null;
    const before = values.get(name);
    if (before !== undefined && before?.toLowerCase() !== said?.toLowerCase())
      return unreadable(
        `line ${lineAt(key.range?.[0] ?? 0)}: ${name.slice(0, maxQuoted)} stands twice and says two things`,
      );
    values.set(name, said);
  }
  const texts = [...values].filter((entry): entry is [string, string] => entry[1] !== null);
  return { keys: Object.fromEntries(texts), trouble: null };
}

/** The document without its front matter. */
export function bodyOf(text: string): string {
  return text.replace(block, '').trim();
}

/**
 * An object that was meant to be JSON: YAML's flow mapping is JSON with fewer quotes and more commas. A key that stands
 * twice is an error. @returns null when it cannot be read
 */
export function looseObject(text: string): Record<string, unknown> | null {
  try {
    const value: unknown = parse(text, { maxAliasCount: 0, logLevel: 'error' });
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : null;
  } catch {
    return null;
  }
}
