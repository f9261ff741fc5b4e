import { existsSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { isFinal, type RunEnd, type RunId, type Task, type TaskId, counted } from '../../model/index.ts';
import { removeTree } from '../../platform/files.ts';
import { patchFileOf } from '../publish.ts';
import type { Finding, Repair, RepairDeps } from '../repairs/repair.ts';

const dayMs = 86_400_000;

/**
 * The folders of this host's runs, with one query however many there are: those that the database does not know (it is
 * another one, or was restored from an older backup) are named, those that are older than `retention.runDays` and that
 * nothing needs are removed.
 */
export const runFolders: Repair = {
  name: 'run folders',
  find: async (deps) => {
    const ids = runsIn(deps.runsDir);
    if (ids.length === 0) return [];
    const ends = await deps.store.runEnds(ids);
    const known = new Set(ends.map(({ id }) => id));
    const unknown = ids.filter((id) => !known.has(id)).map((id) => unknownFolder(path.join(deps.runsDir, id)));
    const old = await unneeded(deps, ends);
    return old.length === 0 ? unknown : [...unknown, oldFolders(deps, old)];
  },
};

function runsIn(runsDir: string): RunId[] {
  if (!existsSync(runsDir)) return [];
  return readdirSync(runsDir).filter((name) => /^\d+$/.test(name)) as RunId[];
}

function unknownFolder(folder: string): Finding {
  return { line: `${folder} belongs to no run of this database: look at it, then remove it`, fix: null };
}

/** One line for all of them: after an upgrade there may be hundreds. */
function oldFolders({ runsDir, runRetentionMs }: RepairDeps, old: RunId[]): Finding {
  const days = Math.round(runRetentionMs / dayMs);
  return {
    line: `run folders older than ${counted(days, 'day')} that nothing needs: ${old.length}`,
    fix: () => {
      for (const id of old) removeTree(path.join(runsDir, id));
      return Promise.resolve(`run folders older than ${counted(days, 'day')} removed: ${old.length}`);
    },
  };
}

/** Runs that ended before the retention and whose folder neither their task nor their job needs. */
async function unneeded(deps: RepairDeps, ends: RunEnd[]): Promise<RunId[]> {
  const before = deps.store.now() - deps.runRetentionMs;
  const old = ends.filter(({ endedAt }) => endedAt !== null && endedAt < before);
  const newest = new Map<TaskId, number>();
  for (const { id, taskId } of ends) {
    if (taskId !== null) newest.set(taskId, Math.max(Number(id), newest.get(taskId) ?? 0));
  }
  const tasks = new Map<TaskId, Task | null>();
  const removable: RunId[] = [];
  for (const { id, taskId, jobLive } of old) {
    if (jobLive) continue;
    if (taskId !== null) {
      if (!tasks.has(taskId)) tasks.set(taskId, (await deps.store.task(taskId))?.task ?? null);
      const folder = path.join(deps.runsDir, id);
      if (isNeeded(tasks.get(taskId) ?? null, Number(id) === newest.get(taskId), existsSync(patchFileOf(folder))))
        continue;
    }
    removable.push(id);
  }
  return removable;
}

/**
 * Whether an open task may still need the folder of one of its settled runs: a hold is explained by what its runs
 * printed, the newest run is what the next one goes on from, and a patch is work that is nowhere else.
 */
function isNeeded(task: Pick<Task, 'stage' | 'hold'> | null, isNewest: boolean, hasPatch: boolean): boolean {
  if (task === null || isFinal(task.stage)) return false;
  return task.hold !== null || isNewest || hasPatch;
}
