import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readAlive } from '../../src/commands/shared/alive.ts';
import { stageTimes } from '../../src/commands/shared/stage-times.ts';
import { openApp } from '../../src/app.ts';
import { loadConfig } from '../../src/core/config/load.ts';
import { createSecrets } from '../../src/core/config/secrets.ts';
import type { Store } from '../../src/core/model/index.ts';
import { systemClock } from '../../src/core/platform/clock.ts';
import { silentLog } from '../../src/core/platform/log.ts';
import { ownerId } from '../../src/core/platform/processes.ts';
import { Redactor } from '../../src/core/platform/redact.ts';
import { openStore } from '../../src/core/store/open.ts';
import { createPoller } from '../../src/pollers/schedule.ts';
import { dollars } from '../../src/ui/format.ts';
import { flow, wrap } from '../../src/ui/wrap.ts';
import { adhoc, claimOn, holdOn, start, task, testClock, visit, workerDetail, type TestClock } from '../store/bench.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'orch-alive-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe('who is alive', () => {
  const leaseMs = 60_000;
  let clock: TestClock;
  let store: Store;
  beforeEach(async () => {
    clock = testClock();
    store = await openStore({ database: { file: path.join(folder, 'orch.db') }, clock, mode: 'service' });
  });
  afterEach(() => store.close());
  const alive = async () => readAlive(store, leaseMs, await store.runningJobs(null));

  it('is nobody in an empty database', async () => {
    expect(await alive()).toMatchObject({ poller: { state: 'none', lastTick: null }, workers: [], working: false });
  });

  it('is a poller until its lease lapses, with what it says of its last tick', async () => {
    await store.acquireLease('poller', 'h9|boot|1|1', 120_000);
    const said = { behind: ['Shop'], problems: ['Plane project Shop: 503'] };
    const detail = { ...said, outages: [] };
    await store.heartbeat({ name: 'poller', owner: 'h9|boot|1|1', kind: 'poller', detail });
    clock.at += 119_999;
    expect((await alive()).poller).toEqual({
      state: 'live',
      lastTick: start,
      leaseExpiresAt: start + 120_000,
      host: 'h9',
      ...said,
    });
    clock.at += 1;
    expect((await alive()).poller).toMatchObject({ state: 'late', lastTick: start });
  });

  it('is a worker whose process lives and was seen within a lease', async () => {
    await store.heartbeat({ name: 'here', owner: ownerId(), kind: 'worker', detail: workerDetail() });
    const failed = workerDetail({ kind: 'preflight_failed', role: 'analyst', reason: 'no such file' });
    await store.heartbeat({ name: 'other', owner: 'h9|boot|1|1', kind: 'worker', detail: failed });
    const dead = ownerId().replace(/\|\d+\|\d+$/, '|999999999|1');
    await store.heartbeat({ name: 'ended', owner: dead, kind: 'worker', detail: workerDetail() });
    const states = async () =>
      (await alive()).workers.map(({ name, state, preflight }) => [name, state, preflight !== null]);
    expect(await states()).toEqual([
      ['ended', 'gone', false],
      ['here', 'live', false],
      ['other', 'live', true],
    ]);
    clock.at += leaseMs;
    expect(await states()).toEqual([
      ['ended', 'gone', false],
      ['here', 'silent', false],
      ['other', 'silent', true],
    ]);
    expect((await alive()).working).toBe(false);
  });

  it('counts a running job under a lease that holds as a worker', async () => {
    await store.enqueue(adhoc(1));
    await claimOn(store);
    expect(await alive()).toMatchObject({ workers: [], working: true });
    clock.at += 60_000;
    expect(await alive()).toMatchObject({ working: false });
  });
});

