import { statSync } from 'node:fs';
import path from 'node:path';
import type { Store, TaskId } from '../../src/core/model/index.ts';
import { isFinal } from '../../src/core/model/index.ts';
import { createWorker, type Worker } from '../../src/core/worker/worker.ts';
import { runRounds } from '../../src/core/engine/rounds.ts';
import { startLine, type Line } from '../support/line.ts';
import { planeSide } from '../support/plane-side.ts';
import { busyMs, figure, quantile } from './numbers.ts';
import type { BenchContext, Section, Table } from './section.ts';

const aimedMs = 150;
const maxRounds = 60;

interface Span {
  from: number;
  to: number;
}

/** One piece of a run's way: all of it, and how much of it git and the peers' servers took. */
interface Piece {
  total: number;
  git: number;
  peers: number;
}

/** When calls of git and of the peers were under way, and what was seen of the runs. */
interface Watch {
  git: Span[];
  peers: Span[];
  begins: Piece[];
  ends: Piece[];
  claimedAt: number;
  endedAt: Map<TaskId, number>;
}

/** (e) What orch itself adds to a run: from the claim to the agent, and from the agent's end to the next job. */
export async function ownTime({ form, say }: BenchContext): Promise<Section> {
  const line = await startLine({ script: { roles: {} }, configure: localLine });
  const watch: Watch = { git: [], peers: [], begins: [], ends: [], claimedAt: 0, endedAt: new Map() };
  try {
    const side = planeSide(line);
    await side.tick();
    const worker = watchedWorker(line, watch);
    for (let n = 1; n <= form.lines; n += 1) {
      say(`task ${n} of ${form.lines} goes through the line`);
      await throughTheLine(line, worker, side.id(side.add(`Quantities add up, part ${n}`)), () =>
        // What the poller queues later was not waited for by anybody.
        watch.endedAt.clear(),
      );
    }
  } finally {
    await line.close();
  }
  return report(watch);
}

/** Every stage that needs no person and no CI. */
export function localLine(config: Record<string, unknown>): void {
  const own = (config['projects'] as Record<string, unknown>[])[0];
  config['projects'] = [
    {
      ...own,
      pipelines: { default: { stages: ['architecture', 'development', 'review', 'testing'] } },
      gates: { development: 'tests-local', review: ['reviewer-verdict'] },
      tests: { command: ['true'] },
    },
  ];
}

/** @param afterRuns called when a worker has seen all runs of a round to their end */
export async function throughTheLine(
  line: Line,
  worker: { runUntilEmpty: () => Promise<unknown> },
  id: TaskId,
  afterRuns: () => void = () => undefined,
): Promise<void> {
  for (let round = 0; round < maxRounds; round += 1) {
    await line.tick();
    await worker.runUntilEmpty();
    afterRuns();
    const row = await line.app.store.task(id);
    if (row !== null && isFinal(row.task.stage)) return;
    if (row?.task.hold?.blocking === true) break;
  }
  throw new Error(`the task did not get through the line\n${await line.journal(id)}`);
}

/** A port whose calls are noted while they are under way. */
function timed<T extends object>(port: T, spans: Span[]): T {
  return new Proxy(port, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name);
      if (typeof value !== 'function') return value;
      return (...args: unknown[]): unknown => {
        const from = performance.now();
        const answer: unknown = Reflect.apply(value, target, args);
        const note = (): void => void spans.push({ from, to: performance.now() });
        if (answer instanceof Promise) void answer.then(note, note);
        return answer;
      };
    },
  });
}

