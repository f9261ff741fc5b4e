import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { errorText } from '../../src/core/model/index.ts';
import { startRemote, type Remote } from './calls.ts';
import type { Durability } from './contestants/contestant.ts';
import { figure, median, pairedRatio } from './numbers.ts';
import { peerTitle } from './peers.ts';
import type { BenchContext, Section, Table } from './section.ts';
import { durabilities, orchBound, orchJob, orchTask, throughputAims, type What } from './throughput-aims.ts';

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

const key = (what: What, durability: Durability): string => `${what} ${durability}`;

function entrants({ peers }: BenchContext): Entrant[] {
  const fast = { slow: false, decides: true };
  const orch = 'contestants/orch.ts';
  const list: Entrant[] = [
    { ...fast, name: orchJob, title: 'orch, jobs of no task', script: orch, args: ['job'] },
    {
      ...fast,
      name: orchBound,
      title: 'the least for the same promises: bare prepared statements',
      script: orch,
      args: ['bound'],
      decides: false,
    },
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
    aims: throughputAims(
      (name, index, what, durability) => at(name, index)?.rates.get(key(what, durability)) ?? [],
      context.form,
    ),
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
