/** A value that goes into a statement; JSON goes in and comes back as text, a boolean as 0 or 1, a compressed value as bytes. */
export type Value = string | number | null | Uint8Array;

/** One statement. `text` names its parameters `@name`; a driver that has numbered ones rewrites it. */
interface Statement {
  text: string;
  params: Readonly<Record<string, Value>>;
  want: 'one' | 'all' | 'changes';
}

/**
 * A body of statements: it yields them one by one and goes on with what the database answered. It does not know whether
 * its driver answers at once (SQLite) or waits for a server, so one body serves both. It catches nothing: a statement that
 * fails ends it, and its transaction with it.
 */
export type Query<T> = Generator<Statement, T, unknown>;

type Params = Statement['params'];

const none: Params = {};

/** The first row; null when there is none. */
export function* one<Row>(text: string, params: Params = none): Query<Row | null> {
  return ((yield { text, params, want: 'one' }) as Row | undefined) ?? null;
}

/** All rows. Integers come as numbers, JSON as text. */
export function* all<Row>(text: string, params: Params = none): Query<Row[]> {
  return (yield { text, params, want: 'all' }) as Row[];
}

/** How many rows the statement changed. */
export function* run(text: string, params: Params = none): Query<number> {
  return (yield { text, params, want: 'changes' }) as number;
}

/** One database, and the only two ways into it. */
export interface Driver {
  /**
   * Runs the body on one consistent view.
   * @throws OrchError `database_*`
   */
  read<T>(body: () => Query<T>): Promise<T>;
  /**
   * Runs the body as one write transaction: all of it is stored, or nothing. No other writer comes between its first
   * statement and its end. It may be begun again after a wait for a lock.
   * @throws OrchError `database_*`; whatever the body throws
   */
  write<T>(body: () => Query<T>): Promise<T>;
  /** See the port. */
  onChange(listener: () => void): () => void;
  close(): Promise<void>;
}
