import type { ItemId, ProjectId } from './ids.ts';
import type { ItemStateGroup } from './mirror.ts';

/** A work item as Plane answers it; times in ms since the epoch. */
export interface WorkItem {
  id: ItemId;
  number: number;
  name: string;
  /** Only filled by `item()`; the list leaves it out because it is large. */
  descriptionHtml: string | null;
  priority: string;
  stateId: string;
  labels: string[];
  updatedAt: number;
  updatedBy: string | null;
  archived: boolean;
}

export interface ItemComment {
  id: string;
  html: string;
  actor: string;
  updatedBy: string | null;
  externalSource: string | null;
  externalId: string | null;
  /** Server's last change, ms; `created_at` is set by the author and orders nothing (spec 4.3). */
  updatedAt: number;
}

export interface ItemState {
  id: string;
  name: string;
  group: ItemStateGroup;
}

export interface Person {
  id: string;
  email: string;
  displayName: string;
  /** 20 admin, 15 member, 5 guest; null where the server does not report roles. */
  role: number | null;
}

/**
 * Plane's API, narrowed. Every call spends one request of the shared budget; throws OrchError: `plane_rate_limited`
 * (`retryAfterMs`), `plane_unreachable`, `plane_garbage`, `plane_server_error` (all to be tried again later), `plane_token_refused`
 * and `plane_forbidden` (exit `authentication`), `plane_not_found` (exit `notFound`), `plane_refused`.
 */
export interface Tracker {
  /** Id of the account whose token this is. */
  me(): Promise<{ id: string; name: string }>;
  project(projectId: ProjectId): Promise<{ id: ProjectId; name: string; identifier: string; archived: boolean }>;
  states(projectId: ProjectId): Promise<ItemState[]>;
  labels(projectId: ProjectId): Promise<{ id: string; name: string }[]>;
  members(projectId: ProjectId): Promise<Person[]>;
  /** One page of items, most recently updated first; `cursor` null for the first. */
  items(projectId: ProjectId, cursor: string | null): Promise<{ items: WorkItem[]; next: string | null }>;
  /** Number of the newest item (`order_by=-sequence_id&per_page=1`); 0 in an empty project. */
  highestNumber(projectId: ProjectId): Promise<number>;
  /** Null when it is gone: deleted, archived, or in an archived project. */
  item(projectId: ProjectId, itemId: ItemId): Promise<WorkItem | null>;
  itemByKey(identifier: string, number: number): Promise<{ id: ItemId; projectId: ProjectId } | null>;
  comments(projectId: ProjectId, itemId: ItemId): Promise<ItemComment[]>;
  /**
   * Sends a comment under an external id, safely repeatable: after any answer but a clean 201 the comments are listed
   * for that id before anything is sent again (spec 4.3). `look`: list before the first try, too. `at`: the server's time of
   * the comment (`created_at` of the reply or of the listed one), ms.
   */
  comment(
    projectId: ProjectId,
    itemId: ItemId,
    comment: { html: string; externalId: string; look: boolean },
  ): Promise<{ id: string; at: number | null }>;
  setState(projectId: ProjectId, itemId: ItemId, stateId: string): Promise<void>;
  createState(projectId: ProjectId, state: { name: string; group: string; color: string }): Promise<ItemState>;
  version(): Promise<string | null>;
  /** Requests that the budget still allows in this minute. */
  remaining(): number;
}
