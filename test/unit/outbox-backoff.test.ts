import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { deliverDue } from '../../src/core/engine/deliver.ts';
import { reconcileDue, type ReconcileDeps } from '../../src/core/engine/reconcile.ts';
import { OrchError, type ErrorCode, type NewEffect, type Chat } from '../../src/core/model/index.ts';
import { silentLog } from '../../src/core/platform/log.ts';
import { openStore } from '../../src/core/store/open.ts';
import { drive, type Driver } from '../support/line.ts';
import { itemMirror, task, testClock, type TestClock } from '../store/bench.ts';

/** A port of this host that nobody listens on. */
async function closedPort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

const alert: NewEffect = {
  key: 'alert:1',
  lane: 'chat',
  body: {
    kind: 'chat.message',
    notice: { taskId: null, title: '', body: { event: 'agents_resumed' }, links: {} },
    alert: true,
  },
  report: false,
};

describe('the wait between tries of an effect', () => {
  let folder: string;
  let clock: TestClock;
  let orch: Driver | null = null;
  let chat: Chat | null = null;
  beforeEach(() => {
    folder = mkdtempSync(path.join(tmpdir(), 'orch-backoff-'));
    clock = testClock();
  });
  afterEach(async () => {
    await orch?.close();
    orch = null;
    chat = null;
    rmSync(folder, { recursive: true, force: true });
  });

  /** orch whose chat is at a closed port, with one alert to send. */
  async function start(worker: Record<string, number>): Promise<void> {
    const url = `http://127.0.0.1:${await closedPort()}`;
    const configuration = {
      stateDir: path.join(folder, 'state'),
      plane: { url, workspace: 'acme' },
      gitea: { url },
      telegram: { chatId: '1', apiUrl: url },
      projects: [
        { name: 'shop', planeProject: '00000000-0000-4000-8000-000000000001', prefix: 'ET', repo: 'acme/shop' },
      ],
      worker,
    };
    orch = await drive(folder, configuration, { ORCH_TELEGRAM_BOT_TOKEN: '1:telegram' }, clock);
    await orch.app.store.announce([alert]);
  }

  const deliver = async (): Promise<number> =>
    orch === null ? 0 : deliverDue(chat === null ? orch.app.engine : { ...orch.app.engine, chat });

  /** Tries once now, and proves that the next try is due between the two, milliseconds from now. */
  async function triesAgainWithin(minMs: number, maxMs: number): Promise<void> {
    expect(await deliver()).toBe(1);
    clock.at += minMs - 1;
    expect(await deliver()).toBe(0);
    clock.at += maxMs - minMs + 1;
  }

  it('is what the configuration says', async () => {
    await start({ backoffBaseSeconds: 90, backoffMaxSeconds: 200 });
    await triesAgainWithin(180_000, 198_000);
    await triesAgainWithin(200_000, 220_000);
    await triesAgainWithin(200_000, 220_000);
  });

  it('grows from 10 s to 10 min, a tenth of jitter upwards, when nothing is configured', async () => {
    await start({});
    for (const seconds of [20, 40, 80, 160, 320, 600, 600]) await triesAgainWithin(seconds * 1000, seconds * 1100);
  });

  /** A chat that answers every message with this. */
  const failing = (code: ErrorCode, retryAfterMs?: number): Chat => ({
    send: () => Promise.reject(new OrchError('no', { code, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) })),
  });
  const configured = { backoffBaseSeconds: 30, backoffMaxSeconds: 100 };

  it('is never shorter than what the peer asked for', async () => {
    await start(configured);
    chat = failing('telegram_server_error', 70_000);
    await triesAgainWithin(70_000, 77_000);
    await triesAgainWithin(100_000, 110_000);
  });

  it('ends when a limit does, however often it was met', async () => {
    await start(configured);
    chat = failing('telegram_rate_limited', 7_000);
    for (let n = 0; n < 5; n += 1) await triesAgainWithin(7_000, 7_000);
  });

  it('goes on for a refused token, which somebody can replace', async () => {
    await start(configured);
    chat = failing('telegram_token_refused');
    for (const seconds of [60, 100, 100, 100, 100, 100, 100]) await triesAgainWithin(seconds * 1000, seconds * 1100);
  });

  it('ends a refusal that was heard six times', async () => {
    await start(configured);
    chat = failing('telegram_refused');
    for (const seconds of [60, 100, 100, 100, 100]) await triesAgainWithin(seconds * 1000, seconds * 1100);
    expect(await deliver()).toBe(1);
    expect(await orch?.app.store.effects({ state: 'dead', limit: 9 })).toMatchObject([{ key: 'alert:1', error: 'no' }]);
  });
});

describe('a decision that fails', () => {
  it('is postponed longer each time, as the configuration says, and soon again after a success', async () => {
    const folder = mkdtempSync(path.join(tmpdir(), 'orch-postpone-'));
    const clock = testClock();
    const store = await openStore({ database: { file: path.join(folder, 'orch.db') }, clock, mode: 'command' });
    let broken = true;
    const deps = {
      store,
      policyOf: () => {
        if (broken) throw new Error('a defect');
        return null;
      },
      backoff: { baseMs: 1000, maxMs: 7000 },
      random: () => 0.5,
      failedDecisions: new Map(),
      log: silentLog,
    } as unknown as ReconcileDeps;
    const due = async (): Promise<number> => (await reconcileDue(deps)).tasks;
    await store.addTask(task(), itemMirror());
    for (const wait of [2100, 4200, 7350, 7350]) {
      expect((await reconcileDue(deps)).failed).toMatchObject([{ error: 'a defect' }]);
      clock.at += wait - 1;
      expect(await due()).toBe(0);
      clock.at += 1;
    }
    broken = false;
    expect(await reconcileDue(deps)).toMatchObject({ tasks: 1, failed: [] });
    broken = true;
    await store.post({ taskId: task().id, sourceKey: 'x', body: { kind: 'command', name: 'retry', by: 'op' } });
    expect(await due()).toBe(1);
    clock.at += 2100;
    expect(await due()).toBe(1);
    await store.close();
    rmSync(folder, { recursive: true, force: true });
  });
});
