import fc from 'fast-check';
import type { OutcomeKind } from '../../src/core/model/index.ts';

export const leaseMs = 60_000;
/** The same for every claim of a host, so that it can be looked for at every instant. */
export const limits: Record<string, number> = { h1: 1, h2: 2 };
export const taskIds = ['ET-001', 'ET-002', 'ET-003'] as const;
export const minute = 60_000;
const hour = 60 * minute;

/** One thing that happens. Numbers choose among what there is at the time; too large ones wrap around. */
export type Step =
  | { do: 'enqueue'; task: number; cause: number; delay: number | null; runCap: number | null; costCap: number | null }
  | { do: 'claim'; worker: number }
  | { do: 'renew'; lease: number }
  | { do: 'publish'; lease: number }
  | { do: 'settle'; lease: number; kind: OutcomeKind; sawCancel: boolean; cost: number | null; wait: number | null }
  | { do: 'takeOver'; lease: number; worker: number }
  | { do: 'cancel'; job: number }
  | { do: 'pause'; task: number; paused: boolean }
  | { do: 'clock'; by: number }
  | { do: 'die'; worker: number }
  | { do: 'reclaim'; worker: number };

const index = fc.nat(5);
const kinds: OutcomeKind[] = [
  ...(['success', 'own_fault', 'timeout', 'budget', 'transient', 'transient', 'transient', 'interrupted'] as const),
  ...(['interrupted', 'usage_limit', 'authentication', 'cancelled'] as const),
];
const settles = fc.record({
  do: fc.constant('settle' as const),
  lease: index,
  kind: fc.constantFrom(...kinds),
  sawCancel: fc.boolean(),
  cost: fc.option(fc.nat(900)),
  wait: fc.option(fc.constantFrom(0, 5_000, 90_000, hour)),
});
const arbitraries = {
  enqueue: fc.record({
    do: fc.constant('enqueue' as const),
    task: fc.nat(taskIds.length),
    cause: fc.nat(3),
    delay: fc.option(fc.constantFrom(-hour, -1, 1, 10_000, hour)),
    runCap: fc.option(fc.integer({ min: 1, max: 4 }), { freq: 4 }),
    costCap: fc.option(fc.constantFrom(500, 2_000), { freq: 3 }),
  }),
  claim: fc.record({ do: fc.constant('claim' as const), worker: index }),
  renew: fc.record({ do: fc.constant('renew' as const), lease: index }),
  publish: fc.record({ do: fc.constant('publish' as const), lease: index }),
  settle: settles,
  takeOver: fc.record({ do: fc.constant('takeOver' as const), lease: index, worker: index }),
  cancel: fc.record({ do: fc.constant('cancel' as const), job: index }),
  pause: fc.record({ do: fc.constant('pause' as const), task: fc.nat(2), paused: fc.boolean() }),
};
const others = {
  clock: fc.record({
    do: fc.constant('clock' as const),
    by: fc.constantFrom(1, 10_000, 25_000, 11 * minute, leaseMs - 1, leaseMs + 1, hour, -hour),
  }),
  die: fc.record({ do: fc.constant('die' as const), worker: index }),
  reclaim: fc.record({ do: fc.constant('reclaim' as const), worker: index }),
};

/** Steps that two processes do at the same moment. */
export type Pair = { do: 'both'; one: Step; two: Step };

const single = fc.oneof(
  { weight: 4, arbitrary: arbitraries.enqueue },
  { weight: 6, arbitrary: arbitraries.claim },
  { weight: 2, arbitrary: arbitraries.renew },
  { weight: 2, arbitrary: arbitraries.publish },
  { weight: 6, arbitrary: arbitraries.settle },
  { weight: 1, arbitrary: arbitraries.takeOver },
  { weight: 1, arbitrary: arbitraries.cancel },
  { weight: 1, arbitrary: arbitraries.pause },
);
const both = fc.record({ do: fc.constant('both' as const), one: single, two: single });

export const sequences = fc.array(
  fc.oneof(
    { weight: 22, arbitrary: single },
    { weight: 5, arbitrary: both },
    { weight: 4, arbitrary: others.clock },
    { weight: 1, arbitrary: others.die },
    { weight: 2, arbitrary: others.reclaim },
  ),
  { minLength: 5, maxLength: 70, size: 'max' },
);
