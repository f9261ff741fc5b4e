/** One aim, and what came out: `met` is null where it could not be measured. */
export interface Aim {
  what: string;
  aim: string;
  measured: string;
  met: boolean | null;
  /** By how much it was missed; empty when it was met. */
  missedBy: string;
  /** Printed when it is missed: what the difference is made of. */
  why: string;
}

export interface Table {
  head: string[];
  rows: string[][];
}

/** One part of the report. */
export interface Section {
  title: string;
  text: string[];
  tables: Table[];
  aims: Aim[];
}

/** How much of everything; the short form has the same parts with fewer and smaller rounds. */
export interface Form {
  name: 'full' | 'quick';
  /** Rounds of the throughput contest, without the first, which warms up. */
  rounds: number;
  /** Jobs that a contestant takes in one round. */
  jobs: number;
  /** The same for a contestant that needs a thousand times as long, by backlog. */
  slowJobs: { few: number; many: number };
  backlogs: { few: number; many: number; huge: number };
  /** Enqueues whose latency is taken. */
  enqueues: number;
  trackedTasks: number;
  idleTicks: number;
  kills: number;
  /** Rounds in which the same is done next to few and many tasks that have ended. */
  growthRounds: number;
  /** Tasks that go through the line for the time that orch itself takes. */
  lines: number;
  /** Starts of each command. */
  starts: number;
  /** Ticks, one a second, after which the memory of the services is looked at; ten looks. */
  serviceTicks: number;
  /** Rounds of whole services. */
  serviceRounds: number;
  /** Repositories in which the cost of a run is taken, the smallest first. */
  repositories: { files: number; historyMegabytes: number }[];
}

export const forms: Record<Form['name'], Form> = {
  full: {
    name: 'full',
    rounds: 9,
    jobs: 2000,
    slowJobs: { few: 60, many: 20 },
    backlogs: { few: 10_000, many: 100_000, huge: 1_000_000 },
    enqueues: 400,
    trackedTasks: 1000,
    idleTicks: 20,
    kills: 30,
    growthRounds: 15,
    lines: 6,
    starts: 30,
    serviceTicks: 1000,
    serviceRounds: 3,
    repositories: [
      { files: 100, historyMegabytes: 0 },
      { files: 5000, historyMegabytes: 20 },
      { files: 40_000, historyMegabytes: 150 },
    ],
  },
  quick: {
    name: 'quick',
    rounds: 3,
    jobs: 200,
    slowJobs: { few: 10, many: 3 },
    backlogs: { few: 10_000, many: 100_000, huge: 300_000 },
    enqueues: 40,
    trackedTasks: 1000,
    idleTicks: 5,
    kills: 6,
    growthRounds: 5,
    lines: 1,
    starts: 7,
    serviceTicks: 30,
    serviceRounds: 1,
    repositories: [
      { files: 100, historyMegabytes: 0 },
      { files: 5000, historyMegabytes: 5 },
    ],
  },
};

/** What every part is given. */
export interface BenchContext {
  form: Form;
  /** Folder of this part's files, removed afterwards. */
  folder: string;
  /** One line for whoever waits, on stderr. */
  say: (line: string) => void;
  /** The other queues' entry files; null where one could not be installed. */
  peers: { plainjob: string | null; liteque: string | null };
}
