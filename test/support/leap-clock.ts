import type { Clock } from '../../src/core/platform/clock.ts';

/** A clock that runs on and can be moved ahead; who sleeps until a time that is passed by then wakes at once. */
export interface LeapClock extends Clock {
  skip(ms: number): void;
}

export function leapClock(): LeapClock {
  let ahead = 0;
  const sleepers = new Set<() => void>();
  const now = (): number => Date.now() + ahead;
  return {
    now,
    sleep: (ms, signal) =>
      new Promise((resolve) => {
        if (signal?.aborted === true) return resolve();
        const until = now() + ms;
        let timer: NodeJS.Timeout | undefined;
        const end = (): void => {
          clearTimeout(timer);
          sleepers.delete(look);
          signal?.removeEventListener('abort', end);
          resolve();
        };
        const look = (): void => {
          clearTimeout(timer);
          if (now() >= until) return end();
          timer = setTimeout(look, until - now());
        };
        sleepers.add(look);
        signal?.addEventListener('abort', end, { once: true });
        look();
      }),
    skip(ms) {
      ahead += ms;
      for (const look of [...sleepers]) look();
    },
  };
}
