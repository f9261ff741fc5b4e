import { route } from '../http.ts';
import type { Reply } from '../http.ts';
import { visibleItems } from './items.ts';
import { renderLabel, renderProject, renderState, renderUser } from './render.ts';
import { bodyOf, externalConflict, forbidden, notThere, page, projectOf, Refusal } from './reply.ts';
import type { PlaneCall, PlaneHandler, PlaneRoute } from './reply.ts';
import { newRow, stamp } from './state.ts';
import type { LabelRow, PlaneState, PlaneUser, Project, StateRow } from './state.ts';

const groups = ['backlog', 'unstarted', 'started', 'completed', 'cancelled'];

/** Adds a state to a project; shared by the API and by the people of the tests. */
export function addState(
  state: PlaneState,
  project: Project,
  by: PlaneUser,
  wanted: {
    name: string;
    group: string;
    color?: string;
    isDefault?: boolean;
    external_source?: unknown;
    external_id?: unknown;
  },
): StateRow {
  const row: StateRow = {
    ...newRow(state, by, wanted),
    project: project.id,
    name: wanted.name,
    color: wanted.color ?? '#60646C',
    group: wanted.group,
    sequence: 15_000 + 10_000 * state.states.filter((other) => other.project === project.id).length,
    isDefault: wanted.isDefault ?? false,
  };
  state.states.push(row);
  return row;
}

function postState(state: PlaneState, call: PlaneCall, project: Project): Reply {
  const body = bodyOf(call);
  const missing = ['name', 'color'].filter((key) => typeof body[key] !== 'string' || body[key] === '');
  if (missing.length > 0)
    throw new Refusal(400, Object.fromEntries(missing.map((key) => [key, ['This field is required.']])));
  const group = body['group'] ?? 'backlog';
  if (typeof group !== 'string' || !groups.includes(group)) {
    throw new Refusal(
      400,
      group === 'triage'
        ? { error: 'Cannot create triage state' }
        : { group: [`"${String(group)}" is not a valid choice.`] },
    );
  }
  const rows = state.states.filter((row) => row.project === project.id);
  const same = rows.find(
    (row) =>
      row.externalId !== null &&
      row.externalId === body['external_id'] &&
      row.externalSource === body['external_source'],
  );
  if (same !== undefined) throw externalConflict('State', same.id);
  const named = rows.find((row) => row.name === body['name']);
  if (named !== undefined)
    throw new Refusal(409, { error: 'State with the same name already exists in the project', id: named.id });
  const row = addState(state, project, call.user, {
    ...body,
    name: String(body['name']),
    color: String(body['color']),
    group,
  });
  // 200, not 201: the one create that answers so.
  return { status: 200, body: renderState(state, row, call.user) };
}

function postLabel(state: PlaneState, call: PlaneCall, project: Project): Reply {
  const body = bodyOf(call);
  if (typeof body['name'] !== 'string' || body['name'] === '')
    throw new Refusal(400, { name: ['This field is required.'] });
  const rows = state.labels.filter((row) => row.project === project.id);
  const same = rows.find(
    (row) =>
      row.externalId !== null &&
      row.externalId === body['external_id'] &&
      row.externalSource === body['external_source'],
  );
  if (same !== undefined) throw externalConflict('Label', same.id);
  const named = rows.find((row) => row.name === body['name']);
  if (named !== undefined)
    throw new Refusal(409, { error: 'Label with the same name already exists in the project', id: named.id });
  const row: LabelRow = {
    ...newRow(state, call.user, body),
    project: project.id,
    name: body['name'],
    color: String(body['color'] ?? ''),
  };
  state.labels.push(row);
  return { status: 201, body: renderLabel(state, row, call.user) };
}

function search(state: PlaneState, call: PlaneCall, slug: string): Reply {
  if (slug !== state.workspace.slug) throw forbidden();
  const wanted = (call.query.get('search') ?? '').toLowerCase();
  if (wanted === '') return { status: 200, body: { issues: [] } };
  const found = state.projects
    .filter((project) => project.members.has(call.user.id))
    .flatMap((project) => visibleItems(state, project).map((item) => ({ project, item })))
    .filter(
      ({ project, item }) =>
        item.name.toLowerCase().includes(wanted) || `${project.identifier}-${item.sequence}`.toLowerCase() === wanted,
    )
    .slice(0, Number(call.query.get('limit') ?? 10))
    .map(({ project, item }) => ({
      name: item.name,
      id: item.id,
      sequence_id: item.sequence,
      project__identifier: project.identifier,
      project_id: project.id,
      workspace__slug: slug,
    }));
  return { status: 200, body: { issues: found } };
}

