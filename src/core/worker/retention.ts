import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { counted } from '../model/index.ts';
import { readSmall, writeFileAtomic } from '../platform/files.ts';
import { carryOut, type Recovery } from './repairs.ts';
import type { RepairDeps } from './repairs/repair.ts';
import { runFolders } from './retention/run-folders.ts';
import { dropNotices, packTasks, tasksToPack } from './retention/tasks.ts';
import { oldWorkspaces } from './retention/workspaces.ts';

/** How often this host looks for what may go, milliseconds; the time of the last whole pass is kept next to the run folders. */
const dayMs = 24 * 3_600_000;
const stampFile = '.retention';
/** Longest part of a pass within one tick, milliseconds; the next tick goes on. */
const partMs = 2_000;

export interface RetentionOptions {
  dryRun: boolean;
  /** `due`: once a day, a part at a time; `now`: all of it, because an operator wants it. */
  when: 'due' | 'now';
}

/**
 * Removes and packs what is older than the retention and what neither a hold nor an open task needs. Every step is whole by itself
 * and can be repeated: killed in the middle, the next pass goes on; two at a time find less to do.
 * @throws OrchError `database_*`
 */
export async function retain(deps: RepairDeps, { dryRun, when }: RetentionOptions): Promise<Recovery> {
  const stamp = path.join(deps.runsDir, stampFile);
  const now = deps.store.now();
  const last = Number(readSmall(stamp, 100) ?? '0');
  // A stamp of the future: the clock was set back since.
  if (when === 'due' && now >= last && now - last < dayMs) return { found: [], fixed: [], left: [], needsPerson: [] };
  const until = when === 'due' ? deps.monotonic() + partMs : Infinity;
  let cutShort = false;
  const enough = (): boolean => (cutShort = cutShort || deps.monotonic() >= until);
  const report = await carryOut([oldWorkspaces, runFolders], deps, { dryRun });
  const ended = await tasksToPack(deps);
  const age = counted(Math.round(deps.taskRetentionMs / dayMs), 'day');
  if (ended.length > 0) report.found.push(`tasks that ended more than ${age} ago and are not packed: ${ended.length}`);
  const packed = dryRun ? 0 : await packTasks(ended, deps, enough);
  if (packed > 0) report.fixed.push(`tasks that ended more than ${age} ago packed: ${packed}`);
  const dropped = dryRun ? 0 : await dropNotices(deps, enough);
  if (dropped > 0) report.fixed.push(`notices delivered long ago dropped: ${dropped}`);
  for (const line of report.fixed) deps.log.info('retention', { what: line });
  if (dryRun || cutShort) return report;
  mkdirSync(deps.runsDir, { recursive: true, mode: 0o700 });
  writeFileAtomic(stamp, `${now}\n`);
  return report;
}