/** The worker of the program over timed ports; what follows from a settled run is decided in it, as in the service. */
function watchedWorker(line: Line, watch: Watch): Worker {
  const { engine } = line.app;
  const git = timed(engine.git, watch.git);
  const store = watchedStore(engine.store, watch);
  const watched = {
    ...engine,
    store,
    git,
    forge: timed(engine.forge, watch.peers),
    tracker: timed(engine.tracker, watch.peers),
    chat: engine.chat === null ? null : timed(engine.chat, watch.peers),
  };
  const rounds = { decisions: 0, delivered: 0, problems: [] };
  const deps = line.app.workerDeps(() => runRounds(rounds, watched));
  const { launcher } = deps;
  return createWorker({
    ...deps,
    store,
    git,
    workspaces: timed(deps.workspaces, watch.git),
    launcher: {
      ...launcher,
      start: async (spec, folder) => {
        const identity = await launcher.start(spec, folder);
        watch.begins.push(piece(watch, watch.claimedAt, performance.now()));
        return identity;
      },
      outcome: async (folder) => {
        const outcome = await launcher.outcome(folder);
        const run = await line.app.store.run(path.basename(folder) as never);
        const written = statSync(path.join(folder, 'exit')).mtimeMs - performance.timeOrigin;
        if (run?.taskId !== null && run !== null) watch.endedAt.set(run.taskId, written);
        return outcome;
      },
    },
  });
}

function watchedStore(store: Store, watch: Watch): Store {
  return {
    ...store,
    claim: async (request) => {
      const claim = await store.claim(request);
      if (claim !== null) watch.claimedAt = performance.now();
      return claim;
    },
    commit: async (taskId, version, decision) => {
      const answer = await store.commit(taskId, version, decision);
      const endedAt = watch.endedAt.get(taskId);
      if (answer === 'ok' && decision.jobs.length > 0 && endedAt !== undefined) {
        watch.ends.push(piece(watch, endedAt, performance.now()));
        watch.endedAt.delete(taskId);
      }
      return answer;
    },
  };
}

function piece(watch: Watch, from: number, to: number): Piece {
  return { total: to - from, git: busyMs(watch.git, from, to), peers: busyMs(watch.peers, from, to) };
}

function report(watch: Watch): Section {
  const own = (pieces: Piece[], share: number): number =>
    quantile(
      pieces.map(({ total, git }) => total - git),
      share,
    );
  const sum = own(watch.begins, 0.5) + own(watch.ends, 0.5);
  const met = sum <= aimedMs;
  return {
    title: 'orch’s own time in a run',
    text: [
      'Tasks go through architecture, development with local tests, review and testing on the sandbox, in one process; agents are ' +
        'scripted and processes of their own. `claim → spawn` ends when the supervisor has named itself; `exit → next job` begins ' +
        'with the time stamp of the file `exit` and ends with the commit that queues the next job. Own time is all of it without the ' +
        'calls of git and of workspaces; the answers of Plane, Gitea and Telegram are in it.',
    ],
    tables: [tableOf(watch, own)],
    aims: [
      {
        what: 'orch’s own time in a run, p50 of both ends together',
        aim: `≤ ${aimedMs} ms`,
        measured: `${figure(sum)} ms`,
        met,
        missedBy: met ? '' : `${figure(sum - aimedMs)} ms`,
        why: 'Starting the supervisor and seeing its end are processes and scans of /proc; they take what a loaded machine gives them.',
      },
    ],
  };
}

function tableOf(watch: Watch, own: (pieces: Piece[], share: number) => number): Table {
  const rowOf = (name: string, pieces: Piece[]): string[] => {
    const of = (part: 'total' | 'git' | 'peers'): string =>
      figure(
        quantile(
          pieces.map((one) => one[part]),
          0.5,
        ),
      );
    const rest = [figure(own(pieces, 0.5)), figure(own(pieces, 0.99)), String(pieces.length)];
    return [name, of('total'), of('git'), of('peers'), ...rest];
  };
  return {
    head: ['', 'all, p50 ms', 'git, p50 ms', 'peers, p50 ms', 'own, p50 ms', 'own, p99 ms', 'samples'],
    rows: [rowOf('claim → spawn', watch.begins), rowOf('exit → next job queued', watch.ends)],
  };
}
