import type {
  DeliveryOf,
  Effect,
  EffectOf,
  ItemMirror,
  LinkedPolicy,
  NewMessage,
  ProjectFacts,
  ProjectId,
  Store,
  TaskId,
  Tracker,
  WorkItem,
} from '../model/index.ts';
import { isEndGroup, OrchError } from '../model/index.ts';
import { heardIn } from './comments.ts';
import { seeItem } from './item-look.ts';
import { mirrorOf } from './project-facts.ts';

export interface StateDeps {
  /** Identity of the database. */
  database: string;
  store: Store;
  tracker: Tracker;
  /** Facts of a project that know this item's state, labels and last editor. */
  factsOf: (projectId: ProjectId, item: WorkItem) => Promise<ProjectFacts>;
  policyOf: (effect: { projectId: ProjectId }) => LinkedPolicy | null;
}

/**
 * Shows a phase in the tracker (spec 4.2). The card is read first. Where it is in another state than orch last saw or wrote, a
 * person has moved it: nothing is written, the task hears of the move and decides first; the state is sent afterwards if it
 * is still wanted. What was written is noted as seen at once, so that the next move of a person differs from it.
 * @throws OrchError of the tracker
 */
export async function deliverState(
  effect: Pick<Effect, 'taskId'>,
  body: EffectOf<'tracker.state'>,
  deps: StateDeps,
): Promise<DeliveryOf<'tracker.state'>> {
  const { store, tracker } = deps;
  const policy = deps.policyOf(body);
  if (policy === null)
    throw new OrchError(`project ${body.projectId} is no longer configured`, { code: 'project_not_registered' });
  const snapshot = effect.taskId === null ? null : await store.load(effect.taskId);
  const known = snapshot?.item ?? null;
  const see = async (mirror: ItemMirror, messages: NewMessage[] = []): Promise<void> => {
    if (snapshot !== null) await seeItem(store, snapshot.task.id, mirror, messages);
  };
  const done = { kind: 'done', result: {} } as const;
  const item = await tracker.item(body.projectId, body.itemId);
  if (item === null) {
    // Gone: it shows nothing any more, and the task ends.
    if (known !== null) await see({ ...known, present: false });
    return done;
  }
  const facts = await deps.factsOf(body.projectId, item);
  const shows = tracker.stateFor(facts.states, body.phase, policy);
  if (item.stateId === shows.id) {
    await see(mirrorOf(item, policy, facts));
    return done;
  }
  if (known !== null && known.stateId !== item.stateId) {
    const comments = await tracker.comments(body.projectId, item.id);
    const taskId = snapshot?.task.id as TaskId;
    await see(mirrorOf(item, policy, facts), heardIn(comments, taskId, policy, facts, deps.database));
    return { kind: 'retry', error: 'a person has moved the card: that is looked at first', afterMs: 0 };
  }
  const current = facts.states.find(({ id }) => id === item.stateId);
  const overruled = snapshot?.task.progress.overruled === item.stateId;
  // Ended by a person: that stands in the card until the person, or `orch reopen`, takes it back.
  if (current !== undefined && isEndGroup(current.group) && !isEndGroup(shows.group) && !overruled) return done;
  const written = await tracker.setState(body.projectId, body.itemId, shows.id);
  await see(mirrorOf(written, policy, facts));
  return done;
}
