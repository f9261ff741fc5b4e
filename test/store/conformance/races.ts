import { describe, expect, it } from 'vitest';
import type { Claim } from '../../../src/core/model/index.ts';
import type { Bench } from '../bench.ts';
import {
  adhoc,
  claimOn,
  commitNow,
  decision,
  itemMirror,
  newJob,
  present,
  settlement,
  task,
  taskId,
} from '../bench.ts';

export function raceSuite(get: () => Bench): void {
  const connections = async (n: number) => Promise.all(Array.from({ length: n }, () => get().connect()));

  describe('several connections', () => {
    it('claim 200 jobs without a duplicate', async () => {
      const stores = await connections(4);
      for (let n = 0; n < 200; n += 1) await get().store.enqueue(adhoc(n, { branch: `b${n % 50}` }));
      const claims: Claim[] = [];
      await Promise.all(
        stores.map(async (store, i) => {
          const work = async (): Promise<void> => {
            const claim = await claimOn(store, `h${i}`, { maxConcurrency: 5 });
            if (claim === null) return;
            claims.push(claim);
            await store.patchRun(claim.lease, { phase: 'running' });
            expect(await store.settle(claim.lease, settlement())).toBe('ok');
            await work();
          };
          await Promise.all([work(), work(), work()]);
        }),
      );
      // A worker stops when every branch it looked at was busy; what it left is done by a last one.
      for (let claim = await claimOn(get().store); claim !== null; claim = await claimOn(get().store)) {
        claims.push(claim);
        await get().store.settle(claim.lease, settlement());
      }
      expect(new Set(claims.map((claim) => claim.job.id)).size).toBe(200);
      expect(claims).toHaveLength(200);
      expect((await get().store.queueCounts()).byState).toMatchObject({ done: 200, queued: 0, running: 0 });
    });

    it('commit one of several decisions made from the same version', async () => {
      const stores = await connections(4);
      await get().store.addTask(task(), itemMirror());
      const snapshots = await Promise.all(stores.map((store) => store.load(taskId)));
      const answers = await Promise.all(
        stores.map(async (store, i) => {
          const { meta } = present(snapshots[i]);
          const made = decision(task({ title: `by ${i}` }), { jobs: [newJob({ cause: `c${i}` })] });
          return store.commit(taskId, meta.version, made);
        }),
      );
      expect(answers.filter((answer) => answer === 'ok')).toHaveLength(1);
      expect(await get().store.recentJobs(9)).toHaveLength(1);
    });

    it('take over a dead owner once, acquire a lease once, queue a cause once', async () => {
      const stores = await connections(4);
      await get().store.addTask(task(), itemMirror());
      await commitNow(get().store, { jobs: [newJob()] });
      const { lease } = present(await claimOn(get().store));
      const taken = await Promise.all(stores.map((store, i) => store.takeOver(lease, `h1|boot|${i}|0`, 1000)));
      expect(taken.filter((claim) => claim !== null)).toHaveLength(1);
      const leases = await Promise.all(stores.map((store, i) => store.acquireLease('poller', `p${i}`, 1000)));
      expect(leases.filter((held) => held !== null)).toHaveLength(1);
      const queued = await Promise.all(stores.map((store) => store.enqueue(adhoc(1))));
      expect(queued.filter(({ created }) => created)).toHaveLength(1);
      expect(new Set(queued.map(({ job }) => job.id)).size).toBe(1);
    });
  });
}
