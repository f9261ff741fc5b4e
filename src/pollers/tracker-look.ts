import type {
  LinkedPolicy,
  NamedLease,
  Observation,
  ProjectFacts,
  ProjectPolicy,
  ProjectResolved,
  ProjectRow,
  Store,
  Tracker,
} from '../core/model/index.ts';

export interface TrackerPollDeps {
  store: Store;
  tracker: Tracker;
  leader: NamedLease;
  /** Identity of the database. */
  database: string;
  policyOf: (project: Pick<ProjectPolicy, 'projectId'>) => LinkedPolicy | null;
}

/** One look at one project: what it starts from, and what it has seen so far. */
export interface Look {
  policy: ProjectPolicy;
  row: ProjectRow;
  facts: ProjectFacts;
  /** Facts read since then are not read again in this tick. */
  startedAt: number;
  /** Items of the overlap that were read already, with the time they had then. */
  recent: ProjectResolved['recent'];
  troubled: ProjectResolved['troubled'];
  gap: ProjectResolved['gap'];
  observation: Observation & { project: ProjectRow | null };
}

/** Requests left over for writes and for other projects. */
const minRequestsLeft = 5;

/** Whether the request budget has nothing left for this look. */
export async function isSpent(tracker: Tracker): Promise<boolean> {
  return (await tracker.remaining()) <= minRequestsLeft;
}
