import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { createRequestBudget } from '../../src/core/peers/plane/budget.ts';
import { memoryLedger } from '../../src/core/queue/requests.ts';
import { systemClock } from '../../src/core/platform/clock.ts';
import { openStore } from '../../src/core/store/open.ts';
import { startPlane, type SandboxPlane } from '../../src/sandbox/plane/server.ts';
import { builtPart } from '../support/build.ts';

describe('reservations', () => {
  const budget = (perMinute: number) => {
    const ledger = memoryLedger(() => 1_000_000);
    const writes = { reserve: vi.spyOn(ledger, 'reserve'), giveBack: vi.spyOn(ledger, 'giveBack') };
    return { ledger, writes, of: createRequestBudget(perMinute, ledger) };
  };

  it('grow while they are spent, so that many requests cost few writes and one costs one', async () => {
    const { ledger, writes, of } = budget(400);
    await of.take();
    await of.release();
    expect([writes.reserve.mock.calls.length, writes.giveBack.mock.calls.length]).toEqual([1, 0]);
    await Promise.all(Array.from({ length: 40 }, () => of.take()));
    expect(writes.reserve.mock.calls.map(([want]) => want)).toEqual([1, 1, 2, 4, 8, 8, 8, 8, 8]);
    expect(await of.remaining()).toBe(400 - 41);
    await of.release();
    expect(await ledger.left(400)).toBe(400 - 41);
  });

  it('are not sent when they have become old, nor after another process was told to wait', async () => {
    vi.useFakeTimers({ toFake: ['performance'] });
    const { ledger, writes, of } = budget(400);
    for (let n = 0; n < 4; n += 1) await of.take();
    expect(writes.reserve).toHaveBeenCalledTimes(3);
    vi.advanceTimersByTime(5_000);
    await of.take();
    expect(writes.giveBack).toHaveBeenCalledTimes(1);
    expect(writes.reserve).toHaveBeenCalledTimes(4);
    for (let n = 0; n < 2; n += 1) await of.take();
    await ledger.hold(7_000);
    await expect(of.take()).rejects.toMatchObject({ code: 'plane_rate_limited', retryAfterMs: 7_000 });
    expect(await of.remaining()).toBe(0);
    vi.useRealTimers();
  });
});

/** Asks for the states of a project as often as it may, and says how often that was and why it ended. */
const asking = `
import { openStore } from '${builtPart('src/core/store/open.ts')}';
import { createPlane } from '${builtPart('src/core/peers/plane/plane.ts')}';
const [file, url, token, project] = process.argv.slice(2);
const clock = { now: () => Date.now(), sleep: () => Promise.resolve() };
const store = await openStore({ database: { file }, clock, mode: 'service' });
let throttled = 0;
const log = { debug() {}, info() {}, error() {}, warn: (text) => { if (text.includes('throttles')) throttled += 1; } };
const plane = createPlane({ url, workspace: 'acme', token: () => token, requestsPerMinute: 60, ledger: store.requests, clock, log });
let answered = 0;
process.stdout.write('ready\\n');
await new Promise((resolve) => process.stdin.once('data', resolve));
for (;;) {
  try {
    await plane.states(project);
    answered += 1;
  } catch (error) {
    process.stdout.write(JSON.stringify({ answered, throttled, code: error.code, wait: error.retryAfterMs > 0 }) + '\\n');
    break;
  }
}
await plane.release();
await store.close();
process.exit(0);
`;

interface Told {
  answered: number;
  throttled: number;
  code: string;
  wait: boolean;
}

describe('two processes', () => {
  let folder: string;
  let plane: SandboxPlane;
  beforeAll(() => {
    folder = mkdtempSync(path.join(tmpdir(), 'orch-budget-'));
    writeFileSync(path.join(folder, 'process.mjs'), asking);
  });
  afterAll(async () => {
    await plane.close();
    rmSync(folder, { recursive: true, force: true });
  });

  async function both(): Promise<{ plane: SandboxPlane; file: string; ended: () => Promise<Told[]> }> {
    plane = await startPlane();
    const user = plane.addUser({ email: 'orch@example.org', displayName: 'orch' });
    const { id } = plane.addProject({ identifier: 'ET', name: 'Shop' }, user);
    const file = path.join(folder, `${plane.url.split(':').at(-1)}`, 'orch.db');
    const children = [1, 2].map(() => {
      const child = spawn(process.execPath, [path.join(folder, 'process.mjs'), file, plane.url, user.token, id]);
      let said = '';
      let errors = '';
      child.stderr.on('data', (chunk: Buffer) => (errors += chunk.toString()));
      const ready = new Promise<void>((resolve) => {
        child.stdout.on('data', (chunk: Buffer) => {
          said += chunk.toString();
          if (said.startsWith('ready')) resolve();
        });
        child.once('close', () => resolve());
      });
      const ended = new Promise<Told>((resolve, reject) => {
        child.once('close', () => {
          const line = said.split('\n')[1] ?? '';
          if (line === '') reject(new Error(errors));
          else resolve(JSON.parse(line) as Told);
        });
      });
      return { child, ready, ended };
    });
    await Promise.all(children.map(({ ready }) => ready));
    return {
      plane,
      file,
      ended: async () => {
        for (const { child } of children) child.stdin.write('go\n');
        return Promise.all(children.map(({ ended }) => ended));
      },
    };
  }

  it('share the 60 requests of a minute: none is throttled, and none is left unused', async () => {
    const { ended } = await both();
    const told = await ended();
    expect(told.map(({ throttled, code, wait }) => ({ throttled, code, wait }))).toEqual(
      told.map(() => ({ throttled: 0, code: 'plane_rate_limited', wait: true })),
    );
    expect(told.reduce((sum, { answered }) => sum + answered, 0)).toBe(60);
    expect(plane.requests).toHaveLength(60);
    expect(Math.min(...told.map(({ answered }) => answered))).toBeGreaterThan(0);
    await plane.close();
  });

  it('hold both when one was told to wait', async () => {
    const { ended, file } = await both();
    const store = await openStore({ database: { file }, clock: systemClock, mode: 'command' });
    plane.faults.push({
      match: /states/,
      times: 1,
      action: { kind: 'answer', status: 429, body: {}, headers: { 'retry-after': '30' } },
    });
    const told = await ended();
    expect(told.map(({ code, wait }) => ({ code, wait }))).toEqual(
      told.map(() => ({ code: 'plane_rate_limited', wait: true })),
    );
    expect(told.reduce((sum, { throttled }) => sum + throttled, 0)).toBe(1);
    // Besides the refused one, at most what was on its way then.
    expect(plane.requests.length).toBeLessThanOrEqual(2);
    expect(await store.requests.heldMs()).toBeGreaterThan(25_000);
    await store.close();
  });
});
