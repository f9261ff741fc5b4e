import type { OrchError } from '../../model/index.ts';

type Key<Shape> = Extract<keyof Shape, string>;
/** Shape of a part of an answer; any keys where the whole has no known shape. */
type Part<T> = unknown extends T ? Record<string, unknown> : Extract<T, object>;

/**
 * One object of an answer, read field by field; every reader throws the peer's `garbage` error when the type is wrong.
 * `Shape` is what a package says of the object: its names are believed, its types are checked.
 */
export interface Fields<Shape extends object = Record<string, unknown>> {
  /** A string that may be empty. */
  text(key: Key<Shape>): string;
  /** A string that names something: empty is garbage. */
  id(key: Key<Shape>): string;
  /** A string, or null when the key is null or absent. */
  textOrNull(key: Key<Shape>): string | null;
  integer(key: Key<Shape>): number;
  integerOrNull(key: Key<Shape>): number | null;
  /** A boolean; null or absent is false. */
  flag(key: Key<Shape>): boolean;
  /** A timestamp in any time zone, as milliseconds since the epoch: strings of two zones must never be compared. */
  time(key: Key<Shape>): number;
  /** A list of strings; null or absent is empty. */
  texts(key: Key<Shape>): string[];
  object<K extends Key<Shape>>(key: K): Fields<Part<Shape[K]>>;
  objectOrNull<K extends Key<Shape>>(key: K): Fields<Part<Shape[K]>> | null;
  raw(key: Key<Shape>): unknown;
  /** The error for a value of the right type that is still not acceptable. */
  wrong(key: Key<Shape>, kind: string): OrchError;
}

export interface Decoder {
  record<Shape extends object = Record<string, unknown>>(value: unknown, at: string): Fields<Shape>;
  /** Null is an empty list (Gitea answers it for empty repositories); a row that is no object fails the whole call. */
  rows<T, Shape extends object = Record<string, unknown>>(
    value: unknown,
    at: string,
    row: (fields: Fields<Shape>) => T,
  ): T[];
}

/**
 * Narrows what a peer answered. By hand: a reader per field keeps the meaning of null and absent next to the place that uses it.
 * @param garbage makes the error to throw from the place that was wrong
 */
export function createDecoder(garbage: (detail: string) => OrchError): Decoder {
  const record = <Shape extends object>(value: unknown, at: string): Fields<Shape> => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) throw garbage(`${at} is no object`);
    return fieldsOf(value as Record<string, unknown>, at, garbage, record) as Fields<Shape>;
  };
  return {
    record,
    rows: <T, Shape extends object>(value: unknown, at: string, row: (fields: Fields<Shape>) => T) => {
      if (value === null || value === undefined) return [];
      if (!Array.isArray(value)) throw garbage(`${at} is no list`);
      return value.map((entry: unknown, index) => row(record<Shape>(entry, `${at}[${index}]`)));
    },
  };
}

function fieldsOf(
  values: Record<string, unknown>,
  at: string,
  garbage: (detail: string) => OrchError,
  record: Decoder['record'],
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
