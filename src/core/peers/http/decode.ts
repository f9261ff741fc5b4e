import type { OrchError } from '../../model/index.ts';

/** One object of an answer, read field by field; every reader throws the peer's `garbage` error when the type is wrong. */
export interface Fields {
  /** A string that may be empty. */
  text(key: string): string;
  /** A string that names something: empty is garbage. */
  id(key: string): string;
  /** A string, or null when the key is null or absent. */
  textOrNull(key: string): string | null;
  integer(key: string): number;
  integerOrNull(key: string): number | null;
  /** A boolean; null or absent is false. */
  flag(key: string): boolean;
  /** A timestamp in any time zone, as milliseconds since the epoch: strings of two zones must never be compared. */
  time(key: string): number;
  /** A list of strings; null or absent is empty. */
  texts(key: string): string[];
  object(key: string): Fields;
  objectOrNull(key: string): Fields | null;
  raw(key: string): unknown;
  /** The error for a value of the right type that is still not acceptable. */
  wrong(key: string, kind: string): OrchError;
}

export interface Decoder {
  record(value: unknown, at: string): Fields;
  /** Null is an empty list (Gitea answers it for empty repositories); a row that is no object fails the whole call. */
  rows<T>(value: unknown, at: string, row: (fields: Fields) => T): T[];
}

/**
 * Narrows what a peer answered. By hand, not by a schema library: the shapes are small and loading zod costs more than a
 * whole poll.
 * @param garbage makes the error to throw from the place that was wrong
 */
export function createDecoder(garbage: (detail: string) => OrchError): Decoder {
  const record = (value: unknown, at: string): Fields => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) throw garbage(`${at} is no object`);
    return fieldsOf(value as Record<string, unknown>, at, garbage, record);
  };
  return {
    record,
    rows: (value, at, row) => {
      if (value === null || value === undefined) return [];
      if (!Array.isArray(value)) throw garbage(`${at} is no list`);
      return value.map((entry: unknown, index) => row(record(entry, `${at}[${index}]`)));
    },
  };
}

function fieldsOf(
  values: Record<string, unknown>,
  at: string,
  garbage: (detail: string) => OrchError,
  record: (value: unknown, at: string) => Fields,
): Fields {
  const wrong = (key: string, kind: string): OrchError => garbage(`${at}.${key} is no ${kind}`);
  const absent = (key: string): boolean => values[key] === null || values[key] === undefined;
  const text = (key: string): string => {
    const value = values[key];
    if (typeof value !== 'string') throw wrong(key, 'text');
    return value;
  };
  const integer = (key: string): number => {
    const value = values[key];
    if (typeof value !== 'number' || !Number.isSafeInteger(value)) throw wrong(key, 'whole number');
    return value;
  };
  return {
    text,
    integer,
    wrong,
    id: (key) => {
      if (text(key) === '') throw wrong(key, 'id');
      return text(key);
    },
    textOrNull: (key) => (absent(key) ? null : text(key)),
    integerOrNull: (key) => (absent(key) ? null : integer(key)),
    flag: (key) => {
      if (absent(key)) return false;
      const value = values[key];
      if (typeof value !== 'boolean') throw wrong(key, 'boolean');
      return value;
    },
    time: (key) => {
      const time = Date.parse(text(key));
      if (Number.isNaN(time)) throw wrong(key, 'timestamp');
      return time;
    },
    texts: (key) => {
      if (absent(key)) return [];
      const value = values[key];
      if (!Array.isArray(value)) throw wrong(key, 'list');
      return value.map((entry: unknown) => {
        if (typeof entry !== 'string') throw wrong(key, 'list of texts');
        return entry;
      });
    },
    object: (key) => record(values[key], `${at}.${key}`),
    objectOrNull: (key) => (absent(key) ? null : record(values[key], `${at}.${key}`)),
    raw: (key) => values[key],
  };
}
