import type { AgentBreaker } from '../../core/model/index.ts';
import type { Output } from '../../ui/output.ts';
import type { Piece, Style } from '../../ui/pieces.ts';
import { ago, duration, rfc3339, rfc3339OrNull } from '../../ui/format.ts';
import { wrap } from '../../ui/wrap.ts';
import { preflightText, type PollerState, type WorkerState } from '../shared/alive.ts';
import { countEffects, type Overview, type Trouble } from '../shared/overview.ts';

/** One line about a service: a mark, what it is about, and the sentence. */
interface Fact {
  tone: 'good' | 'warning' | 'bad';
  about: string;
  text: string;
}

function pollerFact({ state, lastTick, leaseExpiresAt, host }: PollerState, now: number): Fact {
  if (lastTick === null || leaseExpiresAt === null) {
    const text = 'nothing polls: none was started yet, or it was stopped; start `orch serve-poller`';
    return { tone: 'bad', about: 'poller', text };
  }
  const seen = `last tick ${ago(lastTick, now)} on ${host ?? 'an unknown host'}`;
  if (state === 'live') return { tone: 'good', about: 'poller', text: seen };
  return { tone: 'bad', about: 'poller', text: `${seen}; its lease lapsed ${ago(leaseExpiresAt, now)}` };
}

function workerFact(worker: WorkerState, now: number): Fact {
  const seen = `${worker.name} on ${worker.host}, seen ${ago(worker.seenAt, now)}`;
  switch (worker.state) {
    case 'live':
      if (worker.preflight !== null)
        return { tone: 'bad', about: 'worker', text: `${seen}: ${preflightText(worker.preflight)}` };
      return { tone: 'good', about: 'worker', text: seen };
    case 'silent':
      return { tone: 'warning', about: 'worker', text: `${seen}: silent for longer than its lease` };
    case 'gone':
      return { tone: 'bad', about: 'worker', text: `${seen}: its process has ended` };
  }
}

/** One that ended as one-shot workers do: what it could not start is still of interest. */
function isEnded({ state, preflight }: WorkerState): boolean {
  return state === 'gone' && preflight === null;
}

/** Ended workers are of interest only when no other lives; then the last one stands for all. */
function workerFacts({ alive, running, queue, now }: Overview): Fact[] {
  const seen = alive.workers.filter(({ state }) => !alive.working || state !== 'gone');
  const [ended, others] = [seen.filter(isEnded), seen.filter((worker) => !isEnded(worker))];
  if (others.length > 0) return others.map((worker) => workerFact(worker, now));
  const host = running.find((job) => job.leaseExpiresAt > now)?.run.host;
  if (host !== undefined) return [{ tone: 'good', about: 'worker', text: `one on ${host} holds a running job` }];
  const [last] = ended.sort((a, b) => b.seenAt - a.seenAt);
  if (last !== undefined) {
    const waits = queue.byState.queued > 0 ? '; jobs wait for one: start `orch run-worker`' : '';
    const text = `none runs now; the last, ${last.name} on ${last.host}, was seen ${ago(last.seenAt, now)}${waits}`;
    return [{ tone: waits === '' ? 'warning' : 'bad', about: 'worker', text }];
  }
  return [{ tone: 'bad', about: 'worker', text: 'none has been seen; start `orch run-worker`' }];
}

const pauseReasons = {
  transient: 'failures of the service in a row',
  usage_limit: 'usage limit',
  authentication: 'the agent is not logged in',
};

/** Why no agents are started, in one sentence with the time left; null while the circuit breaker is closed. */
export function breakerText(breaker: AgentBreaker, now: number): string | null {
  if (breaker.state === 'closed') return null;
  const why = `${breaker.reason === null ? 'no reason given' : pauseReasons[breaker.reason]}${breaker.detail === '' ? '' : `; ${breaker.detail}`}`;
  if (breaker.state === 'half_open')
    return `one run tries${breaker.probe === null ? '' : ` (run ${breaker.probe})`}, others wait: ${why}`;
  if (breaker.until === null) return `paused until the agent is logged in: ${why}`;
  const left = breaker.until > now ? `for ${duration(breaker.until - now)} more` : 'until the next run tries';
  return `paused ${left}: ${why}`;
}

