import { setTimeout as sleep } from 'node:timers/promises';
import { OrchError } from '../model/index.ts';

/** Waits between tries while another process holds a lock of the bare copy, milliseconds; together a slow fetch. */
const lockWaits = [50, 150, 400, 1000, 2000];

/**
 * One at a time for a key; who comes while one is under way shares the next with everybody else who waits. Never the one
 * under way: it may have asked the server before the caller's own push.
 */
export function taken<K>(work: (key: K) => Promise<void>): (key: K) => Promise<void> {
  const running = new Map<K, Promise<void>>();
  const waiting = new Map<K, Promise<void>>();
  async function begin(key: K): Promise<void> {
    waiting.delete(key);
    const turn = work(key).finally(() => running.delete(key));
    running.set(key, turn);
    return turn;
  }
  return async (key) => {
    const shared = waiting.get(key);
    if (shared !== undefined) return shared;
    const current = running.get(key);
    if (current === undefined) return begin(key);
    const next = current.then(
      () => begin(key),
      () => begin(key),
    );
    waiting.set(key, next);
    return next;
  };
}

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
