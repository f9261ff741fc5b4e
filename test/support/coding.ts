import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { HoldCause, Job, TaskId, TaskRow } from '../../src/core/model/index.ts';
import { taskIdOf } from '../../src/core/model/index.ts';
import { systemClock, type Clock } from '../../src/core/platform/clock.ts';
import type { AgentCall, AgentScript, AgentStep } from '../../src/sandbox/agent/script.ts';
import { startCi } from '../../src/sandbox/gitea/ci.ts';
import type { Pull } from '../../src/sandbox/gitea/state.ts';
import type { WorkItem } from '../../src/sandbox/plane/state.ts';
import { startLine, type Line, type LineOptions } from './line.ts';
import { until } from './until.ts';

/** A clock that runs on and can be moved ahead. */
export interface MovedClock extends Clock {
  skip(ms: number): void;
}

export function movedClock(): MovedClock {
  let ahead = 0;
  return { now: () => Date.now() + ahead, sleep: systemClock.sleep, skip: (ms) => void (ahead += ms) };
}

export interface CodingOptions extends LineOptions {
  /** Stages of the default pipeline; those about code are enough for these tests. */
  stages: string[];
  /** Laid over the project's configuration. */
  project?: Record<string, unknown>;
  /** Laid over the whole configuration. */
  config?: Record<string, unknown>;
  /** What CI says of every push below `feature/`; without it none reports. */
  ci?: (sha: string) => string | null;
  roles?: Record<string, AgentStep[]>;
  labels?: string[];
}

/** A line with one task in it. */
export interface Coding {
  line: Line;
  id: TaskId;
  item: WorkItem;
  /** Replaces what a role does from its next call on. */
  script(roles: AgentScript['roles']): void;
  /** What a role's agents were called with, oldest first. */
  calls(role: string): AgentCall[];
  reach(what: string, done: (row: TaskRow) => boolean): Promise<TaskRow>;
  held(cause: HoldCause): Promise<TaskRow>;
  retry(): Promise<void>;
  force(to: 'review' | 'testing' | 'deploy' | 'development'): Promise<void>;
  /** Many ticks and no agent at work: what a service does while nothing changes. */
  idle(ticks?: number): Promise<void>;
  /** Starts working in the background and waits until the role's n-th agent runs. */
  begin(role: string, n: number): Promise<{ ended: Promise<void> }>;
  jobs(): Promise<Job[]>;
  branch(): Promise<string>;
  head(): Promise<string>;
  pull(): Promise<Pull>;
}

export async function startCoding(options: CodingOptions): Promise<Coding> {
  const { stages, project, config, ci, roles, labels, ...more } = options;
  const line = await startLine({
    ...more,
    script: { roles: roles ?? {} },
    configure: (whole) => {
      const own = { ...(whole['projects'] as Record<string, unknown>[])[0], ...project };
      const pipelines = { ...(project?.['pipelines'] as object | undefined), default: { stages } };
      Object.assign(whole, config, { projects: [{ ...own, pipelines }] });
      more.configure?.(whole);
    },
  });
  const { world } = line;
  if (ci !== undefined) startCi(world.gitea, world.repo, { decide: ci, description: (state) => `CI says ${state}` });
  await line.tick();
  const item = world.plane.addItem(world.project, world.people.lead, {
    name: 'Quantities add up',
    description_html: '<p>The quantities of all lines of a cart are added up.</p>',
    ...(labels === undefined ? {} : { labels }),
  });
  return { line, item, ...helpers(line, taskIdOf('ET', item.sequence)) };
}

function helpers(line: Line, id: TaskId): Omit<Coding, 'line' | 'item'> {
  const { world } = line;
  let orders = 0;
  const folder = path.join(line.root, 'script');
  const post = async (body: Parameters<Line['app']['store']['post']>[0]['body']): Promise<void> => {
    await line.app.store.post({ taskId: id, sourceKey: `command:test:${(orders += 1)}`, body });
  };
  const branch = async (): Promise<string> => (await line.task(id)).task.branch;
  const calls = (role: string): AgentCall[] => {
    const all = path.join(folder, 'calls');
    if (!existsSync(all)) return [];
    return readdirSync(all)
      .filter((name) => name.includes(`.${role}.`))
      .map((name) => readFileSync(path.join(all, name), 'utf8'))
      .filter((text) => text !== '')
      .map((text) => JSON.parse(text) as AgentCall)
      .sort((a, b) => a.n - b.n);
  };
  return {
    id,
    calls,
    branch,
    script(roles) {
      const padded = Object.entries(roles).map(([role, steps]) => {
        const before = calls(role).map(() => ({}));
        return [role, [...before, ...steps]] as const;
      });
      writeFileSync(path.join(folder, 'script.json'), JSON.stringify({ roles: Object.fromEntries(padded) }));
    },
    reach: (what, done) => line.until(what, id, done),
    held: (cause) => line.until(`the hold ${cause}`, id, (row) => row.task.hold?.cause === cause),
    async retry() {
      await post({ kind: 'command', name: 'retry', by: 'operator' });
      await line.tick();
    },
    async force(to) {
      await post({ kind: 'command', name: 'advance', by: 'operator', to, force: true });
      await line.tick();
    },
    async idle(ticks = 10) {
      for (let n = 0; n < ticks; n += 1) await line.tick();
    },
    async begin(role, n) {
      await line.tick();
      const ended = line.work();
      await until(`${role} ${n} to run`, () => calls(role).length >= n, 20_000, 20);
      return { ended };
    },
    jobs: async () => (await line.app.store.recentJobs(100)).filter((job) => job.taskId === id),
    head: async () => world.gitea.head(world.repo, await branch()) ?? '',
    async pull() {
      const { prNumber } = (await line.task(id)).task;
      if (prNumber === null) throw new Error(`${id} has no pull request`);
      return world.gitea.pull(world.repo, prNumber);
    },
  };
}
