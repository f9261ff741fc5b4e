import { describe, expect, it } from 'vitest';
import type { Bench } from '../bench.ts';
import { present, start, workerDetail } from '../bench.ts';

export function processSuite(get: () => Bench): void {
  describe('named leases', () => {
    it('belong to one owner until they end; the token rises with every owner', async () => {
      const { store, clock, connect } = get();
      const other = await connect();
      const one = present(await store.acquireLease('poller', 'p1', 100));
      expect(one).toEqual({ name: 'poller', owner: 'p1', token: 1, expiresAt: start + 100 });
      expect(await other.acquireLease('poller', 'p2', 100)).toBeNull();
      clock.at += 50;
      expect(await store.acquireLease('poller', 'p1', 100)).toEqual({ ...one, expiresAt: start + 150 });
      expect(await other.acquireLease('second', 'p2', 100)).toMatchObject({ token: 1 });
      clock.at += 100;
      const two = present(await other.acquireLease('poller', 'p2', 100));
      expect(two).toMatchObject({ owner: 'p2', token: 2 });
      await store.releaseLease(one);
      expect(await store.acquireLease('poller', 'p1', 100)).toBeNull();
      await other.releaseLease(two);
      expect((await store.leases()).map((lease) => lease.name)).toEqual(['second']);
      expect(await store.acquireLease('poller', 'p1', 100)).toMatchObject({ owner: 'p1', token: 3 });
    });

    it('one that ends impossibly late is no obstacle: the clock was set back', async () => {
      const { store, clock } = get();
      await store.acquireLease('poller', 'p1', 100);
      clock.at -= 3_600_000;
      expect(await store.acquireLease('poller', 'p2', 100)).toMatchObject({ owner: 'p2', token: 2 });
    });
  });

  describe('circuit breaker of the agents', () => {
    it('starts closed and is swapped by version', async () => {
      const { store } = get();
      const breaker = await store.agentBreaker();
      expect(breaker).toEqual({
        state: 'closed',
        reason: null,
        detail: '',
        failures: 0,
        until: null,
        probe: null,
        version: 0,
      });
      const open = {
        ...breaker,
        state: 'open' as const,
        reason: 'transient' as const,
        detail: '529',
        failures: 3,
        until: start + 5,
      };
      expect(await store.setAgentBreaker(open)).toBe('ok');
      expect(await store.setAgentBreaker({ ...breaker, failures: 9 })).toBe('stale');
      expect(await store.agentBreaker()).toEqual({ ...open, version: 1 });
    });
  });

  describe('heartbeat', () => {
    it('keeps one row an owner and drops those that were replaced or are long silent', async () => {
      const { store, clock } = get();
      const failing = workerDetail({ kind: 'preflight_failed', role: 'analyst', reason: 'claude not found' });
      const beat = async (owner: string, name = 'worker@h1') =>
        store.heartbeat({ name, owner, kind: 'worker', detail: failing });
      await beat('w1');
      clock.at += 1000;
      await beat('w1');
      await beat('q1', 'poller@h1');
      expect((await store.processes()).find((row) => row.owner === 'w1')).toEqual({
        name: 'worker@h1',
        owner: 'w1',
        kind: 'worker',
        startedAt: start,
        seenAt: start + 1000,
        detail: failing,
      });
      const outages = [{ peer: 'forge' as const, project: 'Shop', since: start, reported: true }];
      const detail = { behind: ['Shop'], problems: ['Shop: 503'], outages };
      await store.heartbeat({ name: 'poller@h1', owner: 'q1', kind: 'poller', detail });
      expect((await store.processes()).find((row) => row.owner === 'q1')).toMatchObject({ kind: 'poller', detail });
      clock.at += 6 * 60_000;
      await beat('w2');
      expect((await store.processes()).map((row) => row.owner)).toEqual(['q1', 'w2']);
      clock.at += 25 * 3_600_000;
      await beat('w2');
      expect((await store.processes()).map((row) => row.owner)).toEqual(['w2']);
    });
  });
}
