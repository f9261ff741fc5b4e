import type {
  NamedLease,
  Observation,
  OrchError,
  ProjectFacts,
  ProjectPolicy,
  ProjectRow,
  WorkItem,
} from '../core/model/index.ts';
import { areFresh, readFacts } from '../core/engine/project-facts.ts';
import { readItem, troubledNow } from './tracker-items.ts';
import { listGapPage, listNewest } from './tracker-list.ts';
import { isSpent, type Look, type TrackerPollDeps } from './tracker-look.ts';

/** How often tasks are looked at one by one although nothing was listed: comments whose bump was lost, deleted items. */
const sweepMs = 5 * 60_000;
/** Tasks swept in one tick at most. */
const maxSwept = 10;

/**
 * One look at a project of the tracker: first contact, then everything updated since the watermark, what earlier ticks left, items
 * in trouble, and the slow sweep. What it saw is applied in one transaction; it decides nothing.
 * @returns whether something was left for the next ticks
 * @throws OrchError of the tracker; what was read before is applied all the same where one item could not be reached
 */
export async function pollTracker(policy: ProjectPolicy, deps: TrackerPollDeps): Promise<{ behind: boolean }> {
  const { store, tracker } = deps;
  const row = await store.project(policy.projectId);
  if (row.firstNumber === null) return firstContact(policy, row, deps);
  const look: Look = {
    policy,
    row,
    facts: await freshFacts(policy, row, deps),
    startedAt: store.now(),
    recent: { ...row.resolved.recent },
    troubled: { ...row.resolved.troubled },
    gap: row.resolved.gap,
    observation: emptyObservation(deps.leader),
  };
  const { changed, pagesLeft } = await listNewest(look, tracker);
  const trouble: OrchError[] = [];
  const all = await readAll(changed, look, deps, trouble);
  const filled = all && (await readGap(pagesLeft, look, deps, trouble));
  if (filled && (await retryTroubled(look, deps, trouble))) await sweep(look, deps, trouble);
  finishRow(look, changed, !all, deps);
  await store.observe(look.observation);
  if (trouble[0] !== undefined) throw trouble[0];
  return { behind: !all || look.gap?.again === false };
}

function emptyObservation(leader: NamedLease): Observation & { project: ProjectRow | null } {
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

/**
 * Reads items one after the other while the budget lasts and the tracker answers.
 * @param seen called for each that was read, in trouble or not
 * @param listed an item as the list shows it, or null where only its id is known
 * @returns whether all of them were read
 */
async function readEach<Item extends Pick<WorkItem, 'id' | 'number'>>(
  items: Item[],
  look: Look,
  deps: TrackerPollDeps,
  trouble: OrchError[],
  seen: (item: Item) => void = () => undefined,
  listed: (item: Item) => WorkItem | null = () => null,
): Promise<boolean> {
  for (const item of items) {
    if (await isSpent(deps.tracker)) return false;
    const end = await readItem(item, listed(item), look, deps);
    if (end.kind === 'later') return false;
    seen(item);
    if (end.kind !== 'unreachable') continue;
    if (end.error !== null) trouble.push(end.error);
    return false;
  }
  return true;
}

/**
 * Reads what changed, oldest first, so that the watermark may stop where the budget did.
 * @returns whether all of it was read
 */
async function readAll(changed: WorkItem[], look: Look, deps: TrackerPollDeps, trouble: OrchError[]): Promise<boolean> {
  // In trouble or not: from here on the item is remembered, and the watermark may pass it.
  const remember = (item: WorkItem): void => void (look.recent[item.id] = item.updatedAt);
  return readEach(changed, look, deps, trouble, remember, (item) => item);
}

/** Goes on with what earlier ticks left, page by page. @returns whether the look may go on */
async function readGap(pages: number, look: Look, deps: TrackerPollDeps, trouble: OrchError[]): Promise<boolean> {
  let cursor = look.gap?.cursor ?? null;
  for (let left = pages; look.gap !== null; left -= 1) {
    if (left <= 0 || (await isSpent(deps.tracker))) return look.gap.again;
    const page = await listGapPage(look.gap, cursor, look, deps.tracker);
    if (!(await readAll(page.items, look, deps, trouble))) return false;
    look.gap = page.left;
    cursor = page.next;
  }
  return true;
}

async function retryTroubled(look: Look, deps: TrackerPollDeps, trouble: OrchError[]): Promise<boolean> {
  return readEach(troubledNow(look).slice(0, maxSwept), look, deps, trouble);
}

/** Every active task is looked at one by one now and then: a lost bump or a deleted item shows in no list. */
async function sweep(look: Look, deps: TrackerPollDeps, trouble: OrchError[]): Promise<void> {
  const { store } = deps;
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
  const items = batch.map(({ itemId, number }) => ({ id: itemId, number }));
  await readEach(items, look, deps, trouble, ({ number }) => (last = number));
  look.row = { ...look.row, resolved: { ...look.row.resolved, sweptAt: store.now(), sweepFrom: last } };
}

/** Watermark: the newest change read; where the reading stopped, the last one that was read. */
function finishRow(look: Look, changed: WorkItem[], behind: boolean, { tracker }: TrackerPollDeps): void {
  const { gap, troubled, facts } = look;
  const read = changed.filter((item) => look.recent[item.id] === item.updatedAt);
  const newest = read.reduce((max, item) => Math.max(max, item.updatedAt), look.row.itemWatermark ?? 0);
  const watermark = behind ? Math.max(look.row.itemWatermark ?? 0, (read.at(-1)?.updatedAt ?? 0) - 1) : newest;
  const { watermarkSeenAt: seenAt } = look.row.resolved;
  const watermarkSeenAt = watermark === look.row.itemWatermark && seenAt !== null ? seenAt : look.startedAt;
  const overlap = watermark - tracker.maxStampDelayMs;
  const kept = (at: number): boolean => at >= overlap || (gap !== null && at <= gap.below);
  const recent = Object.fromEntries(Object.entries(look.recent).filter(([, at]) => kept(at)));
  look.observation.project = {
    ...look.row,
    itemWatermark: watermark,
    resolved: { ...look.row.resolved, facts, recent, gap, troubled, watermarkSeenAt },
  };
}
