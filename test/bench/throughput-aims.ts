import type { Durability } from './contestants/contestant.ts';
import { figure, median, pairedRatio } from './numbers.ts';
import type { Aim, Form } from './section.ts';

export type What = 'take' | 'decide';

/** The two guises of orch in the contest. */
export const orchJob = 'orch';
export const orchTask = 'orch-task';
/** The same database and promises by bare prepared statements. */
export const orchBound = 'orch-bound';

export const durabilities: readonly Durability[] = ['NORMAL', 'FULL'];

/** Rates of a contestant on the backlog of this index, one a round; empty where it was not measured. */
type Rates = (name: string, index: number, what: What, durability: Durability) => number[];

const reasons = {
  bound:
    'A claim looks without the write lock first, so that an idle worker disturbs nobody; rows become objects of the model, and the rules of ' +
    'claims and budgets decide in between.',
  rows: 'The indexes are deeper and the pages of so many rows are not all in the cache.',
  delayed: 'Delayed rows have an index of their own and are not looked at by a claim; what is left is a larger file.',
};

/** The aims of part (a). `rates` is asked by backlog: 0 few rows, 1 many, 2 few and many delayed ones, 3 very many. */
export function throughputAims(rates: Rates, form: Form): Aim[] {
  return [
    ...overBound(rates, form),
    ...[orchJob, orchTask].flatMap((name) => [...overRows(rates, form, name), ...overDelayed(rates, form, name)]),
  ];
}

function overBound(rates: Rates, { backlogs }: Form): Aim[] {
  return [backlogs.few, backlogs.many].flatMap((rows, index) =>
    durabilities.map((durability) => {
      const ratio = pairedRatio(rates(orchJob, index, 'take', durability), rates(orchBound, index, 'take', durability));
      const title = `Claim + settle against the least that the same promises cost, ${figure(rows)} queued, ${durability}`;
      return atLeast(title, 0.8, ratio, reasons.bound);
    }),
  );
}

const titles: Record<string, string> = { [orchJob]: 'jobs of no task', [orchTask]: 'jobs of tasks' };

function overRows(rates: Rates, { backlogs }: Form, name: string): Aim[] {
  return durabilities.map((durability) => {
    const share = median(rates(name, 3, 'take', durability)) / median(rates(name, 0, 'take', durability));
    const title = `Rate at ${figure(backlogs.huge)} rows ÷ at ${figure(backlogs.few)}, ${titles[name] ?? ''}, ${durability}`;
    return atLeast(title, 0.7, share, reasons.rows);
  });
}

function overDelayed(rates: Rates, { backlogs }: Form, name: string): Aim[] {
  const aimed = 1.2;
  return durabilities.map((durability) => {
    const slower = median(rates(name, 0, 'take', durability)) / median(rates(name, 2, 'take', durability));
    const met = Number.isNaN(slower) ? null : slower <= aimed;
    return {
      what: `Time a job with ${figure(backlogs.many)} delayed rows ÷ without, ${titles[name] ?? ''}, ${durability}`,
      aim: `≤ ${aimed}×`,
      measured: met === null ? 'not measured' : `${figure(slower)}×`,
      met,
      missedBy: met === false ? `${figure(slower / aimed)}× the aim` : '',
      why: reasons.delayed,
    };
  });
}

function atLeast(what: string, aim: number, ratio: number, why: string): Aim {
  const met = Number.isNaN(ratio) ? null : ratio >= aim;
  return {
    what,
    aim: `≥ ${aim}×`,
    measured: met === null ? 'not measured' : `${figure(ratio)}×`,
    met,
    missedBy: met === false ? `${figure(aim / ratio)}× less than aimed` : '',
    why,
  };
}
