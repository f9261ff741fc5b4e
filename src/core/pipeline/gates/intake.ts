import type { ItemMirror, Verdict } from '../../model/index.ts';
import { htmlText } from '../markers.ts';

/** Bounds of QG-0 (spec 3.1), the ones of the system that orch replaced. */
const titleShortest = 5;
const titleLongest = 80;
const descriptionShortest = 20;

export type IntakeDefect = 'title_short' | 'title_long' | 'description_short';

/** Everything that keeps an item out, at once. */
export function intakeDefects(item: ItemMirror): IntakeDefect[] {
  const title = [...item.name.trim()].length;
  const description = [...htmlText(item.descriptionHtml)].length;
  const defects: IntakeDefect[] = [];
  if (title < titleShortest) defects.push('title_short');
  if (title > titleLongest) defects.push('title_long');
  if (description < descriptionShortest) defects.push('description_short');
  return defects;
}

/** QG-0: is the item good enough to start work on. */
export function judgeIntake(item: ItemMirror): Verdict {
  const defects = intakeDefects(item);
  const subject = { item: item.itemId };
  if (defects.length === 0) return { status: 'pass', reason: 'title and description are sufficient', subject };
  return { status: 'fail', reason: defects.join(', '), subject };
}
