import type { ItemId, ProjectId } from './ids.ts';
import type { ItemStateGroup } from './mirror.ts';
import type { ItemPhase, ProjectPolicy } from './policy.ts';

/** A work item as the tracker answers it; times in ms since the epoch. */
export interface WorkItem {
  id: ItemId;
  number: number;
  name: string;
  /** Null in a list that leaves it out, because it is large; `item()` always has it. */
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
  /** The server's own time of the last change, ms since the epoch (spec 4.3). */
  updatedAt: number;
}

export interface ItemState {
  id: string;
  name: string;
  group: ItemStateGroup;
}

export const personRoles = ['admin', 'member', 'guest'] as const;

export interface Person {
  id: string;
  email: string;
  displayName: string;
  /** Null where the server does not report roles. */
  role: (typeof personRoles)[number] | null;
}

/** What changes rarely in a project and is therefore kept between polls. */
export interface ProjectFacts {
  /** When it was read, ms since the epoch. */
  at: number;
  states: ItemState[];
  /** Names of labels by their id. */
  labels: Record<string, string>;
  members: Person[];
}

/**
 * Where work items live. Every call spends requests of a shared budget. Throws OrchError of kind `limit` (with
 * `retryAfterMs`), `unreachable` or `server` (all to be tried again later), `authentication`, or `refusal`.
 */
export interface Tracker {
  /** What people call it. */
  readonly product: string;
  /** Milliseconds for which a change may still appear with an older `updatedAt` than one that was seen already. */
  readonly maxStampDelayMs: number;
  /** Id of the account whose token this is. */
  me(): Promise<{ id: string; name: string }>;
  project(projectId: ProjectId): Promise<{ id: ProjectId; name: string; identifier: string; archived: boolean }>;
  states(projectId: ProjectId): Promise<ItemState[]>;
  labels(projectId: ProjectId): Promise<{ id: string; name: string }[]>;
  members(projectId: ProjectId): Promise<Person[]>;
  /** States, labels and members together. @throws OrchError also when the server lists no state or no member at all */
  facts(projectId: ProjectId): Promise<Omit<ProjectFacts, 'at'>>;
  /**
   * The state that shows a phase: the one with the configured name, else another one of the same meaning.
   * @throws OrchError of kind `configuration` when there is neither
   */
  stateFor(states: ItemState[], phase: ItemPhase, policy: Pick<ProjectPolicy, 'name' | 'states'>): ItemState;
  /** One page of items, most recently updated first; `cursor` null for the first. */
  items(projectId: ProjectId, cursor: string | null): Promise<{ items: WorkItem[]; next: string | null }>;
  /** Number of the newest item; 0 in an empty project. */
  highestNumber(projectId: ProjectId): Promise<number>;
  /** Null when it is gone: deleted, archived, or in an archived project. */
  item(projectId: ProjectId, itemId: ItemId): Promise<WorkItem | null>;
  itemByKey(identifier: string, number: number): Promise<{ id: ItemId; projectId: ProjectId } | null>;
  comments(projectId: ProjectId, itemId: ItemId): Promise<ItemComment[]>;
  /**
   * Sends a comment under an external id, safely repeatable: unless the answer clearly says that it was saved, the comments
   * are listed for that id before anything is sent again (spec 4.3). `look`: list before the first try, too. `at`: the
   * server's own time of the comment, ms since the epoch; null where it names none. `formerId`: what an earlier version of orch
   * would have sent it under; one that stands under it is this comment.
   */
  comment(
    projectId: ProjectId,
    itemId: ItemId,
    comment: { html: string; externalId: string; formerId?: string; look: boolean },
  ): Promise<{ id: string; at: number | null }>;
  /**
   * Moves an item to a state. Answers the item as it is then.
   * @throws OrchError of kind `server` also when the server says yes and the item shows another state afterwards
   */
  setState(projectId: ProjectId, itemId: ItemId, stateId: string): Promise<WorkItem>;
  createState(projectId: ProjectId, state: { name: string; group: string; color: string }): Promise<ItemState>;
  version(): Promise<string | null>;
  /** Requests that the budget still allows in this minute, those of all processes counted. */
  remaining(): Promise<number>;
  /** Gives back to the other processes what this one has reserved of the budget and not sent. */
  release(): Promise<void>;
}
