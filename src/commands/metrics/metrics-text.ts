import type { Store, Tokens } from '../../core/model/index.ts';
import { stageNames } from '../../core/pipeline/stages/index.ts';
import type { Alive } from '../shared/alive.ts';

/** One measure with its values, as the Prometheus text format knows it (prometheus.io/docs/instrumenting/exposition_formats). */
export interface Metric {
  name: string;
  help: string;
  type: 'gauge' | 'counter';
  samples: { labels: Record<string, string>; value: number }[];
}

/** States of the outbox; all are printed, so that an alert has a zero to start from. */
const effectStates = ['pending', 'done', 'dead', 'superseded', 'withdrawn'];

const tokenClasses: [string, keyof Tokens][] = [
  ['input', 'input'],
  ['cache_read', 'cacheRead'],
  ['cache_write', 'cacheWrite'],
  ['output', 'output'],
];

const bare = (value: number): Metric['samples'] => [{ labels: {}, value }];
const maybe = (ms: number | null): Metric['samples'] => (ms === null ? [] : bare(ms / 1000));

/** Every measure, from the read models alone: no process has to be asked, so a timer can collect them. */
export async function readMetrics(store: Store, alive: Alive, version: string): Promise<Metric[]> {
  const [totals, queue, breaker, effects] = await Promise.all([
    store.totals(),
    store.queueCounts(),
    store.agentBreaker(),
    store.effects({ state: 'pending', limit: 1000 }),
  ]);
  const now = store.now();
  const oldestEffect = effects.at(-1)?.createdAt ?? now;
  const sum = (test: (row: (typeof totals.tasks)[number]) => boolean): number =>
    totals.tasks.filter(test).reduce((n, row) => n + row.n, 0);
  const causes = [...new Set(totals.tasks.map((row) => row.holdCause))].filter((cause) => cause !== null);
  const gauge = (name: string, help: string, samples: Metric['samples']): Metric => ({
    name,
    help,
    type: 'gauge',
    samples,
  });
  const counter = (name: string, help: string, of: (row: (typeof totals.runs)[number]) => number): Metric => ({
    name,
    help,
    type: 'counter',
    samples: totals.runs.map((row) => ({
      labels: { role: row.role, kind: row.kind, result: row.result },
      value: of(row),
    })),
  });
  return [
    gauge('orch_build_info', 'Version of orch, always 1.', [{ labels: { version }, value: 1 }]),
    gauge(
      'orch_tasks',
      'Tasks by stage.',
      stageNames.map((stage) => ({ labels: { stage }, value: sum((row) => row.stage === stage) })),
    ),
    gauge(
      'orch_tasks_held',
      'Tasks that are held or wait, by cause.',
      causes.map((cause) => ({
        labels: { cause, blocking: String(totals.tasks.some((row) => row.holdCause === cause && row.blocking)) },
        value: sum((row) => row.holdCause === cause),
      })),
    ),
    gauge('orch_tasks_paused', 'Tasks that an operator paused.', bare(sum((row) => row.paused))),
    gauge(
      'orch_jobs',
      'Jobs by state.',
      Object.entries(queue.byState).map(([state, value]) => ({ labels: { state }, value })),
    ),
    gauge(
      'orch_queue_oldest_age_seconds',
      'How long the oldest job has been ready to start.',
      bare(queue.oldestQueuedAt === null ? 0 : Math.max(0, now - queue.oldestQueuedAt) / 1000),
    ),
    counter('orch_job_runs_total', 'Runs that ended, by result.', (row) => row.n),
    counter('orch_job_run_seconds_total', 'Time that ended runs took.', (row) => row.ms / 1000),
    counter(
      'orch_job_run_cost_dollars_total',
      'What ended runs cost, as far as the agent said.',
      (row) => row.costMicros / 1e6,
    ),
    {
      name: 'orch_job_run_tokens_total',
      help: 'Tokens of ended runs by class, as far as the agent said; cache_read is what the cache of the provider served.',
      type: 'counter',
      samples: totals.runs.flatMap((row) =>
        tokenClasses.map(([name, of]) => ({
          labels: { role: row.role, kind: row.kind, result: row.result, class: name },
          value: row[of],
        })),
      ),
    },
    gauge(
      'orch_effects',
      'Effects on Plane, Gitea and Telegram by state.',
      effectStates.map((state) => ({
        labels: { state },
        value: totals.effects.find((row) => row.state === state)?.n ?? 0,
      })),
    ),
    gauge(
      'orch_effects_oldest_age_seconds',
      'Age of the oldest effect that is not delivered.',
      bare(Math.max(0, now - oldestEffect) / 1000),
    ),
    gauge(
      'orch_poll_last_success_timestamp_seconds',
      'When the leading poller last took or renewed its lease.',
      maybe(alive.poller.lastTick),
    ),
    gauge(
      'orch_poller_up',
      'Whether a poller holds a lease that has not lapsed.',
      bare(alive.poller.state === 'live' ? 1 : 0),
    ),
    gauge(
      'orch_workers_up',
      'Workers that were seen within their lease.',
      bare(alive.workers.filter(({ state }) => state === 'live').length),
    ),
    gauge(
      'orch_agents_paused',
      'Whether no agent may start freely: 1 while the circuit breaker is open or half-open.',
      bare(breaker.state === 'closed' ? 0 : 1),
    ),
    gauge(
      'orch_agents_paused_until_timestamp_seconds',
      'When the open circuit breaker lets the next run try.',
      breaker.state === 'closed' ? [] : maybe(breaker.until),
    ),
  ];
}

function escapeLabel(value: string): string {
  return value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
}

function sampleLine(name: string, { labels, value }: Metric['samples'][number]): string {
  const pairs = Object.entries(labels).map(([key, text]) => `${key}="${escapeLabel(text)}"`);
  return `${name}${pairs.length === 0 ? '' : `{${pairs.join(',')}}`} ${value}`;
}

/** Prometheus text, version 0.0.4; measures without a value are left out. */
export function metricsText(metrics: Metric[]): string {
  return metrics
    .filter(({ samples }) => samples.length > 0)
    .map(({ name, help, type, samples }) =>
      [
        `# HELP ${name} ${help}`,
        `# TYPE ${name} ${type}`,
        ...samples.map((sample) => sampleLine(name, sample)),
        '',
      ].join('\n'),
    )
    .join('');
}
