import { closest as nearest, distance } from 'fastest-levenshtein';

/** The word somebody probably meant: at most a third of its letters away; null when none is that near. */
export function closest(word: string, words: Iterable<string>): string | null {
  const byCase = new Map([...words].map((known) => [known.toLowerCase(), known]));
  if (word.length > 64 || byCase.size === 0) return null;
  const wanted = word.toLowerCase();
  const found = nearest(wanted, [...byCase.keys()]);
  return distance(wanted, found) <= Math.max(1, Math.floor(word.length / 3)) ? (byCase.get(found) ?? null) : null;
}
