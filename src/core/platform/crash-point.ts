/**
 * Every place at which the crash tests kill the process (`ORCH_CRASH_AT=<name>`). Each stands between two steps that a
 * reader could believe to be one; what is left behind is finished by the next tick or repair.
 */
export const crashPoints = [
  'observe.after',
  'reconcile.before-commit',
  'reconcile.after-commit',
  'claim.after',
  'workspace.after',
  'prepare.after',
  'spawn.after',
  'run.recorded',
  'run.ended',
  'outcome.recorded',
  'publish.committed',
  'publish.fetched',
  'publish.pushed',
  'settle.before',
  'settle.after',
  'effect.claimed',
  'effect.sent',
  'effect.settled',
] as const;
export type CrashPoint = (typeof crashPoints)[number];

const wanted = process.env['ORCH_CRASH_AT'];

/**
 * Dies by SIGKILL when the environment names this point; does nothing otherwise.
 * @param detail narrows the point: `effect.sent:forge.merge_pull` is the point `effect.sent` of a merge only
 */
export function crashPoint(name: CrashPoint, detail?: string): void {
  if (wanted === undefined) return;
  if (wanted === name || (detail !== undefined && wanted === `${name}:${detail}`)) process.kill(process.pid, 'SIGKILL');
}
