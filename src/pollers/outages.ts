import type { NoticeEvent, Outage, ProcessRow } from '../core/model/index.ts';

/**
 * How long the polls of a project fail before people are notified, milliseconds: longer than a restart or an upgrade of a
 * server takes, shorter than the time after which somebody wonders why nothing moves.
 */
export const outageAlertMs = 600_000;

/** One poll of this tick; `error` is null where it worked. */
export interface Poll {
  peer: Outage['peer'];
  /** Name of the project. */
  project: string;
  error: string | null;
}

interface OutageChange {
  outages: Outage[];
  /** `key` is the same when the same outage is seen again after a crash, so that its alert is queued once. */
  alerts: { key: string; body: NoticeEvent }[];
}

/**
 * What the polls of a tick make of the known outages: one alert for each peer when an outage has lasted long enough, and
 * one when it is over. A peer that is down for all projects is one alert, because its outages reach the limit together.
 * @param projects names of the configured projects; outages of others are forgotten
 * @param now ms since the epoch
 * @param products what people call the servers
 */
export function followOutages(
  known: Outage[],
  polls: Poll[],
  projects: string[],
  now: number,
  products: Record<Outage['peer'], string>,
): OutageChange {
  const isOf = (poll: Poll) => (outage: Outage) => outage.peer === poll.peer && outage.project === poll.project;
  // A poll that a stopping poller did not reach says nothing: its outage stays as it is.
  const unseen = known.filter((outage) => projects.includes(outage.project) && !polls.some((p) => isOf(p)(outage)));
  const failing = polls
    .filter(({ error }) => error !== null)
    .map((poll) => known.find(isOf(poll)) ?? { peer: poll.peer, project: poll.project, since: now, reported: false })
    // A clock that was set back must not delay the alert.
    .map((outage) => ({ ...outage, since: Math.min(outage.since, now) }));
  const over = known.filter((outage) => polls.some((poll) => poll.error === null && isOf(poll)(outage)));
  const due = failing.filter(({ since, reported }) => !reported && now - since >= outageAlertMs);
  const errorOf = (outage: Outage): string => polls.find((poll) => isOf(poll)(outage))?.error ?? '';
  const alerts = [
    ...byPeer(due).map((group) => ({
      key: `trouble/${keyOf(group)}`,
      body: { event: 'trouble' as const, text: `${sentence(group, products, 'has failed')} ${errorOf(group[0])}` },
    })),
    ...byPeer(over.filter(({ reported }) => reported)).map((group) => ({
      key: `trouble-over/${keyOf(group)}`,
      body: { event: 'trouble_over' as const, text: sentence(group, products, 'works again; it had failed') },
    })),
  ];
  const outages = [...failing.map((one) => (due.includes(one) ? { ...one, reported: true } : one)), ...unseen];
  return { outages: outages.sort((a, b) => sortKey(a).localeCompare(sortKey(b))), alerts };
}

type Group = [Outage, ...Outage[]];

function byPeer(outages: Outage[]): Group[] {
  return (['tracker', 'forge'] as const).flatMap((peer) => {
    const [first, ...others] = outages.filter((outage) => outage.peer === peer);
    return first === undefined ? [] : [[first, ...others] as Group];
  });
}

function sinceOf(group: Group): number {
  return Math.min(...group.map(({ since }) => since));
}

function keyOf(group: Group): string {
  return `${group[0].peer}/${sinceOf(group)}`;
}

function sentence(group: Group, products: Record<Outage['peer'], string>, what: string): string {
  const names = group.map(({ project }) => project).sort();
  const since = new Date(sinceOf(group)).toISOString();
  return `Polling ${products[group[0].peer]} for ${names.join(', ')} ${what} since ${since}.`;
}

function sortKey({ peer, project }: Outage): string {
  return `${peer} ${project}`;
}

/**
 * The outages that the last leading poller left, in the row that was written last: a restart or a change of the leader
 * neither forgets an outage nor reports it twice.
 */
export function knownOutages(processes: ProcessRow[], owner: string): Outage[] {
  const own = (row: ProcessRow): number => (row.owner === owner ? 1 : 0);
  const last = [...processes]
    .sort((a, b) => b.seenAt - a.seenAt || own(b) - own(a))
    .find((row) => row.kind === 'poller');
  return last?.detail.outages ?? [];
}
