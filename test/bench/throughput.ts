import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { errorText } from '../../src/core/model/index.ts';
import { startRemote, type Remote } from './calls.ts';
import type { Durability } from './contestants/contestant.ts';
import { figure, median, pairedRatio } from './numbers.ts';
import { peerTitle } from './peers.ts';
import type { Aim, BenchContext, Section, Table } from './section.ts';

type What = 'take' | 'decide';

interface Entrant {
  name: string;
  title: string;
  script: string;
  args: string[];
  /** A thousand times slower than the others: it gets fewer jobs a round. */
  slow: boolean;
  /** Whether its decisions are measured: of one queue in two guises only once. */
  decides: boolean;
}

interface Backlog {
  name: string;
  queued: number;
  delayed: number;
  /** Only these take part; all without. */
  only?: string[];
}

/** One entrant on one backlog: a process and a database of its own. */
interface Lane {
  entrant: Entrant;
  backlog: Backlog;
  remote: Remote;
  /** Jobs or decisions a second, by what and durability, one a round. */
  rates: Map<string, number[]>;
  failed: string | null;
}

const durabilities: readonly Durability[] = ['NORMAL', 'FULL'];
const key = (what: What, durability: Durability): string => `${what} ${durability}`;

const orchJob = 'orch';
const orchTask = 'orch-task';

function entrants({ peers }: BenchContext): Entrant[] {
  const fast = { slow: false, decides: true };
  const orch = 'contestants/orch.ts';
  const list: Entrant[] = [
    { ...fast, name: orchJob, title: 'orch, jobs of no task', script: orch, args: ['job'] },
    { ...fast, name: orchTask, title: 'orch, jobs of tasks', script: orch, args: ['task'], decides: false },
  ];
  const { plainjob, liteque } = peers;
  if (plainjob !== null) {
    const own = { ...fast, script: 'contestants/plainjob.ts' };
    const title = peerTitle('plainjob');
    list.push({ ...own, name: 'plainjob', title: `${title}, its queue’s calls`, args: [plainjob, 'queue'] });
    const worker = { name: 'plainjob-worker', title: `${title}, its worker`, args: [plainjob, 'worker'] };
    list.push({ ...own, ...worker, decides: false });
  }
  if (liteque !== null) {
    const script = 'contestants/liteque.ts';
    list.push({ name: 'liteque', title: peerTitle('liteque'), script, args: [liteque], slow: true, decides: true });
  }
  return list;
}

/** (a) How many jobs a second are claimed and settled, and how many decisions stored. */
export async function throughput(context: BenchContext): Promise<Section> {
  const { few, many, huge } = context.form.backlogs;
  const backlogs: Backlog[] = [
    { name: `${figure(few)} queued`, queued: few, delayed: 0 },
    { name: `${figure(many)} queued`, queued: many, delayed: 0 },
    {
      name: `${figure(few)} queued and ${figure(many)} delayed`,
      queued: few,
      delayed: many,
      only: [orchJob, orchTask, 'plainjob'],
    },
    { name: `${figure(huge)} queued`, queued: huge, delayed: 0, only: [orchJob, orchTask] },
  ];
  const lanes = await contest(context, backlogs);
  const at = (name: string, index: number): Lane | undefined =>
    lanes.find((lane) => lane.entrant.name === name && lane.backlog === backlogs[index]);
  return {
    title: 'Claim and settle, and a whole commit',
    text: textOf(context),
    tables: [tableOf(lanes, 'take'), tableOf(lanes, 'decide')],
    aims: aimsOf(at, context),
  };
}

async function contest(context: BenchContext, backlogs: Backlog[]): Promise<Lane[]> {
  const lanes: Lane[] = [];
  for (const backlog of backlogs) {
    const own: Lane[] = [];
    for (const entrant of entrants(context)) {
      if (backlog.only?.includes(entrant.name) === false) continue;
      own.push({ entrant, backlog, remote: startRemote(entrant.script, entrant.args), rates: new Map(), failed: null });
    }
    lanes.push(...own);
    try {
      for (const lane of own) await survive(lane, context, () => seed(lane, context));
      for (let round = 0; round <= context.form.rounds; round += 1) {
        context.say(`${backlog.name}: round ${round} of ${context.form.rounds}`);
        for (const durability of durabilities)
          for (const lane of own) await survive(lane, context, () => play(lane, context, durability, round > 0));
      }
    } finally {
      for (const lane of own) await lane.remote.close();
    }
  }
  return lanes;
}

