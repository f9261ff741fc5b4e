import type {
  ItemMirror,
  ItemComment,
  WorkItem,
  Person,
  ItemPhase,
  Tracker,
  ItemState,
  ProjectId,
  ProjectPolicy,
  ProjectRow,
} from '../model/index.ts';
import { OrchError } from '../model/index.ts';

/** What changes rarely in a Plane project and is therefore kept between polls: states, labels, members. */
export interface ProjectFacts {
  at: number;
  states: ItemState[];
  labels: Record<string, string>;
  members: Person[];
}

/** Facts older than this are read again. */
const factsAgeMs = 60 * 60_000;

/** State group in which a missing state name falls back to another one (spec 4.2). */
const groupOfPhase: Record<ItemPhase, ItemState['group']> = {
  in_progress: 'started',
  in_review: 'started',
  needs_input: 'started',
  blocked: 'started',
  done: 'completed',
  cancelled: 'cancelled',
};

export function factsOf(row: ProjectRow): ProjectFacts | null {
  const facts = row.resolved['facts'];
  return facts === undefined ? null : (facts as ProjectFacts);
}

/** Facts that are fresh enough, and know `stateId` where one is asked about. */
export function areFresh(
  facts: ProjectFacts | null,
  now: number,
  stateId: string | null = null,
): facts is ProjectFacts {
  return (
    facts !== null &&
    now - facts.at < factsAgeMs &&
    (stateId === null || facts.states.some((state) => state.id === stateId))
  );
}

/**
 * Whether the facts know the labels of an item and the people who wrote in it. What is older than the facts and not in
 * them is gone for good (a deleted label, somebody who left) and asked about no more.
 */
export function knows(facts: ProjectFacts, item: WorkItem, comments: ItemComment[]): boolean {
  const isMember = (id: string | null): boolean => id === null || facts.members.some((member) => member.id === id);
  const knowsItem =
    item.updatedAt < facts.at ||
    (isMember(item.updatedBy) && item.labels.every((id) => facts.labels[id] !== undefined));
  const recent = comments.filter((comment) => comment.updatedAt >= facts.at && comment.externalSource !== 'orch');
  return knowsItem && recent.every((comment) => isMember(comment.actor) && isMember(comment.updatedBy));
}

export async function readFacts(tracker: Tracker, projectId: ProjectId, now: number): Promise<ProjectFacts> {
  const states = await tracker.states(projectId);
  const labels = await tracker.labels(projectId);
  const members = await tracker.members(projectId);
  // A project without states, or without the account that asks, is no answer, and would be kept for an hour.
  if (states.length === 0 || members.length === 0) {
    throw new OrchError(`Plane listed no ${states.length === 0 ? 'states' : 'members'} for the project ${projectId}`, {
      code: 'plane_garbage',
      hint: 'Every project has some: look at Plane; the next poll asks again.',
    });
  }
  return { at: now, states, labels: Object.fromEntries(labels.map((label) => [label.id, label.name])), members };
}

/**
 * The state that shows a phase: by its configured name, else the first of its group.
 * @throws OrchError when the project has no state of that group at all
 */
export function stateFor(facts: ProjectFacts, phase: ItemPhase, policy: ProjectPolicy): ItemState {
  const wanted = policy.states[phase].toLowerCase();
  const named = facts.states.find((state) => state.name.toLowerCase() === wanted);
  const state = named ?? facts.states.find((other) => other.group === groupOfPhase[phase]);
  if (state === undefined) {
    throw new OrchError(
      `Plane project "${policy.name}" has no state "${policy.states[phase]}" and none of the group ${groupOfPhase[phase]}`,
      {
        code: 'plane_state_missing',
        hint: 'Create the state in Plane, or name another one under `states` of the project; `orch doctor` lists what is missing.',
      },
    );
  }
  return state;
}

/** Member or higher (spec 4.3); a guest has 5. */
const memberRole = 15;

/** Whether this user may approve: listed by id or e-mail, or, without a list, a member where the server tells roles. */
export function mayApprove(userId: string | null, policy: ProjectPolicy, facts: ProjectFacts): boolean {
  if (userId === null) return false;
  const member = facts.members.find((other) => other.id === userId);
  if (policy.approvers.length > 0) {
    const listed = policy.approvers.map((name) => name.toLowerCase());
    return (
      listed.includes(userId.toLowerCase()) ||
      (member !== undefined && member.email !== '' && listed.includes(member.email.toLowerCase()))
    );
  }
  return member !== undefined && member.role !== null && member.role >= memberRole;
}

/** A work item as orch keeps it: names instead of ids, and whether its last editor may approve. */
export function mirrorOf(item: WorkItem, policy: ProjectPolicy, facts: ProjectFacts): ItemMirror {
  const state = facts.states.find((other) => other.id === item.stateId);
  return {
    kind: 'item',
    itemId: item.id,
    projectId: policy.projectId,
    number: item.number,
    present: !item.archived,
    name: item.name,
    descriptionHtml: item.descriptionHtml ?? '',
    priority: item.priority,
    stateId: item.stateId,
    stateName: state?.name ?? '',
    stateGroup: state?.group ?? '',
    labels: item.labels.map((id) => facts.labels[id] ?? id).sort(),
    updatedBy: item.updatedBy,
    updatedByAllowed: mayApprove(item.updatedBy, policy, facts),
  };
}
