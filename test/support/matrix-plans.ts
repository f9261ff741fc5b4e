import type { Milestone, Plan, Side } from './matrix.ts';
import { passing, refusing, saving, type Trouble } from './trouble.ts';

const sides: Side[] = ['reads', 'writes', 'both'];

/**
 * Everything that passes, on every side and at every milestone, one after the other. What lets the task through ends a
 * row: a list without its rows where it is read, an answer that is lost where it is written.
 * @param less troubles that mean something else to this peer
 */
export function longRows(milestones: Milestone[], more: Trouble[] = [], less: Trouble[] = []): Plan[] {
  return sides.map((side, n): Plan => {
    const row = (at: number): Trouble[] => [
      ...passing,
      ...more,
      'truncated',
      ...(side === 'reads' ? (['emptied'] as const) : [saving[(n + at) % saving.length] ?? 'saved and 500']),
    ];
    const kept = (at: number): Trouble[] => row(at).filter((trouble) => !less.includes(trouble));
    return { name: side, side, troubles: Object.fromEntries(milestones.map((milestone, at) => [milestone, kept(at)])) };
  });
}

/** Refusals, each on every side in a project of its own: they would be believed if they came one after the other. */
export function shortRefusals(milestones: Milestone[]): Plan[] {
  return sides.flatMap((side) =>
    refusing.map((trouble): Plan => {
      const troubles = Object.fromEntries(milestones.map((milestone) => [milestone, [trouble]]));
      return { name: `${trouble} on ${side}`, side, troubles };
    }),
  );
}
