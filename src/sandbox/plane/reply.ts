import { jsonObject } from '../http.ts';
import type { Call, Handler, Reply, Route } from '../http.ts';
import type { PlaneState, PlaneUser, Project } from './state.ts';

/** A request after authentication, with the project and the caller's role in it already checked. */
export interface PlaneCall extends Call {
  user: PlaneUser;
}

export type PlaneRoute = Route<PlaneState, PlaneCall>;
export type PlaneHandler = Handler<PlaneState, PlaneCall>;

/** Thrown by handlers, turned into the answer by the server. */
export class Refusal extends Error {
  readonly reply: Reply;
  constructor(status: number, body: unknown) {
    super(`refused with ${status}`);
    this.reply = { status, body };
  }
}

export const notThere = (): Refusal => new Refusal(404, { error: 'The requested resource does not exist.' });
export const forbidden = (): Refusal =>
  new Refusal(403, { detail: 'You do not have permission to perform this action.' });
export const crash = (): Refusal => new Refusal(500, { error: 'Something went wrong please try again later' });

/** Text of the answer to a path that no route knows. Note the space: Django writes it, not the API framework. */
export const pageNotFound = '{"error": "Page not found."}';

/** Parses the body as Plane's API framework does. */
export function bodyOf(call: Call): Record<string, unknown> {
  const type = (call.headers['content-type'] ?? '').split(';', 1)[0]?.trim() ?? '';
  if (call.body.length > 5 * 1024 * 1024) throw new Refusal(413, { error: 'REQUEST_BODY_TOO_LARGE' });
  if (call.body.length > 0 && type !== 'application/json') {
    throw new Refusal(415, { detail: `Unsupported media type "${type}" in request.` });
  }
  const body = jsonObject(call.body);
  if (body === null) throw new Refusal(400, { detail: 'JSON parse error - Expecting value: line 1 column 1 (char 0)' });
  return body;
}

/** The project of a path, for a caller who may see it; `atLeast` is the role a write needs. */
export function projectOf(state: PlaneState, call: PlaneCall, slug: string, id: string, atLeast = 5): Project {
  const project = state.projects.find((candidate) => candidate.id === id.toLowerCase());
  if (slug !== state.workspace.slug || project === undefined) throw forbidden();
  const role = project.members.get(call.user.id);
  if (role === undefined || role < atLeast) throw forbidden();
  return project;
}

/** Six digits and the asking user's own offset: clients that compare strings are wrong. */
export function timestamp(micros: number, user: PlaneUser): string {
  const ms = Math.floor(micros / 1000);
  const shifted = new Date(ms + user.offsetMinutes * 60_000).toISOString().slice(0, 19);
  const fraction = String(Math.round(micros % 1_000_000)).padStart(6, '0');
  if (user.offsetMinutes === 0) return `${shifted}.${fraction}Z`;
  const minutes = Math.abs(user.offsetMinutes);
  const hh = String(Math.floor(minutes / 60)).padStart(2, '0');
  const mm = String(minutes % 60).padStart(2, '0');
  return `${shifted}.${fraction}${user.offsetMinutes < 0 ? '-' : '+'}${hh}:${mm}`;
}

const maxPerPage = 1000;

/** Offset paging in its envelope: items that move between two requests are seen twice or not at all. */
export function page<T>(call: Call, all: T[], render: (row: T) => Record<string, unknown>): Reply {
  const perPageText = call.query.get('per_page');
  const perPage = perPageText === null ? maxPerPage : Number(perPageText);
  if (!Number.isInteger(perPage)) throw new Refusal(400, { detail: 'Invalid per_page parameter.' });
  if (perPage > maxPerPage) throw new Refusal(400, { detail: `Invalid per_page value. Cannot exceed ${maxPerPage}.` });
  if (perPage <= 0) throw crash();
  const cursor = call.query.get('cursor') ?? `${perPage}:0:0`;
  const parts = /^(\d+):(-?\d+):([01])$/.exec(cursor);
  if (parts === null) throw new Refusal(400, { detail: 'Invalid cursor parameter.' });
  const number = Math.max(0, Number(parts[2]));
  const results = all.slice(number * perPage, (number + 1) * perPage);
  return {
    status: 200,
    body: {
      grouped_by: null,
      sub_grouped_by: null,
      total_count: all.length,
      next_cursor: `${perPage}:${number + 1}:0`,
      prev_cursor: `${perPage}:${number - 1}:1`,
      next_page_results: (number + 1) * perPage < all.length,
      prev_page_results: number > 0,
      count: results.length,
      total_pages: Math.ceil(all.length / perPage),
      total_results: all.length,
      extra_stats: null,
      results: results.map((row) => onlyFields(call, render(row))),
    },
  };
}

/** `fields=`: unknown ones are dropped without a word, so that a typing error answers `[{}]`. */
export function onlyFields(call: Call, row: Record<string, unknown>): Record<string, unknown> {
  const wanted = call.query.get('fields');
  if (wanted === null || wanted === '') return row;
  const names = new Set(wanted.split(',').map((name) => name.trim()));
  return Object.fromEntries(Object.entries(row).filter(([name]) => names.has(name)));
}

/** The 409 of a doubled external id; on a PATCH it names the object being patched, not the holder. */
export function externalConflict(what: string, id: string): Refusal {
  return new Refusal(409, { error: `${what} with the same external id and external source already exists`, id });
}
