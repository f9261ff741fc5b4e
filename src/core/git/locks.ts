import { setTimeout as sleep } from 'node:timers/promises';
import { OrchError } from '../model/index.ts';

/** Waits between tries while another process holds a lock of the bare copy, milliseconds; together a slow fetch. */
const lockWaits = [50, 150, 400, 1000, 2000];

/** Repeats what another process's lock stopped: git's own locks are held for moments. */
export async function pastLocks<T>(work: () => Promise<T>): Promise<T> {
  for (const wait of lockWaits) {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof OrchError) || error.code !== 'git_locked') throw error;
    }
    await sleep(wait);
  }
  return work();
}
