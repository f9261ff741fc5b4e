import { describe, expect, it } from 'vitest';
import type { Hold, Store } from '../../../src/core/model/index.ts';
import type { Bench } from '../bench.ts';
import { adhoc, comment, commitNow, holdOn, itemMirror, message, newJob, task, visit, workerDetail } from '../bench.ts';

const wrong = 'nonsense' as never;
const held = (over: Partial<Hold>) => task({ hold: holdOn('rejections', over) });

/** Every place where a word of a list is written. */
const writes: [what: string, write: (store: Store) => Promise<unknown>][] = [
  ['stage of a new task', (store) => store.addTask(task({ id: 'ET-002' as never, stage: wrong }), itemMirror())],
  ['stage of a task', (store) => commitNow(store, { task: task({ stage: wrong }) })],
  ['stage of a pipeline', (store) => commitNow(store, { task: task({ pipelineStages: [wrong] }) })],
  ['stage of a visit', (store) => commitNow(store, { visit: visit(1, { stage: wrong }) })],
  ['phase', (store) => commitNow(store, { task: task({ phase: wrong }) })],
  ['cause of a hold', (store) => commitNow(store, { task: held({ cause: wrong }) })],
  ['kind of job', (store) => commitNow(store, { jobs: [newJob({ kind: wrong })] })],
  ['form of a role', (store) => store.enqueue(adhoc(1, { role: 'No role' }))],
  ['kind of effect', (store) => commitNow(store, { effects: [{ ...comment('c1'), body: { kind: wrong } as never }] })],
  ['kind of message', (store) => store.post(message('m1', { body: { kind: wrong } as never }))],
  [
    'kind of mirror',
    (store) => store.addTask(task({ id: 'ET-003' as never, itemId: 'i3' as never }), { kind: wrong } as never),
  ],
  ['kind of process', (store) => store.heartbeat({ name: 'n', owner: 'o', kind: wrong, detail: workerDetail() })],
  [
    'reason of the circuit breaker',
    async (store) => store.setAgentBreaker({ ...(await store.agentBreaker()), reason: wrong }),
  ],
];

/** Words of lists that grow with the program are no CHECK of a schema: the driver refuses what is not in its list. */
export function wordSuite(get: () => Bench): void {
  describe('a word that is in no list', () => {
    it.each(writes)('is refused, with all that was to be written with it: %s', async (_what, write) => {
      const { store, writes: written } = get();
      await store.addTask(task(), itemMirror());
      const before = written();
      await expect(write(store)).rejects.toThrow(/"(nonsense|No role)" is no /);
      expect(written()).toBe(before);
      expect(await store.tasks({})).toHaveLength(1);
    });
  });
}
