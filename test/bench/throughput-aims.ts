import type { Durability } from './contestants/contestant.ts';
import { figure, median, pairedRatio } from './numbers.ts';
import { peerTitle } from './peers.ts';
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
  take:
    'orch writes more for a job: the job’s row twice, as plainjob does, and also a row of the history of runs, which is added and then ' +
    'closed, and the entries of the indexes that carry the invariants (one open run a job, one running job a branch). SQLite writes every ' +
    'page that a transaction touched, and that is most of the time. At FULL both sides wait for the disk twice a job, which no work on ' +
    'the statements changes; at a flush of a millisecond or more the ratio to any queue with a fast claim goes to 1.',
  decide:
    'It is one transaction on orch’s and on plainjob’s side, and orch’s touches more pages: jobs, outbox, visits and journal carry indexes ' +
    'for causes, keys, lanes and versions, which the rows of the comparison do not have. liteque’s three inserts are slow neither by ' +
    'its search for work nor, at NORMAL, by the disk.',
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
    ...(['take', 'decide'] as const).flatMap((what) => againstPeers(rates, form, what)),
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

function againstPeers(rates: Rates, { backlogs }: Form, what: What): Aim[] {
  const name = what === 'take' ? 'Claim + settle' : 'A whole commit';
  const aims: Aim[] = [];
  for (const [index, rows] of [backlogs.few, backlogs.many].entries()) {
    for (const [peer, aimed] of [
      ['plainjob', 1.5],
      ['liteque', 50],
    ] as const) {
      for (const durability of durabilities) {
        const ratio = pairedRatio(rates(orchJob, index, what, durability), rates(peer, index, what, durability));
        const title = `${name} against ${peerTitle(peer)}, ${figure(rows)} queued, ${durability}`;
        aims.push(atLeast(title, aimed, ratio, reasons[what]));
      }
    }
  }
  return aims;
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
