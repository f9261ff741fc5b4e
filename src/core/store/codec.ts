/** JSON with sorted keys and without undefined values: equal texts are equal values, whatever order they were built in. */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_key, part: unknown) => {
    if (part === null || typeof part !== 'object' || Array.isArray(part)) return part;
    return Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)));
  });
}

/** A JSON column as the type that was written into it; only this program writes them. */
export function decode<T>(text: string): T {
  return JSON.parse(text) as T;
}

export function decodeOrNull<T>(text: string | null): T | null {
  return text === null ? null : decode<T>(text);
}

export function encodeOrNull(value: unknown): string | null {
  return value === null || value === undefined ? null : JSON.stringify(value);
}

/** SQLite has no booleans, and its driver refuses to guess. */
export function bit(value: boolean): 0 | 1 {
  return value ? 1 : 0;
}

/** A boolean as a driver gives it: from a column (0, 1), from JSON (`->>`: 1 in SQLite, `true` in PostgreSQL), or none. */
export function isSet(value: number | string | null): boolean {
  return value === 1 || value === 'true';
}

/** Words of a list of this program for `IN (…)`: the same words in the same order as the index that serves the query has. */
export function inList(words: readonly string[]): string {
  return words.map((word) => `'${word}'`).join(', ');
}

/** The id that leaves the process for an integer key. */
export function idOf<Id extends string>(key: number): Id {
  return String(key) as Id;
}

/** The integer key behind an id that left the process as text; -1, which no row has, when it is none. */
export function rowId(id: string): number {
  return /^\d{1,15}$/.test(id) ? Number(id) : -1;
}

/** Counts of rows by their task. */
export function countsByTask(rows: { task_id: string; n: number }[]): Map<string, number> {
  return new Map(rows.map((row) => [row.task_id, row.n]));
}

/** A condition that a column has one of these values, which are any texts, with its parameters; without a list it holds always. */
export function among(
  column: string,
  values: readonly string[] | undefined,
): { text: string; params: Record<string, string> } {
  if (values === undefined) return { text: '1 = 1', params: {} };
  const params = Object.fromEntries(values.map((value, n) => [`among${n}`, value]));
  const names = Object.keys(params).map((name) => `@${name}`);
  return { text: names.length === 0 ? '1 = 0' : `${column} IN (${names.join(', ')})`, params };
}