/** A contestant that fails is left out from there on; the others go on. */
async function survive(lane: Lane, { say }: BenchContext, work: () => Promise<void>): Promise<void> {
  if (lane.failed !== null) return;
  try {
    await work();
  } catch (error) {
    lane.failed = errorText(error).split('\n')[0] ?? '';
    say(`${lane.entrant.title} failed: ${lane.failed}`);
  }
}

const fileOf = (lane: Lane, { folder }: BenchContext): string =>
  path.join(folder, `${lane.entrant.name}-${lane.backlog.queued}-${lane.backlog.delayed}`, 'queue.db');

async function seed(lane: Lane, context: BenchContext): Promise<void> {
  const file = fileOf(lane, context);
  mkdirSync(path.dirname(file), { recursive: true });
  await lane.remote.call('seed', file, lane.backlog.queued, lane.backlog.delayed);
}

async function play(lane: Lane, context: BenchContext, durability: Durability, counts: boolean): Promise<void> {
  const { form } = context;
  const many = lane.backlog.queued + lane.backlog.delayed > form.backlogs.few;
  const jobs = lane.entrant.slow ? form.slowJobs[many ? 'many' : 'few'] : form.jobs;
  const decisions = lane.entrant.slow ? form.slowJobs.few : Math.ceil(form.jobs / 4);
  await lane.remote.call('open', fileOf(lane, context), durability);
  const took = await lane.remote.call<number>('take', jobs);
  await lane.remote.call('refill', jobs);
  const decided = lane.entrant.decides ? await lane.remote.call<number>('decide', decisions) : Number.NaN;
  if (!counts) return;
  note(lane, key('take', durability), (1000 * jobs) / took);
  note(lane, key('decide', durability), (1000 * decisions) / decided);
}

function note(lane: Lane, name: string, rate: number): void {
  lane.rates.set(name, [...(lane.rates.get(name) ?? []), rate]);
}

function tableOf(lanes: Lane[], what: What): Table {
  const rows: string[][] = [];
  for (const lane of lanes.filter(({ entrant }) => what === 'take' || entrant.decides)) {
    const base = lanes.find((other) => other.backlog === lane.backlog && other.entrant.name === orchJob);
    const cells = durabilities.flatMap((durability) => {
      const rates = lane.rates.get(key(what, durability)) ?? [];
      const ratio = pairedRatio(base?.rates.get(key(what, durability)) ?? [], rates);
      return [lane.failed === null ? figure(median(rates)) : 'failed', lane === base ? '1' : figure(ratio)];
    });
    rows.push([lane.backlog.name, lane.entrant.title, ...cells]);
  }
  const name = what === 'take' ? 'claim + settle' : 'commit';
  return {
    head: ['rows', name, 'NORMAL, per second', 'orch ÷ it', 'FULL, per second', 'orch ÷ it'],
    rows,
  };
}

function textOf({ form }: BenchContext): string[] {
  return [
    `Every contestant is a process of its own with a database of its own; in each of ${form.rounds} rounds, after one that warms up, each ` +
      `takes ${form.jobs} jobs (liteque ${form.slowJobs.few}, with more rows ${form.slowJobs.many}) one after the other and stores ` +
      `${Math.ceil(form.jobs / 4)} decisions, in turns, first with \`synchronous=NORMAL\`, then with \`FULL\`. Rates are medians; a ratio is the ` +
      'median of the ratios of the rounds. Rows are seeded and refilled with direct SQL: through the queues themselves it would take hours.',
    'orch is called through its store port (`claim`, `settle`, `commit`), as its worker does. Its claim checks the host’s slots, the ' +
      'task’s caps and the branch, takes a fenced lease and adds a row to the history of runs; its settlement closes that row with the ' +
      'outcome, and for a task’s job also books the dollars, queues the message and wakes the task. plainjob’s `queue’s calls` are ' +
      '`getAndMarkJobAsProcessing`, `getJobById` and `markJobAsDone`, without its worker; liteque’s are `attemptDequeue` and `finalize`. ' +
      'Neither keeps a history, and plainjob’s are not fenced.',
    'A commit is one transaction: the task under its version, a visit, a job, two effects in the outbox and the row in the journal. On ' +
      'plainjob it is what an application would do for the same: a transaction with its own three rows and three jobs. liteque has no ' +
      'transaction around several calls: three `enqueue` calls, and no other row.',
  ];
}

