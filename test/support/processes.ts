import { listProcesses } from '../../src/core/platform/processes.ts';
import { readFileSync } from 'node:fs';

/** Pids of agents and their supervisors that belong to a folder: they name it in their arguments or work below it. */
export function findProcesses(folder: string): number[] {
  return listProcesses()
    .map((one) => one.pid)
    .filter((pid) => pid !== process.pid)
    .filter((pid) => {
      try {
        const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8');
        return command.includes(folder) && !command.includes('bin/orch.js');
      } catch {
        return false;
      }
    });
}