function members(state: PlaneState, call: PlaneCall, slug: string, projectId: string): Reply {
  const project = projectOf(state, call, slug, projectId);
  const people = state.users.filter((user) => project.members.has(user.id));
  // A bare array, and without roles: only the workspace's list has those.
  return { status: 200, body: people.map(renderUser) };
}

function stateRow(state: PlaneState, project: Project, id: string): StateRow {
  const row = state.states.find((candidate) => candidate.id === id && candidate.project === project.id);
  if (row === undefined) throw notThere();
  return row;
}

const as =
  (handler: (state: PlaneState, call: PlaneCall, p: [string, string, string]) => Reply): PlaneHandler =>
  (state, call, [a = '', b = '', c = '']) =>
    handler(state, call, [a, b, c]);

const W = '/api/v1/workspaces/:name/';
const P = `${W}projects/:uuid/`;

/** Users, members, projects, states, labels and search. */
export const catalogRoutes: PlaneRoute[] = [
  route('/api/v1/users/me/', { GET: as((_state, call) => ({ status: 200, body: renderUser(call.user) })) }),
  route(`${W}members/`, {
    GET: as((state, call, [slug]) => {
      if (slug !== state.workspace.slug) throw forbidden();
      return { status: 200, body: state.users.map((user) => ({ ...renderUser(user), role: user.role })) };
    }),
  }),
  route(`${W}projects/`, {
    GET: as((state, call, [slug]) => {
      if (slug !== state.workspace.slug) throw forbidden();
      const rows = state.projects.filter((project) => project.members.has(call.user.id));
      return page(call, rows, (row) => renderProject(state, row, call.user));
    }),
  }),
  route(P, {
    GET: as((state, call, [slug, id]) => ({
      status: 200,
      body: renderProject(state, projectOf(state, call, slug, id), call.user),
    })),
  }),
  route(`${P}members/`, { GET: as((state, call, [slug, id]) => members(state, call, slug, id)) }),
  route(`${P}states/`, {
    GET: as((state, call, [slug, id]) => {
      const project = projectOf(state, call, slug, id);
      const rows = state.states.filter((row) => row.project === project.id && row.group !== 'triage');
      return page(
        call,
        rows.toSorted((a, b) => a.sequence - b.sequence),
        (row) => renderState(state, row, call.user),
      );
    }),
    POST: as((state, call, [slug, id]) => postState(state, call, projectOf(state, call, slug, id, 15))),
  }),
  route(`${P}states/:uuid/`, {
    GET: as((state, call, [slug, id, row]) => {
      const project = projectOf(state, call, slug, id);
      return { status: 200, body: renderState(state, stateRow(state, project, row), call.user) };
    }),
    PATCH: as((state, call, [slug, id, rowId]) => {
      const row = stateRow(state, projectOf(state, call, slug, id, 15), rowId);
      const body = bodyOf(call);
      if (typeof body['name'] === 'string') row.name = body['name'];
      row.updatedAt = stamp(state);
      return { status: 200, body: renderState(state, row, call.user) };
    }),
    DELETE: as((state, call, [slug, id, rowId]) => {
      const row = stateRow(state, projectOf(state, call, slug, id, 15), rowId);
      if (row.isDefault) throw new Refusal(400, { error: 'Default state cannot be deleted' });
      if (state.items.some((item) => item.state === row.id && !item.deleted)) {
        throw new Refusal(400, { error: 'The state is not empty, only empty states can be deleted' });
      }
      state.states.splice(state.states.indexOf(row), 1);
      return { status: 204 };
    }),
  }),
  route(`${P}labels/`, {
    GET: as((state, call, [slug, id]) => {
      const project = projectOf(state, call, slug, id);
      return page(
        call,
        state.labels.filter((row) => row.project === project.id),
        (row) => renderLabel(state, row, call.user),
      );
    }),
    POST: as((state, call, [slug, id]) => postLabel(state, call, projectOf(state, call, slug, id, 15))),
  }),
];

/** Search came with 0.28; it has the two names, too. */
export function searchRoute(name: string): PlaneRoute {
  return route(`${W}${name}/search/`, { GET: as((state, call, [slug]) => search(state, call, slug)) });
}
