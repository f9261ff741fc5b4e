import { randomBytes, randomUUID } from 'node:crypto';
import type { Clock } from '../../core/platform/clock.ts';

/** Workspace and project roles as Plane numbers them. */
export const planeRoles = { admin: 20, member: 15, guest: 5 } as const;

export interface PlaneUser {
  id: string;
  email: string;
  firstName: string;
  displayName: string;
  token: string;
  role: number;
  /** Timestamps are rendered in the asking user's time zone. */
  offsetMinutes: number;
}

/** Times of a row: microseconds since the epoch, because Plane answers six digits. */
export interface Row {
  id: string;
  createdAt: number;
  updatedAt: number;
  createdBy: string;
  updatedBy: string;
  externalSource: string | null;
  externalId: string | null;
}

export interface StateRow extends Row {
  project: string;
  name: string;
  color: string;
  group: string;
  sequence: number;
  isDefault: boolean;
}

export interface LabelRow extends Row {
  project: string;
  name: string;
  color: string;
}

export interface Project extends Row {
  identifier: string;
  name: string;
  archivedAt: number | null;
  /** User id → role; who is not in it is no member. */
  members: Map<string, number>;
  lastSequence: number;
}

export interface WorkItem extends Row {
  project: string;
  sequence: number;
  name: string;
  descriptionHtml: string;
  priority: string;
  state: string;
  labels: string[];
  assignees: string[];
  archivedAt: number | null;
  completedAt: number | null;
  deleted: boolean;
}

export interface Comment extends Row {
  project: string;
  issue: string;
  actor: string;
  html: string;
  access: string;
}

export interface LinkRow extends Row {
  project: string;
  issue: string;
  title: string;
  url: string;
}

export interface Activity {
  id: string;
  project: string;
  issue: string;
  at: number;
  actor: string;
  verb: string;
  field: string | null;
  oldValue: string | null;
  newValue: string | null;
  oldIdentifier: string | null;
  newIdentifier: string | null;
}

/** Everything the sandbox Plane knows; tests may read it and, carefully, change it. */
export interface PlaneState {
  workspace: { id: string; slug: string };
  version: string;
  /** Versions before 1.1 have no `/work-items/`. */
  legacy: boolean;
  rateLimitPerMinute: number;
  clock: Clock;
  lastStamp: number;
  users: PlaneUser[];
  projects: Project[];
  states: StateRow[];
  labels: LabelRow[];
  items: WorkItem[];
  comments: Comment[];
  links: LinkRow[];
  activities: Activity[];
  /** Every write of a state, also of the one that stands already: those leave no activity. */
  stateWrites: { item: string; state: string; by: string }[];
  /** Times of the answered requests per token, for the sliding window. */
  history: Map<string, number[]>;
  /** The background worker: what moves an item's `updated_at` after the fact. */
  worker: { running: boolean; delayMs: number; backlog: (() => void)[]; timers: Set<NodeJS.Timeout> };
}

export function newPlaneState(
  clock: Clock,
  options: { workspace: string; rateLimitPerMinute: number; legacy: boolean; workerDelayMs: number },
): PlaneState {
  return {
    workspace: { id: randomUUID(), slug: options.workspace },
    version: options.legacy ? '1.0.0' : '1.3.1',
    legacy: options.legacy,
    rateLimitPerMinute: options.rateLimitPerMinute,
    clock,
    lastStamp: 0,
    users: [],
    projects: [],
    states: [],
    labels: [],
    items: [],
    comments: [],
    links: [],
    activities: [],
    stateWrites: [],
    history: new Map(),
    worker: { running: true, delayMs: options.workerDelayMs, backlog: [], timers: new Set() },
  };
}

/** Now in microseconds; two calls never answer the same, as on a real server. */
export function stamp(state: PlaneState): number {
  const now = Math.max(state.clock.now() * 1000, state.lastStamp + 1);
  state.lastStamp = now;
  return now;
}

export function newRow(
  state: PlaneState,
  by: PlaneUser,
  body: { external_source?: unknown; external_id?: unknown } = {},
): Row {
  const now = stamp(state);
  return {
    id: randomUUID(),
    createdAt: now,
    updatedAt: now,
    createdBy: by.id,
    updatedBy: by.id,
    externalSource: typeof body.external_source === 'string' ? body.external_source : null,
    externalId: typeof body.external_id === 'string' ? body.external_id : null,
  };
}

export function newToken(): string {
  return `plane_api_${randomBytes(16).toString('hex')}`;
}

/**
 * Hands work to the background worker. It moves an item's `updated_at` 50 to 100 ms later, or, when the worker is
 * stopped, not before it runs again: a client that trusts the answer's `updated_at` misses that.
 */
export function later(state: PlaneState, work: () => void): void {
  if (!state.worker.running) return void state.worker.backlog.push(work);
  const timer = setTimeout(() => {
    state.worker.timers.delete(timer);
    if (state.worker.running) work();
    else state.worker.backlog.push(work);
  }, state.worker.delayMs);
  state.worker.timers.add(timer);
}

/** Moves `updated_at` of an item from the worker; `updated_by` stays as it was. */
export function bumpLater(state: PlaneState, itemId: string): void {
  later(state, () => {
    const item = state.items.find((candidate) => candidate.id === itemId);
    if (item !== undefined) item.updatedAt = stamp(state);
  });
}
