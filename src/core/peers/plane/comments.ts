import { OrchError } from '../../model/index.ts';
import type { ItemId, PlaneComment, PlanePort, ProjectId } from '../../model/index.ts';
import type { Fields } from '../http/decode.ts';
import { parseJson } from '../http/json.ts';
import { segment } from '../http/paths.ts';
import type { HttpAnswer } from '../http/types.ts';
import type { PlaneApi } from './api.ts';
import { pageQuery, readAll } from './pages.ts';

/** Marks orch's own comments; the author cannot, because a token may be shared with a person (spec 4.3). */
const externalSource = 'orch';

interface Sent {
  id: string;
  at: number | null;
}

/** Comments of a work item: reading all, and sending one so that a repetition finds the first. */
export function createComments(api: PlaneApi): Pick<PlanePort, 'comments' | 'comment'> {
  const path = (project: ProjectId, item: ItemId, route: string): string =>
    `projects/${segment(project)}/${route}/${segment(item)}/comments/`;

  const list = <T extends { id: string }>(project: ProjectId, item: ItemId, row: (fields: Fields) => T): Promise<T[]> =>
    readAll(
      api,
      (cursor) =>
        api.sendItem((route) => ({ method: 'GET', path: path(project, item, route), query: pageQuery(cursor) })),
      row,
    );
  const find = async (project: ProjectId, item: ItemId, externalId: string): Promise<Sent | null> => {
    const rows = await list(project, item, (fields) => ({ ...commentOf(fields), at: timeOf(fields) }));
    const own = rows.find((row) => row.externalSource === externalSource && row.externalId === externalId);
    return own === undefined ? null : { id: own.id, at: own.at };
  };
  return {
    comments: (project, item) => list(project, item, commentOf),
    comment: async (project, item, { html, externalId, look }) => {
      if (look) {
        const found = await find(project, item, externalId);
        if (found !== null) return found;
      }
      const body = { comment_html: html, external_source: externalSource, external_id: externalId };
      const outcome = await post(api, (route) => path(project, item, route), body);
      if (outcome.kind === 'saved') return outcome.sent;
      // Plane has saved comments that it answered with 400 or 5xx, and after a time-out nobody knows: look before
      // anything is said about it. An error of this look stands, so that "unknown" is never taken for "refused".
      const found = await find(project, item, externalId);
      if (found !== null) return found;
      // The conflict names the comment that holds the external id, an earlier try of this very comment.
      if (outcome.kind === 'exists') return { id: outcome.id, at: null };
      throw outcome.error;
    },
  };
}

type Outcome = { kind: 'saved'; sent: Sent } | { kind: 'exists'; id: string } | { kind: 'unknown'; error: OrchError };

async function post(api: PlaneApi, path: (route: string) => string, body: Record<string, string>): Promise<Outcome> {
  try {
    const answer = await api.sendItem((route) => ({ method: 'POST', path: path(route), body }));
    if (answer.status === 201) {
      const fields = api.decoder(answer).record(api.accept(answer), 'comment');
      return { kind: 'saved', sent: { id: fields.id('id'), at: timeOf(fields) } };
    }
    if (answer.status === 409) {
      const holder = api.decoder(answer).record(jsonOf(answer), 'conflict').textOrNull('id');
      if (holder !== null && holder !== '') return { kind: 'exists', id: holder };
      throw api.garbage(answer, 'a conflict that names no comment');
    }
    if (answer.status < 300) throw api.garbage(answer, `HTTP ${answer.status} for a new comment`);
    throw api.failure(answer);
  } catch (error) {
    // Nothing was sent when the budget refused, a throttled request is turned away before it is looked at, and a refused
    // key could not list either.
    const final = ['plane_rate_limited', 'plane_token_refused'];
    if (!(error instanceof OrchError) || final.includes(error.code)) throw error;
    return { kind: 'unknown', error };
  }
}

function jsonOf(answer: HttpAnswer): unknown {
  const parsed = parseJson(answer.text);
  return parsed.ok ? parsed.value : null;
}

/** When the server made it; orch sends no `created_at`, so this one is the server's own. */
function timeOf(fields: Fields): number | null {
  return fields.textOrNull('created_at') === null ? null : fields.time('created_at');
}

function commentOf(fields: Fields): PlaneComment {
  return {
    id: fields.id('id'),
    html: fields.textOrNull('comment_html') ?? '',
    actor: fields.textOrNull('actor') ?? '',
    updatedBy: fields.textOrNull('updated_by'),
    externalSource: fields.textOrNull('external_source'),
    externalId: fields.textOrNull('external_id'),
    updatedAt: fields.time('updated_at'),
  };
}
