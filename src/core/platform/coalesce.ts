/**
 * One call of `work` at a time for each key; callers that come while one runs share the next one. Never the one that
 * runs: it may have asked the server before the caller's own push.
 */
export function coalesce<K>(work: (key: K) => Promise<void>): (key: K) => Promise<void> {
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
