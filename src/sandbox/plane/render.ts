import { timestamp } from './reply.ts';
import type {
  Activity,
  Comment,
  LabelRow,
  LinkRow,
  PlaneState,
  PlaneUser,
  Project,
  Row,
  StateRow,
  WorkItem,
} from './state.ts';

// JSON shapes of Plane CE 1.3.1. Nothing is added for convenience: what the real server leaves out is left out.

function base(state: PlaneState, row: Row, viewer: PlaneUser): Record<string, unknown> {
  return {
    id: row.id,
    created_at: timestamp(row.createdAt, viewer),
    updated_at: timestamp(row.updatedAt, viewer),
    deleted_at: null,
    external_source: row.externalSource,
    external_id: row.externalId,
    created_by: row.createdBy,
    updated_by: row.updatedBy,
    workspace: state.workspace.id,
  };
}

export function renderUser(user: PlaneUser): Record<string, unknown> {
  return {
    id: user.id,
    first_name: user.firstName,
    last_name: '',
    email: user.email,
    avatar: '',
    avatar_url: null,
    display_name: user.displayName,
  };
}

export function renderProject(state: PlaneState, row: Project, viewer: PlaneUser): Record<string, unknown> {
  return {
    ...base(state, row, viewer),
    name: row.name,
    identifier: row.identifier,
    description: '',
    network: 2,
    archived_at: row.archivedAt === null ? null : timestamp(row.archivedAt, viewer),
    total_members: row.members.size,
    is_member: row.members.has(viewer.id),
    member_role: row.members.get(viewer.id) ?? null,
    default_state: null,
    project_lead: null,
  };
}

export function renderState(state: PlaneState, row: StateRow, viewer: PlaneUser): Record<string, unknown> {
  return {
    ...base(state, row, viewer),
    name: row.name,
    description: '',
    color: row.color,
    slug: row.name.toLowerCase().replaceAll(' ', '-'),
    sequence: row.sequence,
    group: row.group,
    is_triage: row.group === 'triage',
    default: row.isDefault,
    project: row.project,
  };
}

export function renderLabel(state: PlaneState, row: LabelRow, viewer: PlaneUser): Record<string, unknown> {
  return {
    ...base(state, row, viewer),
    name: row.name,
    description: '',
    color: row.color,
    sort_order: 65535,
    project: row.project,
    parent: null,
  };
}

function expanded(state: PlaneState, item: WorkItem, viewer: PlaneUser, expand: string[]): Record<string, unknown> {
  const out: Record<string, unknown> = {};
  const person = (id: string): unknown => {
    const user = state.users.find((candidate) => candidate.id === id);
    return user === undefined ? id : renderUser(user);
  };
  if (expand.includes('state')) {
    const row = state.states.find((candidate) => candidate.id === item.state);
    out['state'] = row === undefined ? null : { id: row.id, name: row.name, color: row.color, group: row.group };
  }
  if (expand.includes('project')) {
    const project = state.projects.find((candidate) => candidate.id === item.project);
    out['project'] = project === undefined ? null : renderProject(state, project, viewer);
  }
  if (expand.includes('labels')) {
    out['labels'] = state.labels
      .filter((label) => item.labels.includes(label.id))
      .map((label) => renderLabel(state, label, viewer));
  }
  if (expand.includes('created_by')) out['created_by'] = person(item.createdBy);
  if (expand.includes('updated_by')) out['updated_by'] = person(item.updatedBy);
  if (expand.includes('assignees')) out['assignees'] = item.assignees.map(person);
  return out;
}

export function renderItem(
  state: PlaneState,
  item: WorkItem,
  viewer: PlaneUser,
  expand: string[] = [],
): Record<string, unknown> {
  return {
    ...base(state, item, viewer),
    type_id: null,
    point: null,
    name: item.name,
    description_html: item.descriptionHtml,
    description_binary: null,
    priority: item.priority,
    start_date: null,
    target_date: null,
    sequence_id: item.sequence,
    sort_order: 65535 + item.sequence,
    completed_at: item.completedAt === null ? null : timestamp(item.completedAt, viewer),
    archived_at: null,
    is_draft: false,
    project: item.project,
    parent: null,
    state: item.state,
    estimate_point: null,
    type: null,
    assignees: item.assignees,
    labels: item.labels,
    ...expanded(state, item, viewer, expand),
  };
}

export function renderComment(state: PlaneState, row: Comment, viewer: PlaneUser): Record<string, unknown> {
  return {
    ...base(state, row, viewer),
    comment_html: row.html,
    attachments: [],
    access: row.access,
    edited_at: null,
    project: row.project,
    description: null,
    issue: row.issue,
    actor: row.actor,
    parent: null,
  };
}

export function renderLink(state: PlaneState, row: LinkRow, viewer: PlaneUser): Record<string, unknown> {
  return {
    ...base(state, row, viewer),
    title: row.title,
    url: row.url,
    metadata: {},
    project: row.project,
    issue: row.issue,
  };
}

export function renderActivity(state: PlaneState, row: Activity, viewer: PlaneUser): Record<string, unknown> {
  return {
    id: row.id,
    created_at: timestamp(row.at, viewer),
    updated_at: timestamp(row.at, viewer),
    deleted_at: null,
    verb: row.verb,
    field: row.field,
    old_value: row.oldValue,
    new_value: row.newValue,
    comment: row.field === null ? 'created the issue' : `updated the ${row.field}`,
    attachments: [],
    old_identifier: row.oldIdentifier,
    new_identifier: row.newIdentifier,
    epoch: Math.floor(row.at / 1_000_000),
    project: row.project,
    workspace: state.workspace.id,
    issue: row.issue,
    issue_comment: null,
    actor: row.actor,
  };
}
