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

/** Dies by SIGKILL when the environment names this point; does nothing otherwise. */
export function crashPoint(name: CrashPoint): void {
  if (wanted === name) process.kill(process.pid, 'SIGKILL');
}
