import { randomUUID } from 'node:crypto';
import { route } from '../http.ts';
import type { Reply } from '../http.ts';
import { renderActivity, renderItem } from './render.ts';
import { bodyOf, crash, externalConflict, notThere, onlyFields, page, projectOf, Refusal } from './reply.ts';
import type { PlaneCall, PlaneRoute } from './reply.ts';
import { bumpLater, later, newRow, stamp } from './state.ts';
import type { PlaneState, PlaneUser, Project, WorkItem } from './state.ts';

/** Columns that the list hands to the database as they come; any other name crashes the real server. */
const sortable: Record<string, (item: WorkItem) => string | number> = {
  id: (item) => item.id,
  created_at: (item) => item.createdAt,
  updated_at: (item) => item.updatedAt,
  sequence_id: (item) => item.sequence,
  sort_order: (item) => item.sequence,
  name: (item) => item.name,
  priority: (item) => ['urgent', 'high', 'medium', 'low', 'none'].indexOf(item.priority),
  completed_at: (item) => item.completedAt ?? 0,
  state: (item) => item.state,
};

const priorities = ['urgent', 'high', 'medium', 'low', 'none'];

/** Items that the API shows: neither deleted, archived, nor in an archived project. */
export function visibleItems(state: PlaneState, project: Project): WorkItem[] {
  if (project.archivedAt !== null) return [];
  return state.items.filter((item) => item.project === project.id && !item.deleted && item.archivedAt === null);
}

function ordered(items: WorkItem[], orderBy: string): WorkItem[] {
  const descending = orderBy.startsWith('-');
  const key = sortable[descending ? orderBy.slice(1) : orderBy];
  if (key === undefined) throw crash();
  return items.toSorted((a, b) => {
    const [x, y] = [key(a), key(b)];
    return (x < y ? -1 : x > y ? 1 : 0) * (descending ? -1 : 1);
  });
}

function expandOf(call: PlaneCall): string[] {
  return (call.query.get('expand') ?? '').split(',').filter((name) => name !== '');
}

function list(state: PlaneState, call: PlaneCall, project: Project): Reply {
  const items = visibleItems(state, project);
  const source = call.query.get('external_source');
  const external = call.query.get('external_id');
  if (source && external) {
    const found = items.filter((item) => item.externalSource === source && item.externalId === external);
    if (found.length > 1) throw crash();
    if (found[0] === undefined) throw notThere();
    return { status: 200, body: onlyFields(call, renderItem(state, found[0], call.user, expandOf(call))) };
  }
  const rows = ordered(items, call.query.get('order_by') ?? '-created_at');
  return page(call, rows, (item) => renderItem(state, item, call.user, expandOf(call)));
}

/** What the server's sanitiser leaves of a description: scripts and HTML comments go, several roots get one. */
function sanitised(html: string): string {
  if (html.trim() === '') throw new Refusal(400, { non_field_errors: ['Invalid HTML passed'] });
  const clean = html.replace(/<script\b[\s\S]*?<\/script\s*>/gi, '').replace(/<!--[\s\S]*?-->/g, '');
  return /^\s*<(\w+)[^>]*>(?:(?!<\/\1>)[\s\S])*<\/\1>\s*$/.test(clean) ? clean : `<div>${clean}</div>`;
}

/** Applies a body to an item; unknown keys are ignored, as the real serializer does. */
function apply(state: PlaneState, project: Project, item: WorkItem, body: Record<string, unknown>): void {
  const { name, description_html: html, state: stateId, priority, labels } = body;
  if (name !== undefined) {
    if (typeof name !== 'string' || name.trim() === '')
      throw new Refusal(400, { name: ['This field may not be blank.'] });
    if (name.length > 255) throw new Refusal(400, { name: ['Ensure this field has no more than 255 characters.'] });
    item.name = name;
  }
  if (typeof html === 'string') item.descriptionHtml = sanitised(html);
  if (stateId !== undefined) {
    const row = state.states.find((candidate) => candidate.id === stateId);
    if (row === undefined)
      throw new Refusal(400, { state: [`Invalid pk "${String(stateId)}" - object does not exist.`] });
    if (row.project !== project.id) {
      throw new Refusal(400, { non_field_errors: ['State is not valid please pass a valid state_id'] });
    }
    item.state = row.id;
  }
  if (priority !== undefined) {
    if (!priorities.includes(String(priority)))
      throw new Refusal(400, { priority: [`"${String(priority)}" is not a valid choice.`] });
    item.priority = String(priority);
  }
  if (Array.isArray(labels)) {
    item.labels = labels.filter((id): id is string =>
      state.labels.some((label) => label.id === id && label.project === project.id),
    );
  }
}

function sameExternal(state: PlaneState, project: Project, body: Record<string, unknown>): WorkItem | undefined {
  const { external_id: id, external_source: source } = body;
  if (typeof id !== 'string' || typeof source !== 'string') return undefined;
  return visibleItems(state, project).find((item) => item.externalId === id && item.externalSource === source);
}