it('the last tick is read from the lease that the poller really takes', async () => {
  const file = path.join(folder, 'config.json');
  const project = {
    planeProject: '92986e6c-57df-482d-94ef-4df4f3958b55',
    repo: 'acme/shop',
    prefix: 'ET',
    name: 'Shop',
  };
  writeFileSync(
    file,
    JSON.stringify({ stateDir: path.join(folder, 'state'), plane: { workspace: 'acme' }, projects: [project] }),
  );
  const redactor = new Redactor();
  const env = { PATH: process.env['PATH'], HOME: folder };
  const { config } = await loadConfig({ env, cwd: folder, file });
  const secrets = createSecrets(env, redactor);
  const app = await openApp({ config, secrets, redactor, env, clock: systemClock, log: silentLog, mode: 'service' });
  try {
    const before = Date.now();
    await createPoller(app.engine, { ...config, projects: [] }, async () => {}).tick(new AbortController().signal);
    const { poller } = await readAlive(app.store, 60_000, []);
    expect(poller.state).toBe('live');
    expect(poller.lastTick).toBeGreaterThanOrEqual(before);
    expect(poller.lastTick).toBeLessThanOrEqual(Date.now());
  } finally {
    await app.close();
  }
});

describe('stage times', () => {
  const minute = 60_000;
  const visits = [
    visit(1, { stage: 'analysis', startedAt: start }),
    visit(2, { stage: 'architecture', startedAt: start + minute }),
    visit(3, { stage: 'development', startedAt: start + 3 * minute }),
    visit(4, { stage: 'review', startedAt: start + 4 * minute }),
    visit(5, { stage: 'development', startedAt: start + 6 * minute }),
  ];
  const of = (over: Parameters<typeof task>[0], busy = false) =>
    stageTimes(task(over), visits, busy, start + 10 * minute).map(({ state, ms, visits: n }) => [
      state,
      ms / minute,
      n,
    ]);

  it('add the visits of a stage, also when the task went back', () => {
    expect(of({ stage: 'development' }, true)).toEqual([
      ['passed', 1, 1],
      ['passed', 2, 1],
      ['active', 5, 2],
      ['ahead', 2, 1],
      ['ahead', 0, 0],
      ['ahead', 0, 0],
    ]);
  });

  it('say how the stage stands, and end with the task', () => {
    expect(of({ stage: 'development', hold: holdOn('no_new_code') })[2]?.[0]).toBe('blocked');
    expect(of({ stage: 'development', hold: holdOn('ci', { blocking: false }) })[2]?.[0]).toBe('waiting');
    expect(of({ stage: 'development', paused: true })[2]?.[0]).toBe('waiting');
    expect(of({ stage: 'cancelled', stageSince: start + 7 * minute })[2]).toEqual(['stopped', 2, 2]);
    const done = of({ stage: 'done', stageSince: start + 8 * minute });
    expect(done.map(([state]) => state)).toEqual(Array(6).fill('passed'));
    expect(done[2]).toEqual(['passed', 3, 2]);
    expect(of({ stage: 'created' }).every(([state]) => state === 'ahead')).toBe(true);
  });
});

describe('text', () => {
  it('wraps between words, keeps commands together, escapes', () => {
    expect(wrap('one two  three\nfour', 9)).toEqual(['one two', 'three', 'four']);
    expect(wrap('start `orch serve-poller`, then look', 22)).toEqual(['start', '`orch serve-poller`,', 'then look']);
    expect(wrap('a `b c d e f` g', 6)).toEqual(['a `b c', 'd e f`', 'g']);
    expect(wrap('https://example.org/long x', 5)).toEqual(['https://example.org/long', 'x']);
    expect(wrap('a \u001b[31mb', 80)).toEqual(['a \\x1b[31mb']);
    expect(wrap(' ', 5)).toEqual([]);
    expect(wrap('日本 語', 4)).toEqual(['日本', '語']);
  });

  it('flows groups without splitting them', () => {
    expect(flow([['aa ', 'b'], ['cc'], ['dd']], 8)).toEqual([['aa ', 'b', '  ', 'cc'], ['dd']]);
    expect(flow([], 8)).toEqual([]);
  });

  it('prints money', () => {
    expect([0, 500, 99_999, 420_000, 12_345_678].map(dollars)).toEqual([
      '$0.00',
      '$0.0005',
      '$0.1000',
      '$0.42',
      '$12.35',
    ]);
  });
});