type Find = (name: string, index: number) => Lane | undefined;

function aimsOf(at: Find, { form }: BenchContext): Aim[] {
  const rates = (name: string, index: number, what: What, durability: Durability): number[] =>
    at(name, index)?.rates.get(key(what, durability)) ?? [];
  const aims: Aim[] = [];
  const against = (peer: string, title: string, aim: number, what: What, index: number, rows: number): void => {
    for (const durability of durabilities) {
      const ratio = pairedRatio(rates(orchJob, index, what, durability), rates(peer, index, what, durability));
      const name = what === 'take' ? 'Claim + settle' : 'A whole commit';
      aims.push(atLeast(`${name} against ${title}, ${figure(rows)} queued, ${durability}`, aim, ratio, reasons[what]));
    }
  };
  const { few, many, huge } = form.backlogs;
  for (const what of ['take', 'decide'] as const) {
    for (const [index, rows] of [few, many].entries()) {
      against('plainjob', peerTitle('plainjob'), 1.5, what, index, rows);
      against('liteque', peerTitle('liteque'), 50, what, index, rows);
    }
  }
  for (const [name, title] of [
    [orchJob, 'jobs of no task'],
    [orchTask, 'jobs of tasks'],
  ] as const) {
    const big = median(rates(name, 3, 'take', 'FULL')) / median(rates(name, 0, 'take', 'FULL'));
    aims.push(atLeast(`Rate at ${figure(huge)} rows ÷ rate at ${figure(few)}, ${title}, FULL`, 0.7, big, reasons.rows));
    const normal = median(rates(name, 3, 'take', 'NORMAL')) / median(rates(name, 0, 'take', 'NORMAL'));
    aims.push(atLeast(`The same at NORMAL`, 0.7, normal, reasons.rows));
    for (const durability of durabilities) {
      const slower = median(rates(name, 0, 'take', durability)) / median(rates(name, 2, 'take', durability));
      const met = Number.isNaN(slower) ? null : slower <= 1.2;
      aims.push({
        what: `Time per job with ${figure(many)} delayed rows ÷ without, ${title}, ${durability}`,
        aim: '≤ 1.2×',
        measured: `${figure(slower)}×`,
        met,
        missedBy: met === false ? `${figure(slower / 1.2)}× the aim` : '',
        why: 'Delayed rows have an index of their own and are not looked at by a claim; what is left is a larger file.',
      });
    }
  }
  return aims;
}

const reasons = {
  take:
    'orch writes more for a job: two rows of the history and the job’s row twice, thirteen entries of partial indexes that carry the ' +
    'invariants, and two fences. At FULL both wait for the disk twice a job, which no work on the statements changes.',
  decide:
    'A commit of orch reads the task under its version first and checks cause, live job and older states of the item, each with an index; ' +
    'all peers write fewer columns and no CHECK. At FULL the disk’s answer is most of the time on either side.',
  rows: 'The indexes are deeper and the pages of a million rows are not all in the cache.',
};

function atLeast(what: string, aim: number, ratio: number, why: string): Aim {
  const met = Number.isNaN(ratio) ? null : ratio >= aim;
  return {
    what,
    aim: `≥ ${aim}×`,
    measured: Number.isNaN(ratio) ? 'not measured' : `${figure(ratio)}×`,
    met,
    missedBy: met === false ? `${figure(aim / ratio)}× less than aimed` : '',
    why,
  };
}
