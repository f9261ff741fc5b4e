import { itemStateGroups, OrchError } from '../../model/index.ts';
import type { Person, Tracker, ItemState, ProjectFacts, ProjectId } from '../../model/index.ts';
import type { Fields } from '../http/decode.ts';
import type { HttpAnswer } from '../http/types.ts';
import { segment } from '../http/paths.ts';
import type { PlaneApi } from './api.ts';
import { pageQuery, readAll } from './pages.ts';

type ProjectPort = Pick<
  Tracker,
  'me' | 'project' | 'states' | 'labels' | 'members' | 'facts' | 'createState' | 'version'
>;

/** What changes rarely: the account, projects, states, labels, members, the server's version. */
export function createProjects(api: PlaneApi): ProjectPort {
  const list = <T extends { id: string }>(
    project: ProjectId,
    resource: string,
    row: (fields: Fields) => T,
  ): Promise<T[]> => {
    const path = `projects/${segment(project)}/${resource}/`;
    return readAll(api, (cursor, more) => api.send({ method: 'GET', path, query: pageQuery(cursor, more) }), row);
  };
  const one = async (path: string): Promise<Fields> => {
    const answer = await api.send({ method: 'GET', path });
    return api.decoder(answer).record(api.accept(answer), 'answer');
  };
  const states: Tracker['states'] = (project) => list(project, 'states', (fields) => stateOf(fields));
  const labels: Tracker['labels'] = (project) =>
    list(project, 'labels', (fields) => ({ id: fields.id('id'), name: fields.text('name') }));
  // The one kind of list without an envelope.
  const peopleOf = (answer: HttpAnswer): Person[] => {
    const value = api.accept(answer);
    if (!Array.isArray(value)) throw api.garbage(answer, 'members are no list');
    return api.decoder(answer).rows(value, 'members', memberOf);
  };
  const members: Tracker['members'] = async (project) => {
    const people = peopleOf(await api.send({ method: 'GET', path: `projects/${segment(project)}/members/` }));
    if (people.every(({ role }) => role !== null)) return people;
    // The community edition reports roles with the workspace only, and to those who may see its members.
    const answer = await api.send({ method: 'GET', path: 'members/' });
    if (answer.status === 403 || answer.status === 404) return people;
    const roles = new Map(peopleOf(answer).map(({ id, role }) => [id, role]));
    return people.map((person) => ({ ...person, role: person.role ?? roles.get(person.id) ?? null }));
  };
  return {
    states,
    labels,
    members,
    facts: async (project) => factsOf(project, await states(project), await labels(project), await members(project)),
    me: async () => {
      const fields = await one('/api/v1/users/me/');
      return { id: fields.id('id'), name: fields.textOrNull('display_name') ?? fields.textOrNull('email') ?? '' };
    },
    project: async (project) => {
      const fields = await one(`projects/${segment(project)}/`);
      return {
        id: fields.id('id') as ProjectId,
        name: fields.text('name'),
        identifier: fields.text('identifier'),
        archived: fields.textOrNull('archived_at') !== null,
      };
    },
    createState: (project, state) => createState(api, states, project, state),
    version: async () => {
      const answer = await api.send({ method: 'GET', path: '/api/instances/' });
      if (answer.status === 404) return null;
      const fields = api.decoder(answer).record(api.accept(answer), 'answer');
      return fields.objectOrNull('instance')?.textOrNull('current_version') ?? null;
    },
  };
}

async function createState(
  api: PlaneApi,
  states: Tracker['states'],
  project: ProjectId,
  state: { name: string; group: string; color: string },
): Promise<ItemState> {
  const answer = await api.send({ method: 'POST', path: `projects/${segment(project)}/states/`, body: { ...state } });
  if (answer.status !== 409) {
    const made = stateOf(api.decoder(answer).record(api.accept(answer), 'state'));
    if (made.name !== state.name) throw api.garbage(answer, `the state "${made.name}" in place of "${state.name}"`);
    return made;
  }
  // The name is taken: somebody else made it, or an earlier try did.
  const found = (await states(project)).find((existing) => existing.name === state.name);
  if (found === undefined) throw api.failure(answer);
  return found;
}

function stateOf(fields: Fields): ItemState {
  const name = fields.text('group');
  const group = itemStateGroups.find((known) => known === name);
  if (group === undefined) throw fields.wrong('group', 'known group of states');
  return { id: fields.id('id'), name: fields.text('name'), group };
}

function factsOf(
  project: ProjectId,
  states: ItemState[],
  labels: { id: string; name: string }[],
  members: Person[],
): Omit<ProjectFacts, 'at'> {
  // A project without states, or without the account that asks, is no answer, and would be kept for an hour.
  if (states.length === 0 || members.length === 0) {
    throw new OrchError(`Plane listed no ${states.length === 0 ? 'states' : 'members'} for the project ${project}`, {
      code: 'plane_garbage',
      hint: 'Every project has some: look at Plane; the next poll asks again.',
    });
  }
  return { states, labels: Object.fromEntries(labels.map((label) => [label.id, label.name])), members };
}

/** Plane's numbers of roles: 20 administrator, 15 member, 5 guest; older versions have a viewer, 10. */
function roleOf(number: number | null): Person['role'] {
  if (number === null) return null;
  if (number >= 20) return 'admin';
  return number >= 15 ? 'member' : 'guest';
}

/** With a project the community edition reports no role and, to guests, no e-mail address. */
function memberOf(fields: Fields): Person {
  return {
    id: fields.id('id'),
    email: fields.textOrNull('email') ?? '',
    displayName: fields.textOrNull('display_name') ?? '',
    role: roleOf(fields.integerOrNull('role')),
  };
}
