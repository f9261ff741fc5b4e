import { OrchError } from '../../model/index.ts';
import type { Fields } from '../http/decode.ts';
import type { HttpAnswer } from '../http/types.ts';
import type { PlaneApi } from './api.ts';

/**
 * Rows of a page. Plane's cloud allows no more than 100, and its documentation says so; the community edition would allow 1000.
 * A list whose pages are larger than an answer may be is read in smaller ones.
 */
const pageSizes = [100, 10, 2] as const;

/** Bound of one list: a server whose pages never end must not keep a poll without end. */
const maxPages = 200;

export interface PlanePage<T> {
  rows: T[];
  next: string | null;
}

/** Query of one page. The page size goes with every cursor: the offset is counted with it, the number inside is ignored. */
export function pageQuery(cursor: string | null, more: Record<string, string> = {}): Record<string, string> {
  return { per_page: String(pageSizes[0]), ...more, ...(cursor === null ? {} : { cursor }) };
}

/** Reads the envelope of a list. `next_cursor` is never empty, so only `next_page_results` says whether there is more. */
export function readPage<T>(api: PlaneApi, answer: HttpAnswer, row: (fields: Fields) => T): PlanePage<T> {
  const decoder = api.decoder(answer);
  const page = decoder.record(api.accept(answer), 'page');
  if (!Array.isArray(page.raw('results')) && page.raw('results') !== null) {
    throw api.garbage(answer, 'page.results is no list');
  }
  const rows = decoder.rows(page.raw('results'), 'results', row);
  // A page between others holds rows; one without them would hide a comment, or let one be sent a second time.
  if (rows.length === 0 && page.flag('next_page_results')) throw api.garbage(answer, 'an empty page before the last');
  return { rows, next: page.flag('next_page_results') ? page.id('next_cursor') : null };
}

/**
 * Every row of a list, each id once: paging is by offset, so a row added meanwhile shows the one before it again.
 * @param fetchPage gets the cursor and further parameters of the query
 * @param most pages that are read at most
 * @throws OrchError `plane_garbage` when the pages do not end, `plane_too_large` when even the smallest is too large
 */
export async function readAll<T extends { id: string }>(
  api: PlaneApi,
  fetchPage: (cursor: string | null, more: Record<string, string>) => Promise<HttpAnswer>,
  row: (fields: Fields) => T,
  most = maxPages,
): Promise<T[]> {
  for (const size of pageSizes) {
    const more = { per_page: String(size) };
    try {
      return await readPages(api, (cursor) => fetchPage(cursor, more), row, most);
    } catch (error) {
      const tooLarge = error instanceof OrchError && error.code === 'plane_too_large';
      if (!tooLarge || size === pageSizes.at(-1)) throw error;
    }
  }
  return [];
}

async function readPages<T extends { id: string }>(
  api: PlaneApi,
  fetchPage: (cursor: string | null) => Promise<HttpAnswer>,
  row: (fields: Fields) => T,
  most: number,
): Promise<T[]> {
  const byId = new Map<string, T>();
  const cursors = new Set<string>();
  let cursor: string | null = null;
  for (;;) {
    const answer = await fetchPage(cursor);
    const page: PlanePage<T> = readPage(api, answer, row);
    for (const entry of page.rows) if (!byId.has(entry.id)) byId.set(entry.id, entry);
    if (page.next === null) return [...byId.values()];
    if (cursors.has(page.next)) throw api.garbage(answer, 'the pages do not end');
    if (cursors.size + 1 >= most) throw api.garbage(answer, `more than ${most} pages, ${byId.size} rows`);
    cursors.add(page.next);
    cursor = page.next;
  }
}
