import type {
  ItemMirror,
  ItemComment,
  WorkItem,
  Tracker,
  ProjectFacts,
  ProjectId,
  ProjectPolicy,
} from '../model/index.ts';

/** Facts older than this are read again. */
const factsAgeMs = 60 * 60_000;

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

/** The facts that are known, or, where they are old or do not know this item or its comments, new ones. */
export async function factsFor(
  known: ProjectFacts | null,
  item: WorkItem,
  comments: ItemComment[],
  { tracker, projectId, now }: { tracker: Tracker; projectId: ProjectId; now: number },
): Promise<ProjectFacts> {
  const fresh = areFresh(known, now, item.stateId) && knows(known, item, comments);
  return fresh ? known : readFacts(tracker, projectId, now);
}

export async function readFacts(tracker: Tracker, projectId: ProjectId, now: number): Promise<ProjectFacts> {
  return { at: now, ...(await tracker.facts(projectId)) };
}

/** Whether this user may approve: listed by id or e-mail, or, without a list, a member where the server reports roles. */
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
  return member?.role === 'admin' || member?.role === 'member';
}

/** People who may approve, by the name that others know; somebody listed who is no member as the configuration writes them. */
export function approverNames(policy: ProjectPolicy, facts: ProjectFacts): string[] {
  const members = facts.members.filter((member) => mayApprove(member.id, policy, facts));
  const unknown = policy.approvers.filter(
    (name) => !members.some(({ id, email }) => [id, email].some((own) => own.toLowerCase() === name.toLowerCase())),
  );
  return [...members.map((member) => member.displayName), ...unknown];
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
