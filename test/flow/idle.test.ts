import { afterEach, expect, test, vi } from 'vitest';
import { systemClock, type Clock } from '../../src/core/platform/clock.ts';
import { startLine, type Line } from '../support/line.ts';
import { createPoller } from '../../src/pollers/schedule.ts';
import type { ServiceManager } from '../../src/core/platform/sd-notify.ts';
import { until } from '../support/until.ts';
import { dumpTables, planeSide, writes } from '../support/plane-side.ts';

let line: Line | null = null;
afterEach(async () => {
  await line?.close();
  line = null;
});

test('what a person was asked for is heard between two ticks, with one list', async () => {
  // The next tick is months away.
  line = await startLine({
    script: { roles: {} },
    configure: (config) => Object.assign(config['poll'] as object, { schedule: '0 0 4 1 1 *', quickSeconds: 1 }),
  });
  const { app } = line;
  const { plane, people } = line.world;
  const side = planeSide(line);
  await side.tick();
  const item = side.add('A discount for regular customers');
  await line.until('the request for approval', side.id(item), (row) => row.task.hold?.cause === 'approval');
  const stop = new AbortController();
  const manager = { ready: vi.fn(async () => {}), alive: async () => {}, stopping: async () => {} };
  const poller = createPoller(app.engine, app.config, async () => {});
  const served = poller.serve(stop.signal, manager as unknown as ServiceManager);
  await until('the first tick of the service', () => manager.ready.mock.calls.length > 0);
  const from = plane.requests.length;
  side.say(people.lead, item, '<p>:approved:</p>');
  await until('the approval', async () => (await side.row(item)).task.stage === 'architecture', 30_000);
  stop.abort();
  await served;
  const asked = plane.requests.slice(from);
  expect(asked.filter((request) => /^GET \S+\/work-items\/\?/.test(request)).length).toBeGreaterThan(0);
  expect(asked.filter((request) => request.includes('/states/') || request.includes('/labels/'))).toEqual([]);
}, 120_000);

test('a tick in which nothing is new writes nothing and asks one list and one ls-remote', async () => {
  const clock: Clock & { ahead: number } = { ...systemClock, ahead: 0, now: () => Date.now() + clock.ahead };
  line = await startLine({ script: { roles: {} }, appClock: clock });
  const { plane, gitea, telegram, people } = line.world;
  const side = planeSide(line);
  await side.tick();
  const waiting = side.add('A discount for regular customers');
  const refused = side.add('Hi');
  const paused = side.add('A task that an operator paused');
  await side.tick();
  await line.app.store.post({
    taskId: side.id(paused),
    sourceKey: 'command:1',
    body: { kind: 'command', name: 'pause', by: 'op' },
  });
  await line.until('the request for approval', side.id(waiting), (row) => row.task.hold?.cause === 'approval');
  expect((await side.row(refused)).task.hold?.cause).toBe('intake_refused');
  await side.tick(3);

  const before = dumpTables(line);
  const from = { plane: plane.requests.length, gitea: gitea.requests.length, telegram: telegram.requests.length };
  await side.tick(10);
  expect(dumpTables(line)).toBe(before);
  const asked = plane.requests.slice(from.plane);
  expect(writes(asked)).toEqual([]);
  expect(asked).toHaveLength(10);
  for (const request of asked) expect(request).toMatch(/^GET \S+\/work-items\/\?\S*order_by=-updated_at/);
  const git = gitea.requests.slice(from.gitea);
  // One discovery and, with protocol version 2, one `ls-refs` are one ls-remote.
  expect(git.filter((request) => request.includes('info/refs'))).toHaveLength(10);
  expect(git.filter((request) => request.includes('/api/'))).toEqual([]);
  expect(git.filter((request) => request.includes('git-receive-pack'))).toEqual([]);
  expect(telegram.requests).toHaveLength(from.telegram);

  // A comment whose bump was lost shows in no list; the slow sweep finds it.
  plane.stopWorker();
  side.say(people.lead, waiting, '<p>:approved:</p>');
  await side.tick(2);
  expect((await side.row(waiting)).task.stage).toBe('analysis');
  clock.ahead += 6 * 60_000;
  await side.tick(2);
  expect((await side.row(waiting)).task.stage).toBe('architecture');
}, 300_000);
