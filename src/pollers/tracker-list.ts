import type { ItemId, Tracker, UnreadChanges, WorkItem } from '../core/model/index.ts';
import { isSpent, type Look } from './tracker-look.ts';

/** Pages that one tick lists of a project; the rest follows in the next ones. */
const maxPages = 20;

export interface Listing {
  /** Items that were not read in that state yet, oldest change first. */
  changed: WorkItem[];
  pagesLeft: number;
}

/**
 * Items changed since the watermark, less the overlap in which the tracker may stamp late. Where the pages or the requests of a
 * tick end before that, the rest becomes the gap, which the next ticks read.
 * @throws OrchError of the tracker
 */
export async function listNewest(look: Look, tracker: Tracker): Promise<Listing> {
  const watermark = look.row.itemWatermark ?? 0;
  const since = Math.max(watermark - tracker.maxStampDelayMs, look.row.resolved.settled);
  const changed = new Map<ItemId, WorkItem>();
  // Half for the newest changes, half for those that were left: neither keeps the other from being heard.
  const most = look.gap === null ? maxPages : maxPages / 2;
  let below = Infinity;
  let pages = 0;
  for (let cursor: string | null = null; ;) {
    const { items, next } = await tracker.items(look.policy.projectId, cursor);
    pages += 1;
    for (const item of items) {
      below = Math.min(below, item.updatedAt);
      if (item.updatedAt >= since && look.recent[item.id] !== item.updatedAt) changed.set(item.id, item);
    }
    const reached = next === null || below < since;
    if (reached && look.gap === null) settle(look, look.startedAt, tracker);
    if (reached) break;
    if (pages >= most || (await isSpent(tracker))) {
      const again = below <= watermark;
      // An older gap is part of a new one: what was read between the two is read again.
      if (look.gap === null || !again)
        look.gap = { since: look.gap?.since ?? since, below, cursor, startedAt: look.startedAt, again };
      break;
    }
    cursor = next;
  }
  const oldestFirst = [...changed.values()].reverse().sort((a, b) => a.updatedAt - b.updatedAt);
  return { changed: oldestFirst, pagesLeft: maxPages - pages };
}

/** One page of the gap: what is to be read of it, and the gap that is left once that is done. */
interface GapPage {
  items: WorkItem[];
  left: UnreadChanges | null;
  /** The page after it, for this tick. */
  next: string | null;
}

/**
 * Lists one page of the gap. The list is by offset, newest change first: changes made meanwhile show items again, which is
 * harmless; items that were deleted meanwhile move others up, past the page. Then the page begins behind what was read
 * last, and the way down begins again at the newest page.
 * @param cursor the page, or null for the newest
 */
export async function listGapPage(
  gap: UnreadChanges,
  cursor: string | null,
  look: Look,
  tracker: Tracker,
): Promise<GapPage> {
  const { items, next } = await tracker.items(look.policy.projectId, cursor);
  const times = items.map((item) => item.updatedAt);
  if (cursor !== null && cursor === gap.cursor && times.every((at) => at < gap.below))
    return { items: [], left: { ...gap, cursor: null }, next: null };
  const wanted = items.filter(({ id, updatedAt: at }) => at >= gap.since && at <= gap.below && look.recent[id] !== at);
  const over = next === null || times.some((at) => at < gap.since);
  if (over) settle(look, gap.startedAt, tracker);
  return { items: wanted, left: over ? null : { ...gap, below: Math.min(gap.below, ...times), cursor }, next };
}

/** All changes up to the watermark were listed by a look that began so late that none of them can have been missing. */
function settle(look: Look, startedAt: number, { maxStampDelayMs }: Tracker): void {
  const { resolved, itemWatermark } = look.row;
  const { watermarkSeenAt: seenAt, settled } = resolved;
  if (seenAt === null || startedAt < seenAt + maxStampDelayMs) return;
  look.row = { ...look.row, resolved: { ...resolved, settled: Math.max(settled, itemWatermark ?? 0) } };
}
