import { parse } from 'yaml';

/** More than a page of keys is no front matter; also bounds what is given to the YAML parser. */
const longest = 16 * 1024;

/**
 * The YAML front matter of a document: the block between a first line `---` and the next `---`. Prose never counts.
 * Scalars stay text (`failsafe`): a sha of digits is not a number.
 * @returns its keys, lower-cased; null when there is none or it cannot be read.
 */
export function frontMatter(text: string): Record<string, string> | null {
  const match = /^\uFEFF?---[ \t]*\r?\n([\s\S]*?)\r?\n---[ \t]*(?:\r?\n|$)/.exec(text.slice(0, longest));
  if (match?.[1] === undefined) return null;
  try {
    // Warnings would go to stderr as they are, and they quote the document.
    const value: unknown = parse(match[1], { maxAliasCount: 0, schema: 'failsafe', logLevel: 'error' });
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return null;
    return Object.fromEntries(
      Object.entries(value)
        .filter((entry): entry is [string, string] => typeof entry[1] === 'string')
        .map(([key, scalar]) => [key.toLowerCase(), scalar.trim()]),
    );
  } catch {
    return null;
  }
}

/** The document without its front matter. */
export function bodyOf(text: string): string {
  return text.replace(/^\uFEFF?---[ \t]*\r?\n[\s\S]*?\r?\n---[ \t]*(?:\r?\n|$)/, '').trim();
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
