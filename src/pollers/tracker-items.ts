import type {
  ItemComment,
  ItemId,
  ItemMirror,
  NewEffect,
  NewMessage,
  NoticeEvent,
  TaskId,
  TroubledItem,
  WorkItem,
} from '../core/model/index.ts';
import { OrchError, errorText, taskIdOf } from '../core/model/index.ts';
import { channels, chatLane } from '../core/pipeline/channels.ts';
import { admits, newTask } from '../core/pipeline/intake.ts';
import { heardIn } from '../core/engine/comments.ts';
import { areFresh, knows, mirrorOf, readFacts } from '../core/engine/project-facts.ts';
import type { Look, TrackerPollDeps } from './tracker-look.ts';

type Listed = Pick<WorkItem, 'id' | 'number'>;

/** Tries before people hear that an item cannot be read: a server that restarts fails on one item, too. */
const quietTries = 3;
/** How often an item in trouble is tried again after that, milliseconds. */
const troubledMs = 5 * 60_000;

/**
 * What became of one item. `later`: the request budget is spent; `unreachable`: no answer in time, and the next item would get
 * none either for a while (`error` is null where that is known of this item).
 */
type ReadEnd = { kind: 'read' } | { kind: 'later' } | { kind: 'unreachable'; error: OrchError | null };

/**
 * Reads one item and what was said in it. Trouble with it is that item's: it is noted, tried again by itself, and said when it
 * lasts; the others of the project go on.
 * @param listed as the list shows it, or null where only its id is known
 * @throws OrchError for trouble that is not the item's: refused tokens, the database
 */
export async function readItem(
  item: Listed,
  listed: WorkItem | null,
  look: Look,
  deps: TrackerPollDeps,
): Promise<ReadEnd> {
  try {
    await read(item, listed, look, deps);
    if (look.troubled[item.id]?.kind === 'unreadable') forget(item.id, look);
    return { kind: 'read' };
  } catch (error) {
    if (error instanceof OrchError && error.kind === 'limit') return { kind: 'later' };
    if (!isItsOwn(error)) throw error;
    await noteUnreadable(item, error, look, deps);
    if (!(error instanceof OrchError) || error.kind !== 'unreachable') return { kind: 'read' };
    return { kind: 'unreachable', error: isKnown(look.troubled[item.id]) ? null : error };
  }
}

/** Whether the trouble may be that of one item: not a refused token, the budget or the database. */
function isItsOwn(error: unknown): boolean {
  if (!(error instanceof OrchError)) return true;
  return error.kind === 'server' || error.kind === 'refusal' || error.kind === 'unreachable';
}

/** Whether it lasts: people have heard of it. */
function isKnown(trouble: TroubledItem | undefined): boolean {
  return trouble !== undefined && trouble.tries >= quietTries;
}

/** Items in trouble whose next try is due, by id and number. */
export function troubledNow(look: Look): Listed[] {
  return Object.entries(look.troubled)
    .filter(([, { tries, at }]) => at < look.startedAt && (tries < quietTries || at + troubledMs <= look.startedAt))
    .map(([id, { number }]) => ({ id: id as ItemId, number }));
}

async function read({ id, number }: Listed, listed: WorkItem | null, look: Look, deps: TrackerPollDeps): Promise<void> {
  const { policy, observation } = look;
  const { store, tracker } = deps;
  const taskId = await store.taskOfItem(id);
  // Most items of a bulk edit are none of orch's: the list says so.
  if (taskId === null && listed !== null && !(await mayEnter(listed, look, deps))) return forget(id, look);
  const item = isWhole(listed) ? listed : await tracker.item(policy.projectId, id);
  if (item === null) {
    if (taskId !== null) await noteGone(taskId, id, look, deps);
    return forget(id, look);
  }
  await learn(look, deps, areFresh(look.facts, store.now(), item.stateId) && knows(look.facts, item, []));
  const mirror = mirrorOf(item, policy, look.facts);
  if (taskId === null) {
    if (!admits(mirror, policy, look.row.firstNumber)) return forget(id, look);
    const taken = await ownerOf(taskIdOf(policy.prefix, number), look, deps);
    if (taken !== null && taken !== id) return noteTaken(item, taken, look, deps);
  }
  const said = await commentsOf(item, look, deps);
  const last = (look.troubled[id]?.tries ?? 0) + 1 >= quietTries;
  const shown: ItemMirror = said instanceof Error && last ? { ...mirror, unreadable: errorText(said) } : mirror;
  const heard = said instanceof Error ? [] : messagesIn(said, taskId ?? taskIdOf(policy.prefix, number), look, deps);
  if (taskId !== null) {
    // Until it is known whether the trouble lasts, the mirror says what it said before.
    if (!(said instanceof Error) || last || (await store.load(taskId))?.item?.unreadable === undefined)
      observation.mirrors.push({ taskId, mirror: shown });
    observation.messages.push(...heard);
  } else if (!(said instanceof Error) || last) {
    if (look.troubled[id]?.kind === 'id_taken') forget(id, look);
    observation.newTasks.push({ task: newTask(mirror, policy, store.now()), mirror: shown, messages: heard });
  }
  if (said instanceof Error) throw said;
}

