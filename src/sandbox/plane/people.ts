import { randomUUID } from 'node:crypto';
import { addState } from './catalog.ts';
import { addComment, dropComment, editComment } from './comments.ts';
import { changeItem, createItem } from './items.ts';
import { later, newRow, newToken, planeRoles, stamp } from './state.ts';
import type { Comment, LabelRow, PlaneState, PlaneUser, Project, WorkItem } from './state.ts';

const defaultStates: { name: string; group: string; color: string; isDefault?: boolean }[] = [
  { name: 'Backlog', group: 'backlog', color: '#60646C', isDefault: true },
  { name: 'Todo', group: 'unstarted', color: '#60646C' },
  { name: 'In Progress', group: 'started', color: '#F59E0B' },
  { name: 'Done', group: 'completed', color: '#46A758' },
  { name: 'Cancelled', group: 'cancelled', color: '#9AA4BC' },
];

interface NewItem {
  name: string;
  description_html?: string;
  /** Names; missing ones are made. */
  labels?: string[];
  /** Name of a state. */
  state?: string;
  priority?: string;
}

/** People at work in the user interface: the same state and the same after-effects as through the API, without a request. */
export interface PlanePeople {
  addUser(user: { email: string; displayName?: string; role?: keyof typeof planeRoles; token?: string }): PlaneUser;
  /** Every user of that moment becomes a member with their workspace role. */
  addProject(
    project: { identifier: string; name: string; states?: { name: string; group: string }[] },
    by?: PlaneUser,
  ): Project;
  addLabel(project: Project, by: PlaneUser, name: string): LabelRow;
  addItem(project: Project, by: PlaneUser, item: NewItem): WorkItem;
  editItemAs(
    user: PlaneUser,
    item: WorkItem,
    change: { name?: string; description_html?: string; priority?: string },
  ): void;
  moveAs(user: PlaneUser, item: WorkItem, stateName: string): void;
  commentAs(user: PlaneUser, item: WorkItem, html: string): Comment;
  editCommentAs(user: PlaneUser, comment: Comment, html: string): void;
  deleteComment(comment: Comment): void;
  archive(item: WorkItem): void;
  unarchive(item: WorkItem): void;
  deleteItem(item: WorkItem): void;
  /** Comments of an item, oldest first. */
  commentsOf(item: WorkItem): Comment[];
  stateName(item: WorkItem): string;
  itemNumber(project: Project, sequence: number): WorkItem;
  /** Stops the background worker: comments no longer move their item until it starts again and catches up. */
  stopWorker(): void;
  startWorker(): void;
}

function must<T>(value: T | undefined, what: string): T {
  if (value === undefined) throw new Error(`the sandbox has no ${what}`);
  return value;
}

/** Wires the helpers to one server's state. */
export function planePeople(state: PlaneState): PlanePeople {
  const projectOf = (item: WorkItem): Project =>
    must(
      state.projects.find((row) => row.id === item.project),
      'such project',
    );
  const stateId = (project: Project, name: string): string =>
    must(
      state.states.find((row) => row.project === project.id && row.name === name),
      `state "${name}"`,
    ).id;
  const people: PlanePeople = {
    addUser: (user) => addUser(state, user),
    addProject: (project, by) => addProject(state, project, by),
    addLabel(project, by, name) {
      const row: LabelRow = { ...newRow(state, by), project: project.id, name, color: '#FF6900' };
      state.labels.push(row);
      return row;
    },
    addItem(project, by, item) {
      const labels = (item.labels ?? []).map(
        (name) =>
          (
            state.labels.find((row) => row.project === project.id && row.name === name) ??
            people.addLabel(project, by, name)
          ).id,
      );
      const { state: stateName, ...rest } = item;
      return createItem(state, project, by, {
        ...rest,
        labels,
        ...(stateName === undefined ? {} : { state: stateId(project, stateName) }),
      });
    },
    editItemAs: (user, item, change) => changeItem(state, projectOf(item), user, item, change),
    moveAs: (user, item, name) =>
      changeItem(state, projectOf(item), user, item, { state: stateId(projectOf(item), name) }),
    commentAs: (user, item, html) => addComment(state, projectOf(item), user, item.id, { comment_html: html }),
    editCommentAs: (user, comment, html) => editComment(state, user, comment, html),
    deleteComment: (comment) => dropComment(state, comment),
    archive: (item) => void (item.archivedAt = stamp(state)),
    unarchive: (item) => void ((item.archivedAt = null), (item.updatedAt = stamp(state))),
    deleteItem: (item) => void (item.deleted = true),
    commentsOf: (item) => state.comments.filter((row) => row.issue === item.id),
    stateName: (item) =>
      must(
        state.states.find((row) => row.id === item.state),
        'such state',
      ).name,
    itemNumber: (project, n) =>
      must(
        state.items.find((row) => row.project === project.id && row.sequence === n),
        `item ${n}`,
      ),
    stopWorker: () => void (state.worker.running = false),
    startWorker() {
      state.worker.running = true;
      for (const work of state.worker.backlog.splice(0)) later(state, work);
    },
  };
  return people;
}

function addUser(
  state: PlaneState,
  user: { email: string; displayName?: string; role?: keyof typeof planeRoles; token?: string },
): PlaneUser {
  const name = user.displayName ?? user.email.split('@', 1)[0] ?? user.email;
  const row: PlaneUser = {
    id: randomUUID(),
    email: user.email,
    firstName: name,
    displayName: name,
    token: user.token ?? newToken(),
    role: planeRoles[user.role ?? 'member'],
    offsetMinutes: 0,
  };
  state.users.push(row);
  return row;
}

function addProject(
  state: PlaneState,
  wanted: { identifier: string; name: string; states?: { name: string; group: string }[] },
  by?: PlaneUser,
): Project {
  const owner = by ?? must(state.users[0], 'user yet: add one before a project');
  const project: Project = {
    ...newRow(state, owner),
    identifier: wanted.identifier,
    name: wanted.name,
    archivedAt: null,
    members: new Map(state.users.map((user) => [user.id, user.role])),
    lastSequence: 0,
  };
  state.projects.push(project);
  for (const row of [...defaultStates, ...(wanted.states ?? [])]) addState(state, project, owner, row);
  return project;
}
