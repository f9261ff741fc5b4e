import { setTimeout as sleep } from 'node:timers/promises';
import { route } from '../http.ts';
import type { Reply } from '../http.ts';
import { renderComment, renderLink } from './render.ts';
import { bodyOf, externalConflict, notThere, page, projectOf, Refusal } from './reply.ts';
import type { PlaneCall, PlaneHandler, PlaneRoute } from './reply.ts';
import { bumpLater, newRow, stamp } from './state.ts';
import type { Comment, LinkRow, PlaneState, PlaneUser, Project } from './state.ts';

/** Width of the gap between the uniqueness check and the insert; the real one has no database constraint behind it either. */
const raceMs = 3;

function withExternal(state: PlaneState, project: Project, body: Record<string, unknown>): Comment | undefined {
  const { external_id: id, external_source: source } = body;
  if (typeof id !== 'string' || typeof source !== 'string') return undefined;
  return state.comments.find(
    (row) => row.project === project.id && row.externalId === id && row.externalSource === source,
  );
}

/** Stores a comment; the item's `updated_at` moves only when the worker gets to it. */
export function addComment(
  state: PlaneState,
  project: Project,
  by: PlaneUser,
  itemId: string,
  body: Record<string, unknown>,
): Comment {
  const row: Comment = {
    ...newRow(state, by, body),
    project: project.id,
    issue: itemId,
    actor: by.id,
    html: typeof body['comment_html'] === 'string' ? body['comment_html'] : '<p></p>',
    access: body['access'] === 'EXTERNAL' ? 'EXTERNAL' : 'INTERNAL',
  };
  // Author and time of creation are taken from the body as they come; only `actor` is the server's own.
  const createdAt = typeof body['created_at'] === 'string' ? Date.parse(body['created_at']) : Number.NaN;
  if (!Number.isNaN(createdAt)) row.createdAt = createdAt * 1000;
  if (typeof body['created_by'] === 'string') row.createdBy = body['created_by'];
  state.comments.push(row);
  bumpLater(state, itemId);
  return row;
}

/** Rewrites a comment as anybody who may see it can, guests included: the author stays, `updated_by` changes. */
export function editComment(state: PlaneState, by: PlaneUser, row: Comment, html: string): void {
  row.html = html;
  row.updatedAt = stamp(state);
  row.updatedBy = by.id;
  bumpLater(state, row.issue);
}

export function dropComment(state: PlaneState, row: Comment): void {
  state.comments.splice(state.comments.indexOf(row), 1);
  bumpLater(state, row.issue);
}

function isMember(state: PlaneState, row: Comment): boolean {
  return state.projects.find((project) => project.id === row.project)?.members.has(row.actor) === true;
}

async function post(state: PlaneState, call: PlaneCall, project: Project, itemId: string): Promise<Reply> {
  const body = bodyOf(call);
  const holder = withExternal(state, project, body);
  if (holder !== undefined) throw externalConflict('Work item comment', holder.id);
  await sleep(raceMs);
  // Deleted and archived items still take comments; an id that never was does not.
  if (!state.items.some((item) => item.id === itemId && item.project === project.id)) {
    throw new Refusal(400, { error: 'The payload is not valid' });
  }
  const row = addComment(state, project, call.user, itemId, body);
  const shown = renderComment(state, row, call.user);
  return { status: 201, body: typeof body['actor'] === 'string' ? { ...shown, actor: body['actor'] } : shown };
}

function findComment(state: PlaneState, project: Project, itemId: string, id: string): Comment {
  const row = state.comments.find(
    (candidate) =>
      candidate.id === id.toLowerCase() && candidate.issue === itemId.toLowerCase() && candidate.project === project.id,
  );
  if (row === undefined) throw notThere();
  return row;
}

function patch(state: PlaneState, call: PlaneCall, project: Project, row: Comment): Reply {
  const body = bodyOf(call);
  const holder = withExternal(state, project, body);
  if (holder !== undefined && holder !== row) throw externalConflict('Work item comment', row.id);
  editComment(state, call.user, row, typeof body['comment_html'] === 'string' ? body['comment_html'] : row.html);
  if (typeof body['external_id'] === 'string') row.externalId = body['external_id'];
  if (typeof body['external_source'] === 'string') row.externalSource = body['external_source'];
  return { status: 200, body: renderComment(state, row, call.user) };
}

function addLink(state: PlaneState, call: PlaneCall, project: Project, itemId: string): Reply {
  const body = bodyOf(call);
  const url = body['url'];
  if (url === undefined) throw new Refusal(400, { url: ['This field is required.'] });
  if (typeof url !== 'string' || !URL.canParse(url)) throw new Refusal(400, { error: 'Invalid URL format.' });
  if (state.links.some((link) => link.issue === itemId && link.url === url)) {
    throw new Refusal(400, { error: 'URL already exists for this Issue' });
  }
  const row: LinkRow = {
    ...newRow(state, call.user),
    project: project.id,
    issue: itemId,
    title: typeof body['title'] === 'string' ? body['title'] : '',
    url,
  };
  state.links.push(row);
  bumpLater(state, itemId);
  return { status: 201, body: renderLink(state, row, call.user) };
}

/** Routes of comments and links below the work items' name. */
export function commentRoutes(name: string): PlaneRoute[] {
  const root = `/api/v1/workspaces/:name/projects/:uuid/${name}/:uuid/`;
  const as =
    (
      role: number,
      handler: (
        state: PlaneState,
        call: PlaneCall,
        project: Project,
        itemId: string,
        id: string,
      ) => Reply | Promise<Reply>,
    ): PlaneHandler =>
    (state, call, [slug = '', projectId = '', itemId = '', id = '']) =>
      handler(state, call, projectOf(state, call, slug, projectId, role), itemId.toLowerCase(), id);
  return [
    route(`${root}comments/`, {
      // Always newest first; `order_by` is not listened to, and an unknown item has an empty list.
      GET: as(5, (state, call, project, itemId) => {
        const rows = state.comments
          .filter((row) => row.project === project.id && row.issue === itemId)
          .toSorted((a, b) => b.createdAt - a.createdAt);
        return page(call, rows, (row) => ({
          ...renderComment(state, row, call.user),
          is_member: isMember(state, row),
        }));
      }),
      POST: as(5, post),
    }),
    route(`${root}comments/:uuid/`, {
      GET: as(5, (state, call, project, itemId, id) => {
        const row = findComment(state, project, itemId, id);
        return { status: 200, body: { ...renderComment(state, row, call.user), is_member: isMember(state, row) } };
      }),
      PATCH: as(5, (state, call, project, itemId, id) =>
        patch(state, call, project, findComment(state, project, itemId, id)),
      ),
      DELETE: as(5, (state, _call, project, itemId, id) => {
        dropComment(state, findComment(state, project, itemId, id));
        return { status: 204 };
      }),
    }),
    route(`${root}links/`, {
      GET: as(5, (state, call, project, itemId) => {
        const rows = state.links.filter((row) => row.project === project.id && row.issue === itemId);
        return page(call, rows.toReversed(), (row) => renderLink(state, row, call.user));
      }),
      POST: as(15, addLink),
    }),
    route(`${root}links/:uuid/`, {
      DELETE: as(15, (state, _call, project, itemId, id) => {
        const at = state.links.findIndex((row) => row.id === id && row.issue === itemId && row.project === project.id);
        if (at < 0) throw notThere();
        state.links.splice(at, 1);
        bumpLater(state, itemId);
        return { status: 204 };
      }),
    }),
  ];
}
