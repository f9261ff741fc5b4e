import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { overviewDocument, readOverview } from '../../src/commands/shared/overview.ts';
import { taskIdOf, type RunningJob, type Store, type TaskId, type TaskRow } from '../../src/core/model/index.ts';
import type { FaultRule } from '../../src/sandbox/faults.ts';
import type { Repo } from '../../src/sandbox/gitea/state.ts';
import type { Project } from '../../src/sandbox/plane/state.ts';
import { leapClock, type LeapClock } from './leap-clock.ts';
import { startLine, type Line } from './line.ts';
import { servingWorker } from './serving-worker.ts';
import { actionOf, lasting, type Trouble } from './trouble.ts';
import { until } from './until.ts';

type Peer = 'plane' | 'gitea' | 'git';
export type Side = 'reads' | 'writes' | 'both';
/** Where a row of troubles sets in: before the item was seen, while its first agent is at work, and before the merge. */
export type Milestone = 'none' | 'development' | 'deploy';

/** Troubles that come one after the other, without a pause in which the task could slip through. */
export interface Plan {
  name: string;
  side: Side;
  troubles: Partial<Record<Milestone, Trouble[]>>;
}

/** One trouble that was met. */
interface Met {
  milestone: Milestone;
  trouble: Trouble;
  /** Requests during each of its ticks, for half a minute of real work. */
  requests: number[];
  /** What `orch status --json` said at its end. */
  said: string;
}

/** One project with its repository and one work item, and the troubles its peer is in. */
export interface Cell {
  name: string;
  /** Null: a project whose peers are well. */
  plan: Plan | null;
  project: Project;
  repo: Repo;
  id: TaskId;
  itemId: string;
  met: Met[];
  /** The round in which the task was done. */
  doneIn: number | null;
}

export interface Matrix {
  line: Line;
  clock: LeapClock;
  cells: Cell[];
  /** What arrived at the host that redirects point to. */
  elsewhere: string[];
  row(cell: Cell): Promise<TaskRow | null>;
  status(): Promise<string>;
  /** Drives every cell through its phases to the end; fails with the journals of those that did not arrive. */
  run(): Promise<void>;
  close(): Promise<void>;
}

export interface MatrixOptions {
  peer: Peer;
  plans: Plan[];
  /** Between two ticks: a poller's usual half minute, or so long that every backoff is over and all is tried again. */
  tickMs: number;
  /** Ticks that a trouble lasts. */
  ticks: number;
  timeouts?: Record<string, number>;
}

/** Between ticks when nothing is in trouble any more, so that every backoff ends in a few rounds. */
const calmMs = 300_000;
const maxRounds = 120;
const usualTickMs = 30_000;

/** Published in vain: it goes on when its backoff is over. */
const stuck = ({ run, job }: RunningJob): boolean => run.phase === 'publishing' && job.lastError !== null;

/** Until every agent has ended and nothing that is due waits for one; what is being published may take longer. */
export async function quiet(store: Store): Promise<void> {
  const atRest = async (): Promise<boolean> =>
    !(await store.hasDueJob()) && (await store.runningJobs(null)).every(stuck);
  await until('the agents to end', atRest, 300_000);
}

function milestoneOf(row: TaskRow | null): Milestone | null {
  if (row === null) return 'none';
  if (row.task.stage !== 'development') return null;
  return row.task.prNumber === null ? 'development' : 'deploy';
}

export async function startMatrix(options: MatrixOptions): Promise<Matrix> {
  const clock = leapClock();
  const elsewhere: string[] = [];
  const host = await listen(elsewhere);
  const address = `http://localhost:${(host.address() as AddressInfo).port}`;
  const plans: (Plan | null)[] = [...options.plans, null];
  const made: { project: Project; repo: Repo }[] = [];
  const line = await startLine({
    script: { roles: {} },
    appClock: clock,
    configure: (config) => Object.assign(config, { worker: { maxConcurrency: 4 }, timeouts: options.timeouts ?? {} }),
    prepare: async (world) => {
      const [sample] = world.config['projects'] as Record<string, unknown>[];
      const projects: Record<string, unknown>[] = [];
      for (const [n] of plans.entries()) {
        const prefix = `P${n}`;
        const project = world.plane.addProject({ identifier: prefix, name: prefix, states: extra }, world.people.lead);
        const repo = await world.gitea.addRepo({ owner: world.accounts.owner, name: `r${n}x` });
        world.gitea.grant(repo, world.accounts.bot, 'write');
        const pipelines = { default: { stages: ['development', 'deploy'] } };
        const own = { planeProject: project.id, repo: `acme/${repo.name}`, prefix, name: prefix, pipelines };
        projects.push({ ...sample, ...own });
        made.push({ project, repo });
      }
      world.config['projects'] = projects;
    },
  });
  await line.tick();
  const cells = plans.map((plan, n): Cell => {
    const { project, repo } = made[n] as (typeof made)[number];
    const id = taskIdOf(project.identifier, 1);
    return { name: plan?.name ?? 'well', plan, project, repo, id, itemId: '', met: [], doneIn: null };
  });
  return assemble({ options, line, clock, cells, elsewhere, host, address });
}

const extra = [
  { name: 'In Review', group: 'started' },
  { name: 'Needs Input', group: 'started' },
  { name: 'Blocked', group: 'started' },
];

