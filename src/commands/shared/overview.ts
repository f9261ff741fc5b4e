import type { Config } from '../../core/config/config.ts';
import type {
  AgentBreaker,
  Effect,
  Job,
  ProjectId,
  QueueCounts,
  RunningJob,
  Store,
  TaskId,
  TaskRow,
  Totals,
  TroubledItem,
} from '../../core/model/index.ts';
import { isFinal } from '../../core/model/index.ts';
import { rfc3339 } from '../../ui/format.ts';
import { aliveDocument, readAlive, type Alive } from './alive.ts';
import { breakerDocument, jobDocument, taskDocument } from './documents.ts';
import { workName } from './work-name.ts';

/** Everything `orch status` answers from, read at one moment. */
export interface Overview {
  now: number;
  alive: Alive;
  breaker: AgentBreaker;
  queue: QueueCounts;
  concurrency: number;
  totals: Totals;
  /** Active tasks; with `--all` every task. */
  tasks: TaskRow[];
  running: RunningJob[];
  /** Jobs of no task that wait for a worker. */
  adhoc: Job[];
  troubles: Trouble[];
  polling: Polling[];
  resting: Resting[];
}

/** Active tasks of a project that is not configured: nothing is done for them. */
export interface Resting {
  projectId: ProjectId;
  tasks: TaskId[];
}

/** What the poller has still to read of a project, and the items that it cannot do justice to. Times in ms since the epoch. */
interface Polling {
  project: string;
  unread: { since: number; below: number } | null;
  items: Pick<TroubledItem, 'number' | 'kind' | 'why'>[];
}

/** Something that failed and is tried again by itself: a delivery, a job, or the publishing of a run. */
export interface Trouble {
  what: string;
  task: TaskId | null;
  error: string;
}

/** How far back queued ad-hoc runs are looked for: newest jobs. */
const recentJobs = 100;
/** Undelivered effects that are looked through for what keeps them: newest. */
const openEffects = 200;

export async function readOverview(store: Store, config: Config, all: boolean): Promise<Overview> {
  const [running, breaker, queue, totals, tasks, recent, effects] = await Promise.all([
    store.runningJobs(null),
    store.agentBreaker(),
    store.queueCounts(),
    store.totals(),
    store.tasks(all ? {} : { active: true }),
    store.recentJobs(recentJobs),
    store.effects({ state: 'pending', limit: openEffects }),
  ]);
  return {
    now: store.now(),
    alive: await readAlive(store, config.worker.leaseMs, running),
    breaker,
    queue,
    concurrency: config.worker.maxConcurrency,
    totals,
    tasks,
    running,
    adhoc: recent.filter((job) => job.taskId === null && (job.state === 'queued' || job.state === 'delayed')),
    troubles: troublesOf(effects, recent, running),
    polling: await readPolling(store, config),
    resting: restingOf(tasks, config),
  };
}

function restingOf(rows: TaskRow[], config: Config): Resting[] {
  const known = new Set(config.projects.map(({ projectId }) => projectId));
  const found = new Map<ProjectId, TaskId[]>();
  for (const { task } of rows)
    if (!known.has(task.projectId) && !isFinal(task.stage))
      found.set(task.projectId, [...(found.get(task.projectId) ?? []), task.id]);
  return [...found].map(([projectId, tasks]) => ({ projectId, tasks }));
}

async function readPolling(store: Store, config: Config): Promise<Polling[]> {
  const found: Polling[] = [];
  for (const { projectId, name } of config.projects) {
    const { gap, troubled } = (await store.project(projectId)).resolved;
    const items = Object.values(troubled).map(({ number, kind, why }) => ({ number, kind, why }));
    const unread = gap === null || gap.again ? null : { since: gap.since, below: gap.below };
    if (unread !== null || items.length > 0)
      found.push({ project: name, unread, items: items.sort((a, b) => a.number - b.number) });
  }
  return found;
}

