import { OrchError } from '../../model/index.ts';
import type { ItemId, WorkItem, Tracker, ProjectId } from '../../model/index.ts';
import type { Fields } from '../http/decode.ts';
import { segment } from '../http/paths.ts';
import type { HttpAnswer } from '../http/types.ts';
import { isUnknownRoute } from './api.ts';
import type { PlaneApi } from './api.ts';
import { pageQuery, readPage } from './pages.ts';

/** Named, because the whole row carries the collaborative document in base64. Unknown names are dropped silently. */
const listFields = 'id,sequence_id,name,state,priority,labels,updated_at,updated_by,archived_at';
const wholeFields = `${listFields},description_html`;

/**
 * The newest changes are listed whole, so that none of them has to be read one by one: few at a time, because a description may be
 * long. Where the page is larger than this, bytes, or does not come, the long list without descriptions serves for a while.
 */
const wholePage = 10;
const maxWholePage = 512 * 1024;
const plainListMs = 60 * 60_000;
/** Goes on after a whole page, in a list of other pages: from its beginning, so that what moves meanwhile is shown twice, not missed. */
const fromTheTop = 'top';

type ItemPort = Pick<Tracker, 'items' | 'highestNumber' | 'item' | 'itemByKey' | 'setState'>;

/** Work items: the polled list, one item, look-up by key, change of state. */
export function createItems(api: PlaneApi): ItemPort {
  /** Until when a project's newest changes are listed without descriptions, on the monotonic clock. */
  const plainUntil = new Map<ProjectId, number>();
  const itemPath = (project: ProjectId, item: ItemId, route: string): string =>
    `projects/${segment(project)}/${route}/${segment(item)}/`;
  const readItem: Tracker['item'] = async (project, item) => {
    const answer = await api.sendItem((route) => ({
      method: 'GET',
      path: itemPath(project, item, route),
      query: { fields: wholeFields },
    }));
    if (await isGoneFrom(project, answer, api)) return null;
    const found = wholeItemOf(api.decoder(answer).record(api.accept(answer), 'item'));
    return found.archived ? null : found;
  };
  const list = async (project: ProjectId, query: Record<string, string>) => {
    const answer = await api.sendItem((route) => ({
      method: 'GET',
      path: `projects/${segment(project)}/${route}/`,
      query: { order_by: '-updated_at', ...query },
    }));
    const rows = readPage(api, answer, (fields) => itemOf(fields, fields.textOrNull('description_html')));
    return { answer, page: rows };
  };
  const newest: (project: ProjectId) => ReturnType<Tracker['items']> = async (project) => {
    const plain = (): void => void plainUntil.set(project, performance.now() + plainListMs);
    try {
      const { answer, page } = await list(project, pageQuery(null, { per_page: `${wholePage}`, fields: wholeFields }));
      if (answer.text.length > maxWholePage) plain();
      return { items: page.rows, next: page.next === null ? null : fromTheTop };
    } catch (error) {
      if (!(error instanceof OrchError) || (error.code !== 'plane_too_large' && error.code !== 'plane_unreachable'))
        throw error;
      plain();
      if (error.code !== 'plane_too_large') throw error;
      return items(project, fromTheTop);
    }
  };
  const items: Tracker['items'] = async (project, cursor) => {
    if (cursor === null && performance.now() >= (plainUntil.get(project) ?? 0)) return newest(project);
    const { answer, page } = await list(
      project,
      pageQuery(cursor === fromTheTop ? null : cursor, { fields: listFields }),
    );
    if (page.next !== null && page.next === cursor) throw api.garbage(answer, 'the next page is this page');
    return { items: page.rows, next: page.next };
  };
  return {
    items,
    highestNumber: async (project) => {
      const query = pageQuery(null, { per_page: '1', order_by: '-sequence_id', fields: 'id,sequence_id' });
      const answer = await api.sendItem((route) => ({
        method: 'GET',
        path: `projects/${segment(project)}/${route}/`,
        query,
      }));
      return readPage(api, answer, (fields) => fields.integer('sequence_id')).rows[0] ?? 0;
    },
    item: readItem,
    itemByKey: async (identifier, number) => {
      const answer = await api.sendItem((route) => ({
        method: 'GET',
        path: `${route}/${segment(identifier)}-${number}/`,
        query: { fields: 'id,project' },
      }));
      if (isGone(answer, api)) return null;
      const fields = api.decoder(answer).record(api.accept(answer), 'item');
      return { id: fields.id('id') as ItemId, projectId: fields.id('project') as ProjectId };
    },
    setState: async (project, item, stateId) => {
      const answer = await api.sendItem((route) => ({
        method: 'PATCH',
        path: itemPath(project, item, route),
        body: { state: stateId },
      }));
      // A proxy's page with status 200 must not pass for a change of state, nor an answer that shows the old one.
      const fields = api.decoder(answer).record(api.accept(answer), 'item');
      if (fields.textOrNull('state') === stateId) return wholeItemOf(fields);
      const found = await readItem(project, item);
      if (found?.stateId === stateId) return found;
      throw new OrchError(`Plane said yes to the state ${stateId}, but the item shows ${found?.stateId ?? 'none'}`, {
        code: 'plane_server_error',
        hint: 'Look whether a rule or an automation in Plane, or a proxy in front of it, holds states back.',
      });
    },
  };
}

/** Only Plane's own 404 about the object means "gone"; an unknown route or a proxy's page is no news of the item. */
function isGone(answer: HttpAnswer, api: PlaneApi): boolean {
  return answer.status === 404 && !isUnknownRoute(answer) && api.failure(answer).code === 'plane_not_found';
}

/**
 * A server that answers 404 to everything (an upgrade, a restored backup, a proxy that speaks JSON) has lost no item: the
 * project itself must be there. @throws OrchError of the project's answer
 */
async function isGoneFrom(project: ProjectId, answer: HttpAnswer, api: PlaneApi): Promise<boolean> {
  if (!isGone(answer, api)) return false;
  const above = await api.send({ method: 'GET', path: `projects/${segment(project)}/` });
  api.decoder(above).record(api.accept(above), 'project').id('id');
  return true;
}

function wholeItemOf(fields: Fields): WorkItem {
  return itemOf(fields, fields.textOrNull('description_html') ?? '');
}

function itemOf(fields: Fields, descriptionHtml: string | null): WorkItem {
  return {
    id: fields.id('id') as ItemId,
    number: fields.integer('sequence_id'),
    name: fields.text('name'),
    descriptionHtml,
    priority: fields.textOrNull('priority') ?? 'none',
    stateId: fields.textOrNull('state') ?? '',
    labels: fields.texts('labels'),
    updatedAt: fields.time('updated_at'),
    updatedBy: fields.textOrNull('updated_by'),
    archived: fields.textOrNull('archived_at') !== null,
  };
}
