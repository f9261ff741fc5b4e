import { existsSync } from 'node:fs';
import type { Clock } from '../platform/clock.ts';
import { bootId, isAlive, signalProcess } from '../platform/processes.ts';
import type { StopReason } from '../model/index.ts';
import { hasExit, readSupervisor, recordOf, writeStop } from './run-folder.ts';
import { findProcesses } from './run-processes.ts';

/** Pauses between scans, milliseconds: short at first, because a supervisor that has written `exit` is gone in one or two. */
const minPauseMs = 5;
const maxPauseMs = 100;
/** For a run whose record is gone. */
const usualGraceMs = 5_000;
/** The supervisor writes `exit` and ends by itself once the agent is gone; it gets this long for it. */
const supervisorMs = 3_000;
/** A scan can miss what is being forked at that moment; what is there after this long cannot be killed (state D). */
const killMs = 5_000;

/**
 * Ends a run's processes: request, time to comply, kill, until a scan finds nothing.
 *
 * The reason is written before the first signal, so that the code that judges the run afterwards knows it, also when this
 * process dies half-way; a run that had ended by itself gets none. The sandbox's own processes are left out of the
 * request: they would take the whole namespace down at once. Repeatable, by any process of the host.
 * @returns how many processes are left
 */
export async function killRun(folder: string, why: StopReason, clock: Clock): Promise<{ left: number }> {
  const { killGraceMs, boot } = recordOf(folder) ?? { killGraceMs: usualGraceMs, boot: bootId() };
  if (existsSync(folder) && !hasExit(folder)) writeStop(folder, why, clock.now());
  await request(folder, killGraceMs, clock);
  const begin = performance.now();
  const done = (): boolean => {
    const { agent, supervisor } = findProcesses(folder);
    for (const info of agent) signalProcess(info, 'SIGKILL');
    // With its main process dead the rest of the supervisor has nothing to write any more.
    const main = readSupervisor(folder, boot);
    const late = main === null || !isAlive(main) || performance.now() - begin > supervisorMs;
    if (agent.length === 0 && late) for (const info of supervisor) signalProcess(info, 'SIGKILL');
    return agent.length + supervisor.length === 0;
  };
  await waitFor(done, killMs, clock);
  const last = findProcesses(folder);
  return { left: last.supervisor.length + last.agent.length };
}

/** Asks every process once to end, those that appear meanwhile too, and waits until none is left or time is up. */
async function request(folder: string, graceMs: number, clock: Clock): Promise<void> {
  const asked = new Set<string>();
  await waitFor(
    () => {
      const { agent } = findProcesses(folder);
      for (const info of agent) {
        const key = `${info.pid}:${info.start}`;
        if (info.name === 'bwrap' || asked.has(key)) continue;
        asked.add(key);
        signalProcess(info, 'SIGTERM');
      }
      return agent.length === 0;
    },
    graceMs,
    clock,
  );
}

async function waitFor(done: () => boolean, limitMs: number, clock: Clock): Promise<void> {
  const end = performance.now() + limitMs;
  for (let pause = minPauseMs; !done() && performance.now() < end; pause = Math.min(2 * pause, maxPauseMs)) {
    await clock.sleep(pause);
  }
}
