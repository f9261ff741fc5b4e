import { errorText, isDatabaseError } from '../model/index.ts';
import { packing } from './repairs/packing.ts';
import { brokenCopies, leftovers } from './repairs/copies.ts';
import type { Finding, Repair, RepairDeps } from './repairs/repair.ts';
import { deadOwners, orphans } from './repairs/runs.ts';
import { lostProbe, abandonedEffects, asleepTasks } from './repairs/state.ts';

/** Everything `orch recover` and the start of a service look for, in this order: what runs need, runs, what depends on them. */
const repairs: readonly Repair[] = [
  brokenCopies,
  deadOwners,
  orphans,
  abandonedEffects,
  asleepTasks,
  lostProbe,
  leftovers,
  packing,
];

/**
 * Lines for people. `fixed` is empty on a dry run; `left` is in order and goes on by itself; `needsPerson` holds what orch
 * will not or could not do.
 */
export interface Recovery {
  found: string[];
  fixed: string[];
  left: string[];
  needsPerson: string[];
}

/**
 * Looks for what crashes left behind and repairs it. One repair that fails does not keep the others from their work; each
 * is safe next to living workers and can be repeated.
 * @throws OrchError `database_*`
 */
export async function recover(deps: RepairDeps, options: { dryRun: boolean }): Promise<Recovery> {
  const recovery = await carryOut(repairs, deps, options);
  for (const line of recovery.fixed) deps.log.info('recovered', { what: line });
  return recovery;
}

/**
 * Carries out repairs, or only says what they would do.
 * @throws OrchError `database_*`
 */
export async function carryOut(
  these: readonly Repair[],
  deps: RepairDeps,
  options: { dryRun: boolean },
): Promise<Recovery> {
  const recovery: Recovery = { found: [], fixed: [], left: [], needsPerson: [] };
  for (const repair of these) {
    try {
      for (const finding of await repair.find(deps)) await repairOne(finding, options, recovery);
    } catch (error) {
      // Nothing can be repaired without the database, and no person is needed for one that is only locked.
      if (isDatabaseError(error)) throw error;
      recovery.needsPerson.push(`${repair.name}: ${errorText(error)}`);
    }
  }
  return recovery;
}

async function repairOne(finding: Finding, options: { dryRun: boolean }, recovery: Recovery): Promise<void> {
  recovery.found.push(finding.line);
  if (finding.fix === null) recovery.needsPerson.push(finding.line);
  else if (finding.fix === 'left') recovery.left.push(finding.line);
  else if (!options.dryRun) recovery.fixed.push(await finding.fix());
}