function troublesOf(effects: Effect[], jobs: Job[], running: RunningJob[]): Trouble[] {
  const of = (job: Job, what: string): Trouble[] =>
    job.lastError === null ? [] : [{ what, task: job.taskId, error: job.lastError }];
  return [
    ...effects.flatMap(({ body, taskId, lastError }) =>
      lastError === null ? [] : [{ what: body.kind, task: taskId, error: lastError }],
    ),
    ...running.flatMap(({ job, run }) => (run.phase === 'publishing' ? of(job, `publishing run ${run.id}`) : [])),
    ...jobs.flatMap((job) => (job.state === 'delayed' ? of(job, workName(job)) : [])),
  ];
}

/** One word for where a task stands; what stops it most comes first. */
export type TaskState =
  'resting' | 'blocked' | 'running' | 'queued' | 'paused' | 'waiting' | 'deciding' | 'done' | 'cancelled';

/** Whether somebody has to act before the task moves: held, or a wait that the work item shows as blocked. */
export function needsPerson({ task: { hold } }: TaskRow): boolean {
  return hold !== null && (hold.blocking || hold.phase === 'blocked');
}

export function taskState(row: TaskRow, resting: Resting[] = []): TaskState {
  const { task, liveJob } = row;
  if (task.stage === 'done' || task.stage === 'cancelled') return task.stage;
  if (resting.some(({ tasks }) => tasks.includes(task.id))) return 'resting';
  if (needsPerson(row)) return 'blocked';
  if (liveJob?.state === 'running') return 'running';
  if (task.paused) return 'paused';
  if (liveJob !== null) return 'queued';
  return task.hold === null ? 'deciding' : 'waiting';
}

export function countTasks(totals: Totals, test: (row: Totals['tasks'][number]) => boolean): number {
  return totals.tasks.filter(test).reduce((sum, row) => sum + row.n, 0);
}

export function countEffects(totals: Totals, state: 'pending' | 'dead'): number {
  return totals.effects.find((row) => row.state === state)?.n ?? 0;
}

/** Both services were seen within their leases (`--exit-code`: 7 when not). */
export function isRunning({ poller, working }: Alive): boolean {
  return poller.state === 'live' && working;
}

/** Something is not finished: a task, a job or a delivery (`--exit-code`: 8). */
export function isPending({ totals, queue }: Pick<Overview, 'totals' | 'queue'>): boolean {
  const jobs = queue.byState.queued + queue.byState.delayed + queue.byState.running;
  return jobs + countEffects(totals, 'pending') + countTasks(totals, ({ stage }) => !isFinal(stage)) > 0;
}

export function overviewDocument(o: Overview): Record<string, unknown> {
  return {
    now: rfc3339(o.now),
    services: aliveDocument(o.alive),
    running: isRunning(o.alive),
    pending: isPending(o),
    agent_breaker: breakerDocument(o.breaker),
    jobs: o.queue.byState,
    effects: { pending: countEffects(o.totals, 'pending'), dead: countEffects(o.totals, 'dead') },
    troubles: o.troubles,
    polling: o.polling.map(({ project, unread, items }) => ({
      project,
      unread: unread === null ? null : { since: rfc3339(unread.since), before: rfc3339(unread.below) },
      items,
    })),
    counts: {
      active: countTasks(o.totals, ({ stage }) => !isFinal(stage)),
      done: countTasks(o.totals, ({ stage }) => stage === 'done'),
      cancelled: countTasks(o.totals, ({ stage }) => stage === 'cancelled'),
    },
    resting: o.resting.map(({ projectId, tasks }) => ({ project_id: projectId, tasks })),
    tasks: o.tasks.map((row) => ({ ...taskDocument(row), state: taskState(row, o.resting) })),
    adhoc_runs: [...o.running.filter(({ job }) => job.taskId === null).map(({ job }) => job), ...o.adhoc].map(
      jobDocument,
    ),
  };
}