async function listen(heard: string[]): Promise<Server> {
  const server = createServer((request, response) => {
    heard.push(`${request.method ?? ''} ${request.url ?? ''} ${JSON.stringify(request.headers)}`);
    response.end('{}');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return server;
}

interface Pieces {
  options: MatrixOptions;
  line: Line;
  clock: LeapClock;
  cells: Cell[];
  elsewhere: string[];
  host: Server;
  address: string;
}

/** The requests of a cell that its trouble is about. */
function requestsOf(peer: Peer, cell: Cell, side: Side): RegExp {
  if (peer === 'git') {
    const folder = `/acme/${cell.repo.name}\\.git/`;
    const read = '(info/refs\\?service=git-upload-pack|git-upload-pack)';
    const write = '(info/refs\\?service=git-receive-pack|git-receive-pack)';
    return new RegExp(`${folder}${side === 'reads' ? read : side === 'writes' ? write : ''}`);
  }
  const place = peer === 'plane' ? `/projects/${cell.project.id}/` : `/api/v1/repos/acme/${cell.repo.name}\\b`;
  const verb = side === 'reads' ? 'GET' : side === 'writes' ? '(POST|PATCH|PUT|DELETE)' : '[A-Z]+';
  return new RegExp(`^${verb} \\S*${place}`);
}

interface Phase {
  rule: FaultRule;
  left: { milestone: Milestone; trouble: Trouble }[];
  met: Met;
  from: number;
}

function assemble(pieces: Pieces): Matrix {
  const { options, line, clock, cells, elsewhere, host } = pieces;
  const { world } = line;
  const server = options.peer === 'plane' ? world.plane : world.gitea;
  const phases = new Map<Cell, Phase>();
  const begun = new Map<Cell, Set<Milestone>>(cells.map((cell) => [cell, new Set()]));
  let tickedAt = 0;
  const row = (cell: Cell): Promise<TaskRow | null> => line.app.store.task(cell.id);
  const status = async (): Promise<string> =>
    JSON.stringify(overviewDocument(await readOverview(line.app.store, line.app.config, false)));

  function next(cell: Cell, side: Side, left: Phase['left']): void {
    const [first, ...rest] = left;
    if (first === undefined) return void phases.delete(cell);
    const action = actionOf(first.trouble, options.peer === 'plane' ? 'plane' : 'gitea', pieces.address);
    const rule = lasting(requestsOf(options.peer, cell, side), action);
    server.faults.push(rule);
    phases.set(cell, { rule, left: rest, met: { ...first, requests: [], said: '' }, from: server.requests.length });
  }

  async function begin(cell: Cell): Promise<void> {
    if (phases.has(cell)) return;
    const { side, troubles } = cell.plan ?? { side: 'both', troubles: {} };
    const milestone = milestoneOf(await row(cell));
    if (milestone === null || begun.get(cell)?.has(milestone) === true) return;
    begun.get(cell)?.add(milestone);
    if (milestone === 'deploy') await turnGreen(cell);
    next(
      cell,
      side,
      (troubles[milestone] ?? []).map((trouble) => ({ milestone, trouble })),
    );
  }

  /** CI answers when the last row of troubles sets in: what follows is judged, merged and deployed under it. */
  async function turnGreen(cell: Cell): Promise<void> {
    const { branch } = (await line.task(cell.id)).task;
    const head = world.gitea.head(cell.repo, branch);
    world.gitea.setStatus(cell.repo, head ?? '', 'ci/test', 'success');
  }

  async function after(cell: Cell): Promise<void> {
    const phase = phases.get(cell);
    if (phase === undefined || cell.plan === null) return;
    const { met, rule } = phase;
    const count = server.requests.slice(phase.from).filter((line) => rule.match.test(line)).length;
    // On a busy machine a turn of the worker may take longer than several ticks would.
    met.requests.push(Math.ceil(count / (1 + (clock.now() - tickedAt) / usualTickMs)));
    phase.from = server.requests.length;
    if (met.requests.length < options.ticks) return;
    met.said = await status();
    cell.met.push(met);
    server.faults.splice(server.faults.indexOf(rule), 1);
    next(cell, cell.plan.side, phase.left);
  }

  async function rounds(): Promise<Cell[]> {
    let left = cells;
    for (let round = 0; round < maxRounds && (left.length > 0 || phases.size > 0); round += 1) {
      for (const cell of cells) await begin(cell);
      tickedAt = clock.now();
      await line.tick();
      await quiet(line.app.store);
      for (const cell of cells) await after(cell);
      const rows = await Promise.all(left.map(row));
      for (const [n, cell] of left.entries()) if (rows[n]?.task.stage === 'done') cell.doneIn = round;
      left = cells.filter((cell) => cell.doneIn === null);
      clock.skip(phases.size === 0 ? calmMs : options.tickMs);
    }
    return left;
  }

  return {
    line,
    clock,
    cells,
    elsewhere,
    row,
    status,
    async run() {
      for (const cell of cells) {
        cell.itemId = world.plane.addItem(cell.project, world.people.lead, {
          name: 'Quantities add up',
          description_html: '<p>The quantities of all lines of a cart are added up.</p>',
        }).id;
      }
      const stop = new AbortController();
      const served = servingWorker(line.app).serve(stop.signal);
      let left: Cell[];
      try {
        left = await rounds();
      } finally {
        stop.abort();
        clock.skip(60_000);
        await served;
      }
      // The worker's own rounds may have kept a lane from the tick before: now nobody else delivers.
      await line.tick();
      if (left.length === 0) return;
      const journals = await Promise.all(left.map(async (cell) => `${cell.name}\n${await line.journal(cell.id)}`));
      throw new Error(`not done: ${journals.join('\n\n')}`);
    },
    async close() {
      host.close();
      host.closeAllConnections();
      await line.close();
    },
  };
}
