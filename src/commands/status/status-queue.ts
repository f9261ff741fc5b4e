import type { AgentBreaker, Effect, Job, QueueCounts, Store } from '../../core/model/index.ts';
import { counted } from '../../core/model/index.ts';
import type { Config } from '../../core/config/config.ts';
import type { Output } from '../../ui/output.ts';
import { ago, duration, rfc3339, rfc3339OrNull } from '../../ui/format.ts';
import { wrap } from '../../ui/wrap.ts';
import { preflightText, readAlive, type WorkerState } from '../shared/alive.ts';
import { breakerDocument, jobDocument } from '../shared/documents.ts';
import { breakerText } from './status-services.ts';
import { printRows, title } from './status-view.ts';
import { workName } from '../shared/work-name.ts';

type OpenEffect = Effect & { state: string; error: string | null };

/** What `orch status --queue` shows. */
export interface QueueFacts {
  now: number;
  counts: QueueCounts;
  concurrency: number;
  breaker: AgentBreaker;
  /** Living workers that cannot start an agent's program. */
  unable: WorkerState[];
  /** Newest first. */
  jobs: Job[];
  pending: OpenEffect[];
  dead: OpenEffect[];
}

const newestJobs = 10;
const maxEffects = 50;

export async function readQueue(store: Store, { worker }: Pick<Config, 'worker'>): Promise<QueueFacts> {
  const [counts, breaker, jobs, pending, dead, running] = await Promise.all([
    store.queueCounts(),
    store.agentBreaker(),
    store.recentJobs(newestJobs),
    store.effects({ state: 'pending', limit: maxEffects }),
    store.effects({ state: 'dead', limit: maxEffects }),
    store.runningJobs(null),
  ]);
  const { workers } = await readAlive(store, worker.leaseMs, running);
  const unable = workers.filter(({ state, preflight }) => state === 'live' && preflight !== null);
  return { now: store.now(), counts, concurrency: worker.maxConcurrency, breaker, unable, jobs, pending, dead };
}

export function queueDocument(q: QueueFacts): Record<string, unknown> {
  const effect = (e: OpenEffect): Record<string, unknown> => ({
    id: e.id,
    kind: e.body.kind,
    key: e.key,
    lane: e.lane,
    task: e.taskId,
    state: e.state,
    attempts: e.attempts,
    created_at: rfc3339(e.createdAt),
    error: e.error,
  });
  return {
    now: rfc3339(q.now),
    jobs: q.counts.byState,
    running: q.counts.running,
    concurrency: q.concurrency,
    oldest_queued_at: rfc3339OrNull(q.counts.oldestQueuedAt),
    agent_breaker: breakerDocument(q.breaker),
    preflight_failed: q.unable.map(({ name, host, preflight }) => ({ worker: name, host, ...preflight })),
    last_jobs: q.jobs.map(jobDocument),
    effects: { pending: q.pending.map(effect), dead: q.dead.map(effect) },
  };
}

export async function printQueue(output: Output, q: QueueFacts): Promise<void> {
  if (!output.terminal.out.isTty) return printRows(output, rowsOf(q));
  const { out, symbols } = output.terminal;
  const { byState } = q.counts;
  const wait = q.counts.oldestQueuedAt === null ? '' : `, oldest for ${duration(q.now - q.counts.oldestQueuedAt)}`;
  output.line(
    `${q.counts.running} running (at most ${q.concurrency} on this host), ${byState.queued} queued${wait}, ${byState.delayed} delayed`,
  );
  output.line({ text: `${byState.done} done, ${byState.failed} failed, ${byState.cancelled} cancelled`, style: 'dim' });
  const paused = breakerText(q.breaker, q.now);
  const trouble = [...(paused === null ? [] : [`agents ${paused}`]), ...q.unable.map(unableText)];
  if (trouble.length === 0) output.line({ text: symbols.good, style: 'good' }, ' agents may start');
  for (const text of trouble) for (const line of wrap(text, out.width())) output.line({ text: line, style: 'bad' });
  await printJobs(output, q);
  await printEffects(output, 'Refused for good', q.dead, q.now);
  await printEffects(output, 'Not delivered yet', q.pending, q.now);
}

function unableText({ name, host, preflight }: WorkerState): string {
  return `${name} on ${host}: ${preflight === null ? '' : preflightText(preflight)}`;
}

async function printJobs(output: Output, { jobs, now }: QueueFacts): Promise<void> {
  if (jobs.length === 0) return;
  title(output, `Last ${counted(jobs.length, 'job')}, newest first`);
  const style = {
    done: 'good',
    failed: 'bad',
    running: 'accent',
    delayed: 'warning',
    queued: 'bold',
    cancelled: 'dim',
  } as const;
  await output.table(jobs, [
    { title: 'job', value: ({ id }) => id, align: 'right' },
    { title: 'task', value: ({ taskId }) => taskId ?? 'ad hoc' },
    { title: 'agent', value: (job) => workName(job) },
    { title: 'state', value: ({ state }) => ({ text: state, style: style[state] }) },
    { title: 'starts', value: (job) => (job.state === 'delayed' ? ago(job.availableAt, now) : ''), priority: 3 },
    { title: 'made', value: (job) => ago(job.createdAt, now), priority: 4 },
    { title: 'faults', value: (job) => `${job.attempts}/${job.maxAttempts}`, align: 'right', priority: 5 },
    { title: 'error', value: ({ lastError }) => lastError ?? '', min: 16, priority: 1 },
  ]);
}

async function printEffects(output: Output, name: string, effects: OpenEffect[], now: number): Promise<void> {
  if (effects.length === 0) return;
  title(output, name);
  await output.table(effects, [
    { title: 'task', value: ({ taskId }) => taskId ?? '' },
    { title: 'what', value: ({ body }) => body.kind },
    { title: 'tries', value: ({ attempts }) => String(attempts), align: 'right', priority: 3 },
    { title: 'made', value: ({ createdAt }) => ago(createdAt, now), priority: 2 },
    { title: 'error', value: ({ error }) => error ?? '', min: 16 },
  ]);
  const task = effects.find(({ state, taskId }) => state === 'dead' && taskId !== null)?.taskId;
  if (task != null) output.line({ text: `orch retry ${task}`, style: 'accent' }, ' delivers them again');
}

function rowsOf({ counts, concurrency, breaker, unable, jobs, pending, dead }: QueueFacts): string[][] {
  return [
    ...Object.entries(counts.byState).map(([state, n]) => ['jobs', state, String(n)]),
    ['concurrency', String(counts.running), String(concurrency)],
    ['agent_breaker', breaker.state, rfc3339OrNull(breaker.until) ?? '', breaker.reason ?? '', breaker.detail],
    ...unable.map((worker) => ['preflight_failed', worker.name, worker.host, unableText(worker)]),
    ...jobs.map((job) => [
      'job',
      job.id,
      job.state,
      job.taskId ?? '',
      job.role,
      rfc3339(job.createdAt),
      job.lastError ?? '',
    ]),
    ...[...dead, ...pending].map((e) => [
      'effect',
      e.id,
      e.state,
      e.taskId ?? '',
      e.body.kind,
      rfc3339(e.createdAt),
      e.error ?? '',
    ]),
  ];
}
