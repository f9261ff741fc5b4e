import { readFileSync } from 'node:fs';
import { listProcesses } from '../../src/core/platform/processes.ts';

/** Pids of every process of the runs whose folders lie below this one: supervisors, agents, and what those started. */
export function treesOf(folder: string): number[] {
  return listProcesses()
    .map((one) => one.pid)
    .filter((pid) => {
      try {
        const text = readFileSync(`/proc/${pid}/environ`, 'utf8');
        return text.includes('\0ORCH_RUN=') && text.includes(`\0CLAUDE_CODE_TMPDIR=${folder}/`);
      } catch {
        return false;
      }
    });
}

/** Sends a signal to each of them; answers which of them were still there. */
export function strikeAll(pids: number[], signal: NodeJS.Signals): number[] {
  return pids.filter((pid) => {
    try {
      process.kill(pid, signal);
      return true;
    } catch {
      return false;
    }
  });
}