/** Makes an item; shared by the API and by the people of the tests. */
export function createItem(
  state: PlaneState,
  project: Project,
  by: PlaneUser,
  body: Record<string, unknown>,
): WorkItem {
  if (body['name'] === undefined) throw new Refusal(400, { name: ['This field is required.'] });
  const inProject = state.states.filter((row) => row.project === project.id);
  const initial = inProject.find((row) => row.isDefault) ?? inProject[0];
  const item: WorkItem = {
    ...newRow(state, by, body),
    project: project.id,
    sequence: project.lastSequence + 1,
    name: '',
    descriptionHtml: '<p></p>',
    priority: 'none',
    state: initial?.id ?? '',
    labels: [],
    assignees: [],
    archivedAt: null,
    completedAt: null,
    deleted: false,
  };
  apply(state, project, item, body);
  project.lastSequence = item.sequence;
  state.items.push(item);
  bumpLater(state, item.id);
  return item;
}

/** Changes an item and lets the worker move `updated_at` a second time, a no-op change included. */
export function changeItem(
  state: PlaneState,
  project: Project,
  by: PlaneUser,
  item: WorkItem,
  body: Record<string, unknown>,
): void {
  const before = state.states.find((row) => row.id === item.state);
  apply(state, project, item, body);
  if (body['state'] !== undefined) state.stateWrites.push({ item: item.id, state: item.state, by: by.id });
  const after = state.states.find((row) => row.id === item.state);
  item.updatedAt = stamp(state);
  item.updatedBy = by.id;
  item.completedAt = after?.group === 'completed' ? stamp(state) : null;
  bumpLater(state, item.id);
  if (before === undefined || after === undefined || before.id === after.id) return;
  later(state, () => {
    state.activities.push({
      id: randomUUID(),
      project: project.id,
      issue: item.id,
      at: stamp(state),
      actor: by.id,
      verb: 'updated',
      field: 'state',
      oldValue: before.name,
      newValue: after.name,
      oldIdentifier: before.id,
      newIdentifier: after.id,
    });
  });
}

function one(state: PlaneState, project: Project, id: string, hidden: boolean): WorkItem {
  const items = hidden
    ? state.items.filter((item) => item.project === project.id && !item.deleted)
    : visibleItems(state, project);
  const item = items.find((candidate) => candidate.id === id.toLowerCase());
  if (item === undefined) throw notThere();
  return item;
}

function patch(state: PlaneState, call: PlaneCall, slug: string, projectId: string, id: string): Reply {
  const project = projectOf(state, call, slug, projectId, 15);
  // An archived item is hidden from every read and can still be written.
  const item = one(state, project, id, true);
  const body = bodyOf(call);
  const holder = sameExternal(state, project, body);
  if (holder !== undefined && holder !== item) throw externalConflict('Issue', item.id);
  changeItem(state, project, call.user, item, body);
  if (typeof body['external_id'] === 'string') item.externalId = body['external_id'];
  if (typeof body['external_source'] === 'string') item.externalSource = body['external_source'];
  return { status: 200, body: renderItem(state, item, call.user) };
}

function byKey(state: PlaneState, call: PlaneCall, slug: string, key: string): Reply {
  const parts = /^(.+)-(\d+)$/.exec(decodeURIComponent(key));
  const project = state.projects.find((candidate) => candidate.identifier === parts?.[1]);
  if (parts === null) throw notThere();
  projectOf(state, call, slug, project?.id ?? '');
  const item = project && visibleItems(state, project).find((candidate) => candidate.sequence === Number(parts[2]));
  if (item === undefined) throw notThere();
  return { status: 200, body: onlyFields(call, renderItem(state, item, call.user, expandOf(call))) };
}

/** Routes of work items under one of their two names, `work-items` and the older `issues`. */
export function itemRoutes(name: string): PlaneRoute[] {
  const root = `/api/v1/workspaces/:name/projects/:uuid/${name}/`;
  return [
    route(root, {
      GET: (state, call, [slug = '', id = '']) => list(state, call, projectOf(state, call, slug, id)),
      POST: (state, call, [slug = '', id = '']) => {
        const project = projectOf(state, call, slug, id, 15);
        const body = bodyOf(call);
        const holder = sameExternal(state, project, body);
        if (holder !== undefined) throw externalConflict('Issue', holder.id);
        return { status: 201, body: renderItem(state, createItem(state, project, call.user, body), call.user) };
      },
    }),
    route(`${root}:uuid/`, {
      GET: (state, call, [slug = '', id = '', itemId = '']) => {
        const item = one(state, projectOf(state, call, slug, id), itemId, false);
        return { status: 200, body: onlyFields(call, renderItem(state, item, call.user, expandOf(call))) };
      },
      PATCH: (state, call, [slug = '', id = '', itemId = '']) => patch(state, call, slug, id, itemId),
      DELETE: (state, call, [slug = '', id = '', itemId = '']) => {
        one(state, projectOf(state, call, slug, id, 15), itemId, true).deleted = true;
        return { status: 204 };
      },
    }),
    route(`${root}:uuid/activities/`, {
      GET: (state, call, [slug = '', id = '', itemId = '']) => {
        projectOf(state, call, slug, id);
        const rows = state.activities.filter((row) => row.issue === itemId.toLowerCase());
        return page(call, rows, (row) => renderActivity(state, row, call.user));
      },
    }),
    route(`/api/v1/workspaces/:name/${name}/([^/]+-\\d+)/`, {
      GET: (state, call, [slug = '', key = '']) => byKey(state, call, slug, key),
    }),
  ];
}
