import { describe, expect, it } from 'vitest';
import type { Bench } from '../bench.ts';
import { adhoc, claimOn, present, start } from '../bench.ts';

const second = 1_000;
const hour = 3_600 * second;

export function clockSuite(get: () => Bench): void {
  describe('a wall clock that is set back', () => {
    const lead = (): Promise<unknown> => get().store.acquireLease('poller', 'p1', 60 * second);

    it('moves what waits along, so that ten seconds stay ten seconds; once, whoever sees it', async () => {
      const { store, clock, connect } = get();
      const other = await connect();
      await lead();
      const { job } = await store.enqueue(adhoc(1, { availableAt: start + 10 * second }));
      clock.at -= hour;
      expect(await store.hasDueJob()).toBe(false);
      await lead();
      await other.acquireLease('second', 'p2', second);
      await other.heartbeat({
        name: 'poller',
        owner: 'p2',
        kind: 'poller',
        detail: { behind: [], problems: [], outages: [] },
      });
      clock.at += 10 * second - 1;
      expect(await store.hasDueJob()).toBe(false);
      clock.at += 1;
      expect(present(await claimOn(store)).job.id).toBe(job.id);
    });

    it('keeps an effect and a timer no longer than they were to wait', async () => {
      const { store, clock } = get();
      await lead();
      await store.announce([
        {
          key: 'k',
          lane: 'chat',
          body: {
            kind: 'chat.message',
            alert: true,
            notice: { taskId: null, title: '', links: {}, body: { event: 'agents_resumed' } },
          },
        },
      ]);
      const sent = present(await store.claimEffect('p1', 600 * second));
      await store.settleEffect(sent.effect.id, sent.token, { kind: 'retry', error: 'down', afterMs: 20 * second });
      clock.at -= hour;
      await lead();
      clock.at += 20 * second;
      await lead();
      const again = present(await store.claimEffect('p1', 600 * second));
      // The sender dies; what it held is free when its lease would have ended.
      clock.at -= hour;
      await lead();
      clock.at += 600 * second;
      expect(present(await store.claimEffect('p2', second)).effect.id).toBe(again.effect.id);
    });

    it('by less than two looks at it can differ changes nothing, and ahead nothing either', async () => {
      const { store, clock } = get();
      await lead();
      await store.enqueue(adhoc(1, { availableAt: start + hour }));
      clock.at -= 4 * second;
      await lead();
      clock.at += 4 * second + hour - 1;
      await lead();
      expect(await store.hasDueJob()).toBe(false);
      clock.at += 1;
      expect(await store.hasDueJob()).toBe(true);
    });
  });
}
