import { existsSync } from 'node:fs';
import type { Run, RunningJob } from '../../model/index.ts';
import { findAdoptable, takeOver } from '../adopt.ts';
import { drive } from '../drive.ts';
import { createSharedBreaker } from '../breaker.ts';
import { startRenewing } from '../lease-renewer.ts';
import { clearTree } from '../run.ts';
import type { Finding, Repair, RepairDeps } from './repair.ts';

/** How many settled runs are checked for processes that outlived them. */
const settledRuns = 200;

function nameOf({ run, job }: RunningJob): string {
  return `run ${run.id} (${job.taskId ?? `${job.repo} ${job.branch}`}, ${job.role})`;
}

/**
 * Runs whose worker is dead. An agent that still works is left alone: its supervisor watches it, and the next worker
 * adopts it. What has ended is settled here, so that `recover` helps also where no worker is running.
 */
export const deadOwners: Repair = {
  name: 'runs of dead workers',
  find: async (deps) => {
    const found = await findAdoptable(deps, new Set());
    const own = found.filter(({ lease }) => lease.owner !== deps.owner);
    return Promise.all(own.map((running) => deadOwner(deps, running)));
  },
};

async function deadOwner(deps: RepairDeps, running: RunningJob): Promise<Finding> {
  const { folder, phase } = running.run;
  const works = existsSync(folder) && phase !== 'publishing' && (await deps.launcher.alive(folder));
  if (works)
    return { line: `${nameOf(running)}: its worker is dead, its agent works on until a worker adopts it`, fix: 'left' };
  return {
    line: `${nameOf(running)}: its worker is dead, phase ${phase}, no agent`,
    fix: () => finish(deps, running),
  };
}

/** Takes the run over and brings it to its end; publishing is tried once, because this process does not stay. */
async function finish(deps: RepairDeps, running: RunningJob): Promise<string> {
  const claim = await takeOver(deps, running);
  if (claim === null) return `${nameOf(running)} was adopted by a worker meanwhile`;
  const renewer = startRenewing(deps, claim);
  const once = new AbortController();
  const request = {
    deps,
    breaker: createSharedBreaker(deps),
    claim,
    renewer,
    entry: 'adopted',
    signal: once.signal,
  } as const;
  const end = await drive({ ...request, onSlotFreed: () => once.abort() });
  return end === 'settled' ? `${nameOf(running)} is settled` : `${nameOf(running)} is left to the next worker`;
}

/** Processes that outlived their run: a worker that died between kill and settlement, a daemon that an agent left. */
export const orphans: Repair = {
  name: 'processes of settled runs',
  find: async (deps) => {
    const busy = new Set((await deps.store.runningJobs(deps.host)).map(({ run }) => run.workspace));
    const seen = new Set<string>();
    const findings: Finding[] = [];
    for (const run of await deps.store.runs({ limit: settledRuns })) {
      const newest = !seen.has(run.workspace);
      seen.add(run.workspace);
      // In a workspace in use, what lives belongs to the run that uses it; that run's end clears the rest.
      if (!newest || busy.has(run.workspace) || !isLeftBehind(deps, run)) continue;
      if (!(await deps.launcher.alive(run.folder))) continue;
      const line = `run ${run.id} is settled, but processes of it live`;
      findings.push({ line, fix: () => endOrphans(deps, run) });
    }
    return findings;
  },
};

function isLeftBehind(deps: RepairDeps, run: Run): boolean {
  return run.phase === 'settled' && run.host === deps.host && run.folder !== '' && existsSync(run.folder);
}

async function endOrphans(deps: RepairDeps, run: Run): Promise<string> {
  const ended = await clearTree(deps, run.folder);
  return ended ? `processes of run ${run.id} ended` : `processes of run ${run.id} could not be ended`;
}
