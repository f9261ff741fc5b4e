import type {
  ItemId,
  NamedLease,
  Observation,
  WorkItem,
  Tracker,
  ProjectFacts,
  ProjectPolicy,
  ProjectResolved,
  ProjectRow,
  Store,
  TaskId,
} from '../core/model/index.ts';
import { taskIdOf } from '../core/model/index.ts';
import { admits, newTask } from '../core/pipeline/intake.ts';
import { messagesOf } from '../core/engine/comments.ts';
import { areFresh, knows, mirrorOf, readFacts } from '../core/engine/project-facts.ts';

export interface TrackerPollDeps {
  store: Store;
  tracker: Tracker;
  leader: NamedLease;
}

/** How often tasks are looked at one by one although nothing was listed: comments whose bump was lost, deleted items. */
const sweepMs = 5 * 60_000;
/** Tasks swept in one tick at most. */
const maxSwept = 10;
/** Requests left over for writes and for other projects. */
const minRequestsLeft = 5;
/** Pages of one tick; the rest follows in the next. */
const maxPages = 20;

/**
 * One look at a project of the tracker: first contact, then everything updated since the watermark, then the slow sweep. What it
 * saw is applied in one transaction; it decides nothing.
 * @returns whether something was left for the next tick because the request budget ran out
 */
export async function pollTracker(policy: ProjectPolicy, deps: TrackerPollDeps): Promise<{ behind: boolean }> {
  const { store, tracker } = deps;
  const row = await store.project(policy.projectId);
  if (row.firstNumber === null) return firstContact(policy, row, deps);
  const facts = await freshFacts(policy, row, deps);
  const look: Look = {
    policy,
    row,
    facts,
    startedAt: store.now(),
    recent: row.resolved.recent,
    observation: emptyObservation(deps.leader),
  };
  const changed = await listChanged(look, tracker);
  const behind = await lookAt(changed, look, deps);
  if (!behind) await sweep(look, deps);
  finishRow(look, changed, behind, tracker);
  await store.observe(look.observation);
  return { behind };
}

interface Look {
  policy: ProjectPolicy;
  row: ProjectRow;
  facts: ProjectFacts;
  /** Facts read since then are not read again in this tick. */
  startedAt: number;
  /** Items of the overlap that were read already, with the time they had then. */
  recent: ProjectResolved['recent'];
  observation: Observation & { project: ProjectRow | null };
}

function emptyObservation(leader: NamedLease): Observation {
  return { leader, project: null, newTasks: [], mirrors: [], messages: [] };
}

/** The first poll records where the project stands and starts nothing (spec 4.1). */
async function firstContact(
  policy: ProjectPolicy,
  row: ProjectRow,
  { store, tracker, leader }: TrackerPollDeps,
): Promise<{ behind: boolean }> {
  const first = await tracker.highestNumber(policy.projectId);
  const page = await tracker.items(policy.projectId, null);
  const facts = await readFacts(tracker, policy.projectId, store.now());
  // An item made between the two requests is numbered above the first contact: it is read by the next tick.
  const old = page.items.filter((item) => item.number <= first);
  const recent = Object.fromEntries(old.map((item) => [item.id, item.updatedAt]));
  const watermark = page.items.reduce((newest, item) => Math.max(newest, item.updatedAt), 0);
  const project = {
    ...row,
    firstNumber: first,
    itemWatermark: watermark,
    resolved: { ...row.resolved, facts, recent, sweptAt: store.now() },
  };
  await store.observe({ ...emptyObservation(leader), project });
  return { behind: false };
}

async function freshFacts(
  policy: ProjectPolicy,
  row: ProjectRow,
  { store, tracker }: TrackerPollDeps,
): Promise<ProjectFacts> {
  const known = row.resolved.facts;
  return areFresh(known, store.now()) ? known : readFacts(tracker, policy.projectId, store.now());
}

/** Items updated since the watermark (less the overlap) that were not read in that state yet, oldest change first. */
async function listChanged(look: Look, tracker: Tracker): Promise<WorkItem[]> {
  const since = (look.row.itemWatermark ?? 0) - tracker.maxStampDelayMs;
  const changed = new Map<ItemId, WorkItem>();
  let cursor: string | null = null;
  for (let page = 0; page < maxPages; page += 1) {
    const { items, next } = await tracker.items(look.policy.projectId, cursor);
    for (const item of items)
      if (item.updatedAt >= since && look.recent[item.id] !== item.updatedAt) changed.set(item.id, item);
    if (next === null || items.some((item) => item.updatedAt < since)) break;
    cursor = next;
  }
  return [...changed.values()].sort((a, b) => a.updatedAt - b.updatedAt);
}

