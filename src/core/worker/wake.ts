/** A bell that several things ring and one loop waits for; a ring while nobody waits is kept for the next wait. */
export interface Bell {
  ring(): void;
  /** Resolves at the next ring, after `ms`, or when the signal aborts. */
  wait(ms: number, signal: AbortSignal): Promise<void>;
}

/** @param sleep the clock's: resolves after its milliseconds or when the signal aborts */
export function createBell(sleep: (ms: number, signal: AbortSignal) => Promise<void>): Bell {
  let rung = false;
  let waiting: AbortController | null = null;
  return {
    ring: () => {
      rung = true;
      waiting?.abort();
    },
    wait: async (ms, signal) => {
      if (!rung && !signal.aborted) {
        waiting = new AbortController();
        await sleep(ms, AbortSignal.any([waiting.signal, signal]));
        waiting = null;
      }
      rung = false;
    },
  };
}
