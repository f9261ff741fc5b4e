import type { NamedLease, Outage, ProjectPolicy } from '../core/model/index.ts';
import { OrchError, errorText, isDatabaseError } from '../core/model/index.ts';
import { crashPoint } from '../core/platform/crash-point.ts';
import { chatLane } from '../core/pipeline/channels.ts';
import { askForgeOnce, askTrackerOnce } from '../core/engine/ask-once.ts';
import { runRounds, type RoundDeps, type RoundReport } from '../core/engine/rounds.ts';
import { pollForge } from './forge.ts';
import { followOutages, type Poll } from './outages.ts';
import type { RepositoryDeps } from './repository.ts';
import { pollTracker } from './tracker.ts';

/** What a poller has besides the decisions and deliveries of everybody. */
export type PollerParts = RoundDeps & Pick<RepositoryDeps, 'moveCopies'>;

export interface PollDeps extends PollerParts {
  policies: ProjectPolicy[];
  /** Repairs that need no person, done first (architecture.md: a broken login never stops recovery). */
  repair: () => Promise<void>;
  /** Those that the last tick left. */
  outages: Outage[];
}

export interface TickReport extends RoundReport {
  /** False: another poller leads; nothing was polled. */
  leading: boolean;
  /** Projects whose polling is behind because the request budget ran out. */
  behind: string[];
  polls: Poll[];
  outages: Outage[];
}

/**
 * One tick, in order: repairs, tracker, forge, decisions, deliveries – and decisions and deliveries again until neither
 * follows. Trouble with one project or peer does not keep the others waiting; it is reported and met again next tick.
 */
export async function pollOnce(leader: NamedLease, parts: PollDeps, signal?: AbortSignal): Promise<TickReport> {
  const since = performance.now();
  // What the look has read, decisions and deliveries need not ask again.
  const deps = { ...parts, forge: askForgeOnce(parts.forge), tracker: askTrackerOnce(parts.tracker) };
  const report: TickReport = {
    leading: true,
    decisions: 0,
    delivered: 0,
    behind: [],
    problems: [],
    polls: [],
    outages: [],
  };
  await guarded('repairs', report, deps, deps.repair);
  const waiting = rotated(deps.policies, deps.store.now());
  const lookOn = async (): Promise<void> => {
    for (let policy = waiting.shift(); policy !== undefined; policy = waiting.shift()) {
      if (signal?.aborted === true) return;
      await look(policy, leader, report, deps);
    }
  };
  // To the end of all: nothing may still be written when the tick has ended.
  const ends = await Promise.allSettled(Array.from({ length: sideBySide }, lookOn));
  for (const end of ends) if (end.status === 'rejected') throw end.reason;
  report.behind.sort();
  report.problems.sort((a, b) => a.what.localeCompare(b.what));
  await reportOutages(report, deps);
  crashPoint('observe.after');
  await runRounds(report, deps, signal, since);
  return report;
}

/** Projects looked at side by side: one whose server hangs costs its own time limits, not the others'. */
const sideBySide = 4;

async function look(policy: ProjectPolicy, leader: NamedLease, report: TickReport, deps: PollDeps): Promise<void> {
  const { name: project } = policy;
  const item = await guarded(`${deps.tracker.product} project ${project}`, report, deps, async () => {
    const { behind } = await pollTracker(policy, { ...deps, leader });
    if (behind) report.behind.push(project);
  });
  report.polls.push({ peer: 'tracker', project, error: item?.message ?? null });
  const code = await guarded(`${deps.forge.product} repository ${policy.repo}`, report, deps, () =>
    pollForge(policy, { ...deps, leader }),
  );
  report.polls.push({ peer: 'forge', project, error: code?.message ?? null });
}

/** Before the rounds, so that an alert is delivered in the tick that finds it due. */
async function reportOutages(
  report: TickReport,
  { store, tracker, forge, policies, outages: known }: PollDeps,
): Promise<void> {
  const names = policies.map(({ name }) => name);
  const { outages, alerts } = followOutages(known, report.polls, names, store.now(), {
    tracker: tracker.product,
    forge: forge.product,
  });
  report.outages = outages;
  if (alerts.length === 0) return;
  await store.announce(
    alerts.map(({ key, body }) => ({
      key,
      lane: chatLane,
      body: { kind: 'chat.message', notice: { taskId: null, title: '', body, links: {} }, alert: true },
    })),
  );
}

/** @returns what went wrong, or null */
async function guarded(
  what: string,
  report: TickReport,
  deps: PollDeps,
  work: () => Promise<void>,
): Promise<OrchError | null> {
  try {
    await work();
    return null;
  } catch (error) {
    const problem =
      error instanceof OrchError ? error : new OrchError(errorText(error), { code: 'unexpected', cause: error });
    // Without the database nothing can be kept; a peer that fails is only late.
    if (isDatabaseError(problem)) throw problem;
    report.problems.push({ what, error: problem });
    return problem;
  }
}

/** Another project is first every minute, so that none starves when the budget runs out (spec 4.4). */
function rotated(policies: ProjectPolicy[], now: number): ProjectPolicy[] {
  const first = policies.length === 0 ? 0 : Math.floor(now / 60_000) % policies.length;
  return [...policies.slice(first), ...policies.slice(0, first)];
}
