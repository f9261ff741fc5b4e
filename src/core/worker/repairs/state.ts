import { effectLeaseMs } from '../../engine/deliver.ts';
import { ownerAlive, parseOwner } from '../../platform/processes.ts';
import { createSharedBreaker, probeVanished } from '../breaker.ts';
import type { Repair, RepairDeps } from './repair.ts';

/** A probe whose run is settled or whose claimer is dead would keep the circuit breaker half-open forever. */
export const lostProbe: Repair = {
  name: 'circuit breaker waiting for a lost probe',
  find: async (deps) => {
    if (!(await probeVanished(deps, await deps.store.agentBreaker()))) return [];
    return [{ line: 'the circuit breaker of the agents waits for a probe that is gone', fix: () => freeProbe(deps) }];
  },
};

async function freeProbe(deps: RepairDeps): Promise<string> {
  await createSharedBreaker(deps).freeLostProbe();
  return 'the circuit breaker lets another probe through';
}

/**
 * How long the server may still be at work on a merge whose sender died, milliseconds: asked again sooner, a second merge
 * could run next to the first (three squashes in parallel were seen to give three commits).
 */
const mergeQuietMs = 30_000;

/** What a dead process of this host was sending: due again at once. Every kind checks the world before it is sent again. */
export const abandonedEffects: Repair = {
  name: 'effects of dead senders',
  find: async (deps) => {
    const sending = await deps.store.effectsInFlight();
    return sending
      .filter(({ owner, effect, expiresAt }) => {
        if (parseOwner(owner)?.host !== deps.host || ownerAlive(owner, deps.host)) return false;
        return effect.body.kind !== 'forge.merge_pull' || deps.store.now() >= expiresAt - effectLeaseMs + mergeQuietMs;
      })
      .map(({ effect, token }) => ({
        line: `${effect.body.kind} ${effect.key} was being sent by a process that is dead`,
        fix: async () => {
          await deps.store.settleEffect(effect.id, token, { kind: 'retry', error: 'its sender died', afterMs: 0 });
          return `${effect.key} is sent again`;
        },
      }));
  },
};

/** Tasks that a process which did not know their project put to sleep, as versions before 0.2 did: nothing would wake them. */
export const asleepTasks: Repair = {
  name: 'tasks that nothing wakes',
  find: async ({ store }) =>
    (await store.asleep()).map((taskId) => ({
      line: `${taskId} sleeps, although something is to be done for it`,
      fix: async () => {
        await store.wake(taskId);
        return `${taskId} is looked at again`;
      },
    })),
};