function facts(o: Overview): Fact[] {
  const { poller } = o.alive;
  const found: Fact[] = [pollerFact(poller, o.now)];
  if (poller.behind.length > 0)
    found.push({ tone: 'warning', about: 'polling', text: `behind for ${poller.behind.join(', ')}` });
  for (const [about, text] of pollingTexts(o)) found.push({ tone: 'warning', about, text });
  for (const text of poller.problems) found.push({ tone: 'warning', about: 'polling', text });
  found.push(...workerFacts(o));
  const paused = breakerText(o.breaker, o.now);
  if (paused !== null) found.push({ tone: 'bad', about: 'agents', text: paused });
  const [dead, waiting] = [countEffects(o.totals, 'dead'), countEffects(o.totals, 'pending')];
  if (dead > 0)
    found.push({ tone: 'bad', about: 'outbox', text: `${dead} refused for good; see \`orch status --queue\`` });
  if (waiting > 0) found.push({ tone: 'warning', about: 'outbox', text: `${waiting} not delivered yet` });
  for (const { projectId, tasks } of o.resting) {
    const names = `${tasks.slice(0, maxNames).join(', ')}${tasks.length > maxNames ? ` and ${tasks.length - maxNames} more` : ''}`;
    const text = `${names}: project ${projectId} is not configured; add it again, or \`orch project remove ${projectId}\``;
    found.push({ tone: 'warning', about: 'resting', text });
  }
  for (const [error, troubles] of byError(o.troubles))
    found.push({ tone: 'warning', about: 'tried', text: `again: ${namesOf(troubles)}: ${error}` });
  return found;
}

/** What is not read yet, and items in trouble, by name. */
function pollingTexts({ polling }: Overview): ['polling' | 'item', string][] {
  return polling.flatMap(({ project, unread, items }) => [
    ...(unread === null
      ? []
      : [
          [
            'polling',
            `${project}: changes from ${rfc3339(unread.since)} to ${rfc3339(unread.below)} are still to be read`,
          ] as ['polling', string],
        ]),
    ...items.map(({ number, why }) => ['item', `${number} of ${project}: ${why}`] as ['item', string]),
  ]);
}

/** One line for everything that fails for one reason: an outage is one fact, however many tasks it stops. */
function byError(troubles: Trouble[]): Map<string, Trouble[]> {
  const found = new Map<string, Trouble[]>();
  for (const trouble of troubles) found.set(trouble.error, [...(found.get(trouble.error) ?? []), trouble]);
  return found;
}

/** Names of one line; the rest is counted. */
const maxNames = 3;

function namesOf(troubles: Trouble[]): string {
  const names = troubles.map(({ what, task }) => (task === null ? what : `${what} of ${task}`));
  const more = names.length - maxNames;
  return `${names.slice(0, maxNames).join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
}

/** Whether the machinery is alive: one line a service, and one for everything that holds it up. */
export function printServices(output: Output, o: Overview): void {
  const { out, symbols } = output.terminal;
  const indent = 10;
  for (const { tone, about, text } of facts(o)) {
    const [first = '', ...rest] = wrap(text, out.width() - indent);
    const label: Piece = { text: ` ${about.padEnd(indent - 2)}`, style: 'dim' as Style };
    output.line({ text: symbols[tone], style: tone }, label, tone === 'good' ? first : { text: first, style: tone });
    for (const more of rest) output.line(' '.repeat(indent), { text: more, style: tone });
  }
}

/** The same for a pipe: kind, state, time and text, tab separated, one row a service. */
export function serviceRows(o: Overview): string[][] {
  const { poller, workers } = o.alive;
  const trouble = [...poller.behind.map((name) => `behind for ${name}`), ...poller.problems].join('; ');
  return [
    ['poller', poller.state, rfc3339OrNull(poller.lastTick) ?? '', poller.host ?? '', trouble],
    ...workers.map((worker) => ['worker', worker.state, rfc3339(worker.seenAt), worker.host, worker.name]),
    ...pollingTexts(o).map(([about, text]) => ['trouble', about, '', '', text]),
    ...o.resting.map(({ projectId, tasks }) => ['trouble', 'resting', '', tasks.join(','), projectId]),
    ...o.troubles.map(({ what, task, error }) => ['trouble', 'tried again', '', task ?? '', what, error]),
    ['agent_breaker', o.breaker.state, rfc3339OrNull(o.breaker.until) ?? '', o.breaker.reason ?? '', o.breaker.detail],
  ];
}
