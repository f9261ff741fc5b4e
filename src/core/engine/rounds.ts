import { OrchError } from '../model/index.ts';
import { coalesce } from '../platform/coalesce.ts';
import { askForgeOnce, askTrackerOnce } from './ask-once.ts';
import { deliverDue, type DeliverDeps } from './deliver.ts';
import { reconcileDue, type ReconcileDeps } from './reconcile.ts';

export type RoundDeps = ReconcileDeps & DeliverDeps;

/** What the rounds did; added up over all of them. */
export interface RoundReport {
  decisions: number;
  delivered: number;
  problems: { what: string; error: OrchError }[];
}

/** Rounds of decisions and deliveries in one call; what is left after them waits for the next. */
const maxRounds = 50;

/**
 * Decides what is due and delivers what follows, again until neither is left: the loop of poller, worker and commands. The
 * branches on the server are asked for once: what others push meanwhile is seen by the next call.
 * @param since from when on an earlier look at the server is believed, ms of `performance.now()`
 */
export async function runRounds(
  report: RoundReport,
  parts: RoundDeps,
  signal?: AbortSignal,
  since = performance.now(),
): Promise<void> {
  const deps = { ...parts, since, forge: askForgeOnce(parts.forge), tracker: askTrackerOnce(parts.tracker) };
  try {
    for (let round = 0; round < maxRounds && signal?.aborted !== true; round += 1)
      if (!(await runRound(report, deps, signal))) return;
  } finally {
    // What is not given back lapses by itself.
    await deps.tracker.release().catch(() => undefined);
  }
}

/** @returns whether anything was decided or delivered */
async function runRound(report: RoundReport, deps: RoundDeps, signal?: AbortSignal): Promise<boolean> {
  const { decisions, failed } = await reconcileDue(deps);
  const delivered = await deliverDue(deps, signal);
  report.decisions += decisions;
  report.delivered += delivered;
  for (const { task, error } of failed)
    report.problems.push({
      what: `task ${task}`,
      error: new OrchError(`its decision failed: ${error}`, {
        code: 'reconcile_failed',
        hint: 'This is a defect of orch; the log has the stack trace.',
      }),
    });
  return decisions > 0 || delivered > 0;
}

/**
 * `runRounds` for many callers at once, such as the runs that end at one moment: one call at a time, and callers that come
 * meanwhile share the next one. Each alone would collect the same evidence for the same tasks, and all but one commit
 * would be stale.
 */
export function sharedRounds(deps: RoundDeps, signal?: AbortSignal): () => Promise<void> {
  const shared = coalesce(() => runRounds({ decisions: 0, delivered: 0, problems: [] }, deps, signal));
  return () => shared('all');
}