/** Reads what changed, oldest first, so that the watermark may stop where the budget did. */
async function lookAt(changed: WorkItem[], look: Look, deps: TrackerPollDeps): Promise<boolean> {
  for (const item of changed) {
    if (deps.tracker.remaining() <= minRequestsLeft) return true;
    await readItem(item, look, deps);
    look.recent[item.id] = item.updatedAt;
  }
  return false;
}

async function readItem(listed: WorkItem, look: Look, deps: TrackerPollDeps): Promise<void> {
  const { policy, observation } = look;
  const taskId = await deps.store.taskOfItem(listed.id);
  if (
    taskId === null &&
    look.row.firstNumber !== null &&
    listed.number <= look.row.firstNumber &&
    policy.intake.label === null
  )
    return;
  const item = await deps.tracker.item(policy.projectId, listed.id);
  if (item === null) {
    if (taskId !== null) await noteGone(taskId, listed.id, look, deps);
    return;
  }
  await learn(look, deps, areFresh(look.facts, deps.store.now(), item.stateId) && knows(look.facts, item, []));
  const mirror = mirrorOf(item, policy, look.facts);
  if (taskId === null) {
    if (!admits(mirror, policy, look.row.firstNumber)) return;
    observation.newTasks.push({ task: newTask(mirror, policy, deps.store.now()), mirror });
  } else {
    observation.mirrors.push({ taskId, mirror });
  }
  const comments = await deps.tracker.comments(policy.projectId, item.id);
  await learn(look, deps, knows(look.facts, item, comments));
  observation.messages.push(
    ...messagesOf(comments, taskId ?? taskIdOf(policy.prefix, item.number), policy, look.facts),
  );
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

/** Every active task is looked at one by one now and then: a lost bump or a deleted item shows in no list. */
async function sweep(look: Look, deps: TrackerPollDeps): Promise<void> {
  const { store, tracker } = deps;
  const { sweptAt, sweepFrom: from } = look.row.resolved;
  // Swept in the future: the clock was set back since.
  if (store.now() >= sweptAt && store.now() - sweptAt < sweepMs) return;
  const tasks = (await store.tasks({ active: true, projectId: look.policy.projectId }))
    .map((row) => row.task)
    .sort((a, b) => a.number - b.number);
  const batch = [...tasks.filter((task) => task.number > from), ...tasks.filter((task) => task.number <= from)].slice(
    0,
    maxSwept,
  );
  let last = from;
  for (const task of batch) {
    if (tracker.remaining() <= minRequestsLeft) break;
    const item = await tracker.item(look.policy.projectId, task.itemId);
    if (item === null) await noteGone(task.id, task.itemId, look, deps);
    else {
      look.observation.mirrors.push({ taskId: task.id, mirror: mirrorOf(item, look.policy, look.facts) });
      look.observation.messages.push(
        ...messagesOf(await tracker.comments(look.policy.projectId, item.id), task.id, look.policy, look.facts),
      );
    }
    last = task.number;
  }
  look.row = { ...look.row, resolved: { ...look.row.resolved, sweptAt: store.now(), sweepFrom: last } };
}

/** Watermark: the newest change read; where the budget stopped, the last one that was read. */
function finishRow(look: Look, changed: WorkItem[], behind: boolean, { maxStampDelayMs }: Tracker): void {
  const read = changed.filter((item) => look.recent[item.id] === item.updatedAt);
  const newest = read.reduce((max, item) => Math.max(max, item.updatedAt), look.row.itemWatermark ?? 0);
  const watermark = behind ? Math.max(look.row.itemWatermark ?? 0, (read.at(-1)?.updatedAt ?? 0) - 1) : newest;
  const recent = Object.fromEntries(Object.entries(look.recent).filter(([, at]) => at >= watermark - maxStampDelayMs));
  look.observation.project = {
    ...look.row,
    itemWatermark: watermark,
    resolved: { ...look.row.resolved, facts: look.facts, recent },
  };
}
