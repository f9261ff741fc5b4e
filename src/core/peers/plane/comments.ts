import { mayPassLater, OrchError, type ErrorCode } from '../../model/index.ts';
import type { ItemComment, ItemId, ProjectId, Tracker } from '../../model/index.ts';
import type { Fields } from '../http/decode.ts';
import { parseJson } from '../http/json.ts';
import { segment } from '../http/paths.ts';
import type { HttpAnswer } from '../http/types.ts';
import type { PlaneApi } from './api.ts';
import { pageQuery, readAll } from './pages.ts';

/** Marks orch's own comments; the author cannot, because a token may be shared with a person (spec 4.3). */
const externalSource = 'orch';

/** Pages of comments of one item: more would use up the request budget of a minute, for one item. */
const maxCommentPages = 20;

interface Sent {
  id: string;
  at: number | null;
}

/** External ids that are tried for one comment: somebody who guesses the first ones must not suppress it. */
const maxIds = 9;

/** Comments of a work item: reading all, and sending one so that a repetition finds the first. */
export function createComments(
  api: PlaneApi,
  me: () => Promise<{ id: string }>,
): Pick<Tracker, 'comments' | 'comment'> {
  const path = (project: ProjectId, item: ItemId, route: string): string =>
    `projects/${segment(project)}/${route}/${segment(item)}/comments/`;
  const account = accountOf(me);

  const list = <T extends { id: string }>(project: ProjectId, item: ItemId, row: (fields: Fields) => T): Promise<T[]> =>
    readAll(
      api,
      (cursor, more) =>
        api.sendItem((route) => ({ method: 'GET', path: path(project, item, route), query: pageQuery(cursor, more) })),
      row,
      maxCommentPages,
    );
  /** orch's own comment, and whether somebody else's bears its id: anybody who may comment can write one. */
  const find = async (
    project: ProjectId,
    item: ItemId,
    ids: string[],
  ): Promise<{ own: Sent | null; foreign: boolean }> => {
    const rows = await list(project, item, (fields) => ({ ...commentOf(fields), at: timeOf(fields) }));
    const marked = rows.filter((row) => row.externalSource === externalSource && ids.includes(row.externalId ?? ''));
    if (marked.length === 0) return { own: null, foreign: false };
    const self = await account();
    const own = marked.find((row) => self === null || row.actor === self);
    return { own: own === undefined ? null : { id: own.id, at: own.at }, foreign: own === undefined };
  };
  return {
    comments: (project, item) => list(project, item, commentOf),
    comment: async (project, item, { html, externalId, formerId, look }) => {
      const ids = Array.from({ length: maxIds }, (_, n) => (n === 0 ? externalId : `${externalId}~${n + 1}`));
      const known = formerId === undefined ? ids : [...ids, formerId];
      const before = look ? await find(project, item, known) : null;
      if (before?.own != null) return before.own;
      for (const id of ids) {
        const body = { comment_html: html, external_source: externalSource, external_id: id };
        const outcome = await post(api, (route) => path(project, item, route), body);
        if (outcome.kind === 'saved') return outcome.sent;
        // Plane has saved comments that it answered with 400 or 5xx, and after a time-out nobody knows: look before
        // anything is said about it. An error of this look stands, so that "unknown" is never taken for "refused".
        const found = await find(project, item, ids);
        if (found.own !== null) return found.own;
        if (outcome.kind === 'unknown') throw outcome.error;
        // The conflict names a comment that is not orch's, here or at another item: the next id. One that is not listed
        // may be orch's own and late: that is believed to be somebody else's only at a later try.
        if (!found.foreign && !look) throw outcome.error;
      }
      throw new OrchError('every external id of a comment is taken by comments of others', {
        code: 'plane_ids_taken',
        hint: 'Somebody writes comments under the external source "orch": delete them in Plane.',
      });
    },
  };
}

/** The id of the token's account, asked once; null where Plane does not report it (before 0.28). */
function accountOf(me: () => Promise<{ id: string }>): () => Promise<string | null> {
  let known: Promise<string | null> | null = null;
  return () => {
    known ??= me()
      .then(({ id }) => id)
      .catch((error: unknown) => {
        if (error instanceof OrchError && !mayPassLater(error)) return null;
        known = null;
        throw error;
      });
    return known;
  };
}

type Outcome = { kind: 'saved'; sent: Sent } | { kind: 'exists' | 'unknown'; error: OrchError };

async function post(api: PlaneApi, path: (route: string) => string, body: Record<string, string>): Promise<Outcome> {
  try {
    const answer = await api.sendItem((route) => ({ method: 'POST', path: path(route), body }));
    if (answer.status === 201) {
      const fields = api.decoder(answer).record(api.accept(answer), 'comment');
      // An answer about something else, of a cache or of a rule that rewrote the comment, says nothing about this one.
      const under = fields.textOrNull('external_id');
      if (under !== null && under !== body['external_id'])
        throw api.garbage(answer, 'another comment than the new one');
      return { kind: 'saved', sent: { id: fields.id('id'), at: timeOf(fields) } };
    }
    if (answer.status === 409) {
      const holder = api.decoder(answer).record(jsonOf(answer), 'conflict').textOrNull('id');
      if (holder === null || holder === '') throw api.garbage(answer, 'a conflict that names no comment');
      return { kind: 'exists', error: api.garbage(answer, 'a conflict with a comment that is not there') };
    }
    if (answer.status < 300) throw api.garbage(answer, `HTTP ${answer.status} for a new comment`);
    throw api.failure(answer);
  } catch (error) {
    // Nothing was sent when the budget refused, a throttled request is turned away before it is looked at, and a refused
    // key could not list either.
    const final: ErrorCode[] = ['plane_rate_limited', 'plane_token_refused'];
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

/** `created_at` is set by the author of the comment and orders nothing: `updated_at` is the server's own. */
function commentOf(fields: Fields): ItemComment {
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
