import type { Fields } from '../http/decode.ts';
import type { HttpAnswer } from '../http/types.ts';
import type { GiteaApi } from './api.ts';

/** Largest page a server gives unless configured otherwise; a larger wish is cut silently. */
export const pageSize = 50;

/** Bound of one list: a server whose pages never end must not keep a poll without end. */
const maxPages = 1_000;

export interface PageReader<T, Shape extends object> {
  /** Asks for one page, 1-based, of `pageSize` rows. */
  fetch: (page: number) => Promise<HttpAnswer>;
  /** Where in the answer the rows are; default the answer itself. */
  rows?: (value: unknown, answer: HttpAnswer) => unknown;
  row: (fields: Fields<Shape>) => T;
  key: (row: T) => number;
  /** Ends the reading after the page on which it is true for a row. */
  until?: (row: T) => boolean;
  /** Ends the reading after the page with which there are so many rows. */
  atMost?: number;
}

/**
 * Every row of a list, each key once. The end is where `X-Total-Count` rows were seen, or an empty page behind the
 * counted ones: a server may be configured to smaller pages than asked for, and takes other people's pending reviews out
 * of a page after counting, so a short or empty page alone ends nothing. `Link` is not used; it names the wrong host
 * behind proxies.
 * @throws OrchError `gitea_garbage` when the pages do not end or repeat although there should be more
 */
export async function readPages<T, Shape extends object>(api: GiteaApi, reader: PageReader<T, Shape>): Promise<T[]> {
  const byKey = new Map<number, T>();
  let seen = 0;
  for (let page = 1; page <= maxPages; page++) {
    const answer = await reader.fetch(page);
    const value = api.accept(answer);
    const source = reader.rows === undefined ? value : reader.rows(value, answer);
    const rows = api.decoder(answer).rows(source, 'list', reader.row);
    const before = byKey.size;
    for (const row of rows) if (!byKey.has(reader.key(row))) byKey.set(reader.key(row), row);
    seen += rows.length;
    const { until } = reader;
    const total = totalOf(answer);
    if (until !== undefined && rows.some((row) => until(row))) return [...byKey.values()];
    if (reader.atMost !== undefined && byKey.size >= reader.atMost) return [...byKey.values()];
    if (total !== null && seen >= total) return [...byKey.values()];
    if (rows.length === 0 && (total === null || page >= Math.ceil(total / pageSize))) return [...byKey.values()];
    if (rows.length > 0 && byKey.size === before) {
      // The server does not page here and gave everything at once – unless it counts more than it shows.
      if (total === null) return [...byKey.values()];
      throw api.garbage(answer, 'the same page again');
    }
    if (page === maxPages) throw api.garbage(answer, 'the pages do not end');
  }
  return [...byKey.values()];
}

function totalOf(answer: HttpAnswer): number | null {
  const header = answer.headers['x-total-count'];
  return header !== undefined && /^\d{1,9}$/.test(header) ? Number(header) : null;
}
