import { closeSync, mkdirSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { spawnSync } from 'node:child_process';
import { hostname, tmpdir } from 'node:os';
import path from 'node:path';
import type { ProjectId, RunOutcome, Store, Task, TaskId } from '../../src/core/model/index.ts';
import { isFinal, taskIdOf } from '../../src/core/model/index.ts';
import type { Clock } from '../../src/core/platform/clock.ts';
import { ownerId } from '../../src/core/platform/processes.ts';
import { openStore } from '../../src/core/store/open.ts';
import {
  claimOn,
  commitNow,
  holdOn,
  itemMirror,
  newJob,
  outcome,
  present,
  settlement,
  task,
  visit,
} from '../store/bench.ts';

const root = path.resolve(import.meta.dirname, '../..');
/** The built program. */
export const bin = path.join(root, 'bin/orch.js');
const minute = 60_000;

/** A database with tasks in every state, and the built program over it. */
export interface LookedAt {
  folder: string;
  /** Arguments and environment with which the program finds this database. */
  arguments: string[];
  env: NodeJS.ProcessEnv;
  id(n: number): TaskId;
  store: Store;
  clock: Clock & { at: number };
  /** Runs the built program; stdout is a pipe, or the file `to`. */
  orch(args: string[], env?: NodeJS.ProcessEnv, to?: string): { status: number | null; stdout: string; stderr: string };
  /** Runs it in a pseudo-terminal of that many columns and answers what the screen got. */
  screen(args: string[], columns: number, env?: NodeJS.ProcessEnv): string;
  /** A task at a stage that began `ago` milliseconds before now. */
  add(n: number, over: Partial<Task>, ago?: number): Promise<TaskId>;
  /** A run of the task that ended so. */
  ran(id: TaskId, ms: number, over?: Partial<RunOutcome>): Promise<string>;
  /** A run of the task that goes on, with a folder. */
  runs(id: TaskId): Promise<{ id: string; folder: string }>;
  close(): Promise<void>;
}

/** An empty database, with one project in the configuration whose servers do not exist. */
export async function lookedAt(): Promise<LookedAt> {
  const folder = mkdtempSync(path.join(tmpdir(), 'orch-look-'));
  const config = path.join(folder, 'config.json');
  const plane = 'aaaaaaaa-0000-4000-8000-000000000001';
  writeFileSync(
    config,
    JSON.stringify({
      stateDir: path.join(folder, 'state'),
      plane: { url: 'http://127.0.0.1:1', publicUrl: 'https://plane.example.org', workspace: 'acme' },
      gitea: { url: 'http://127.0.0.1:1', publicUrl: 'https://git.example.org' },
      projects: [
        { planeProject: plane, repo: 'acme/shop', prefix: 'ET', name: 'Shop', approvers: ['lead@example.org'] },
      ],
    }),
  );
  const env = { PATH: process.env['PATH'], HOME: folder, LANG: 'C.UTF-8', TERM: 'xterm-256color' };
  const orch: LookedAt['orch'] = (args, more = {}, to) => {
    const handle = to === undefined ? null : openSync(to, 'w');
    try {
      return spawnSync(process.execPath, [bin, '--config', config, ...args], {
        cwd: folder,
        encoding: 'utf8',
        env: { ...env, ...more },
        stdio: ['ignore', handle ?? 'pipe', 'pipe'],
      });
    } finally {
      if (handle !== null) closeSync(handle);
    }
  };
  const clock: LookedAt['clock'] = { at: Date.now(), now: () => clock.at, sleep: () => Promise.resolve() };
  const file = path.join(folder, 'state', 'orch.db');
  const store = await openStore({ database: { file }, clock, mode: 'service' });
  const idOf = (n: number): TaskId => taskIdOf('ET', n);
  const quote = (word: string): string => `'${word.replaceAll("'", `'\\''`)}'`;
  const world: LookedAt = {
    folder,
    clock,
    arguments: ['--config', config],
    env,
    id: idOf,
    store,
    orch,
    screen(args, columns, more = {}) {
      const words = [process.execPath, bin, '--config', config, ...args].map(quote).join(' ');
      const result = spawnSync('script', ['-qec', `stty cols ${columns} rows 200; exec ${words}`, '/dev/null'], {
        cwd: folder,
        encoding: 'utf8',
        env: { ...env, ...more },
        input: '',
      });
      return result.stdout.replaceAll('\r\n', '\n');
    },
    async add(n, over, ago = 0) {
      const id = idOf(n);
      const at = clock.at - ago;
      const made = task({
        id,
        number: n,
        projectId: plane as ProjectId,
        title: `Task ${n}`,
        createdAt: at - 10 * minute,
        updatedAt: at,
        stageSince: at,
        ...over,
      });
      const active = isFinal(made.stage) ? { ...made, stage: 'development' as const } : made;
      await store.addTask(active, itemMirror({ itemId: made.itemId }));
      // Nothing begins at its end.
      if (active !== made) await commitNow(store, { task: made }, id);
      return id;
    },
    async ran(id, ms, over = {}) {
      const cause = `run:${id}:${clock.at}:${ms}`;
      clock.at -= ms;
      await store.enqueue(newJob({ taskId: id, cause, role: 'analyst' }));
      const claim = present(await claimOn(store, hostname(), { maxConcurrency: 99 }));
      clock.at += ms;
      await store.settle(
        claim.lease,
        settlement({
          outcome: outcome({
            costMicros: 420_000,
            tokens: { input: 1200, output: 300, cacheRead: 9000, cacheWrite: 1800 },
            ...over,
          }),
          next: { kind: 'done' },
        }),
      );
      return claim.run.id;
    },
    async runs(id) {
      await store.enqueue(newJob({ taskId: id, cause: `live:${id}`, role: 'developer' }));
      const claim = present(await claimOn(store, hostname(), { maxConcurrency: 99, owner: ownerId() }));
      const runFolder = path.join(folder, 'runs', claim.run.id);
      mkdirSync(runFolder, { recursive: true });
      await store.patchRun(claim.lease, { phase: 'running', folder: runFolder });
      return { id: claim.run.id, folder: runFolder };
    },
    async close() {
      await store.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
  return world;
}

/** Visits of a task that reached development: 12 s of analysis, 3 min 4 s of architecture, then `ago` of development. */
async function visitsUntilDevelopment(world: LookedAt, id: TaskId, ago: number): Promise<void> {
  const began = world.clock.at - ago;
  const all = [
    visit(1, { stage: 'analysis', startedAt: began - 196_000, why: 'intake' }),
    visit(2, { stage: 'architecture', startedAt: began - 184_000, why: 'approved' }),
    visit(3, { stage: 'development', startedAt: began, why: 'architecture done' }),
  ];
  for (const one of all)
    await commitNow(
      world.store,
      { visit: one, task: { ...present(await world.store.task(id)).task, visit: one.n } },
      id,
    );
}

/** The usual picture: one runs, one waits for approval, one is held, one is paused, two are finished. */
export async function everyState(world: LookedAt): Promise<{ running: { id: string; folder: string } }> {
  const { clock } = world;
  const running = await world.add(
    12,
    { stage: 'development', title: 'Discount for regular customers in the cart and at the checkout' },
    minute,
  );
  await visitsUntilDevelopment(world, running, 82_000);
  await world.ran(running, 12_000);
  const live = await world.runs(running);
  await world.add(13, {
    stage: 'analysis',
    title: 'Export of orders',
    hold: holdOn('approval', {
      blocking: false,
      owner: 'approver',
      text: 'waits for the approval of 4 documents',
      clearedBy: 'a comment that begins with :approved: or :rejected: by a person who may approve',
      command: null,
      phase: 'in_review',
      since: clock.at - 125 * minute,
    }),
  });
  await world.add(14, {
    stage: 'development',
    title: 'Invoices as PDF \u001b[31mred\u001b[0m',
    prNumber: 7,
    visit: 3,
    hold: holdOn('developer_budget', {
      text: 'the developer used all 3 reruns; CI is red: build, unit tests, lint',
      clearedBy: 'another run; the budget of reruns starts again',
      command: 'orch retry ET-014',
      since: clock.at - 61 * minute,
    }),
  });
  await world.add(15, { stage: 'review', title: 'Search', paused: true });
  await world.add(16, { stage: 'done', title: 'Login' }, 30 * minute);
  await world.add(17, { stage: 'cancelled', title: 'Old idea' }, 60 * minute);
  return { running: live };
}