/** Whether the list said all that reading the item would. */
function isWhole(listed: WorkItem | null): listed is WorkItem {
  return listed !== null && listed.descriptionHtml !== null && !listed.archived;
}

function messagesIn(comments: ItemComment[], taskId: TaskId, look: Look, { database }: TrackerPollDeps): NewMessage[] {
  return heardIn(comments, taskId, look.policy, look.facts, database);
}

async function mayEnter(listed: WorkItem, look: Look, deps: TrackerPollDeps): Promise<boolean> {
  await learn(look, deps, areFresh(look.facts, deps.store.now(), listed.stateId) && knows(look.facts, listed, []));
  return admits(mirrorOf(listed, look.policy, look.facts), look.policy, look.row.firstNumber);
}

/** The comments, or the trouble with them; what keeps the whole project from being read is thrown. */
async function commentsOf(item: WorkItem, look: Look, deps: TrackerPollDeps): Promise<ItemComment[] | Error> {
  try {
    const comments = await deps.tracker.comments(look.policy.projectId, item.id);
    await learn(look, deps, knows(look.facts, item, comments));
    return comments;
  } catch (error) {
    if (isItsOwn(error)) return error instanceof Error ? error : new Error(errorText(error));
    throw error;
  }
}

/** Reads the facts again when something newer than they are is not in them; once a tick at most. */
async function learn(look: Look, { store, tracker }: TrackerPollDeps, known: boolean): Promise<void> {
  if (known || look.facts.at >= look.startedAt) return;
  look.facts = await readFacts(tracker, look.policy.projectId, store.now());
}

async function noteGone(taskId: TaskId, itemId: ItemId, look: Look, { store }: TrackerPollDeps): Promise<void> {
  const last = (await store.load(taskId))?.item;
  if (last === null || last === undefined) return;
  look.observation.mirrors.push({ taskId, mirror: { ...last, itemId, present: false } });
}

/** The item whose task has this id, be it from this very look; null: the id is free. */
async function ownerOf(taskId: TaskId, look: Look, { store }: TrackerPollDeps): Promise<ItemId | null> {
  const fresh = look.observation.newTasks.find(({ task }) => task.id === taskId);
  return fresh?.task.itemId ?? (await store.task(taskId))?.task.itemId ?? null;
}

async function noteTaken(item: WorkItem, owner: ItemId, look: Look, deps: TrackerPollDeps): Promise<void> {
  const taskId = taskIdOf(look.policy.prefix, item.number);
  const why =
    `its task id ${taskId} belongs to another work item (${owner}), of a project that was recreated or of one with the same ` +
    `prefix and number; give this project another prefix in the configuration`;
  await note(item, { kind: 'id_taken', why, tries: quietTries }, look, deps);
}

async function noteUnreadable(item: Listed, error: unknown, look: Look, deps: TrackerPollDeps): Promise<void> {
  const before = look.troubled[item.id];
  const tries = (before?.kind === 'unreadable' ? before.tries : 0) + 1;
  const taskId = await deps.store.taskOfItem(item.id);
  const why = `it cannot be read: ${errorText(error)}`;
  const isNew = taskId === null && look.observation.newTasks.every(({ task }) => task.itemId !== item.id);
  await note(item, { kind: 'unreadable', why, tries }, look, deps, isNew);
  const mirrored = look.observation.mirrors.some((one) => one.taskId === taskId);
  if (taskId === null || mirrored || tries < quietTries) return;
  const last = (await deps.store.load(taskId))?.item;
  if (last === null || last === undefined) return;
  look.observation.mirrors.push({ taskId, mirror: { ...last, unreadable: errorText(error) } });
}

/** Keeps the item, and says it once where no task of it could be held. */
async function note(
  item: Listed,
  trouble: Pick<TroubledItem, 'kind' | 'why' | 'tries'>,
  look: Look,
  { store, policyOf }: TrackerPollDeps,
  isSaid = true,
): Promise<void> {
  look.troubled[item.id] = { number: item.number, ...trouble, at: store.now() };
  if (!isSaid || trouble.tries < quietTries) return;
  const { projectId } = look.policy;
  const body: NoticeEvent = { event: 'not_entered', number: item.number, text: trouble.why };
  const link = policyOf({ projectId })?.links.item(projectId, item.id);
  const notice = { taskId: null, title: '', body, links: link === undefined ? {} : { item: link } };
  const key = `${trouble.kind}/${item.id}`;
  const alert = channels.not_entered.chat === 'alert';
  const said: Pick<NewEffect, 'key' | 'lane' | 'body'>[] = [
    {
      key: `${key}/comment`,
      lane: `tracker:${item.id}`,
      body: { kind: 'tracker.comment', projectId, itemId: item.id, notice },
    },
    { key: `${key}/chat`, lane: chatLane, body: { kind: 'chat.message', notice, alert } },
  ];
  await store.announce(said);
}

function forget(id: ItemId, look: Look): void {
  delete look.troubled[id];
}
