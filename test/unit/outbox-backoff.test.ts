import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { deliverDue } from '../../src/core/engine/deliver.ts';
import type { NewEffect } from '../../src/core/model/index.ts';
import { drive, type Driver } from '../support/line.ts';
import { testClock, type TestClock } from '../store/bench.ts';

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
  lane: 'telegram',
  body: {
    kind: 'telegram.message',
    notice: { taskId: null, title: '', body: { event: 'agent_gate_opened' }, links: {} },
    alert: true,
  },
  report: false,
};

describe('the wait between tries of an effect', () => {
  let folder: string;
  let clock: TestClock;
  let orch: Driver | null = null;
  beforeEach(() => {
    folder = mkdtempSync(path.join(tmpdir(), 'orch-backoff-'));
    clock = testClock();
  });
  afterEach(async () => {
    await orch?.close();
    orch = null;
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

  const deliver = async (): Promise<number> => (orch === null ? 0 : deliverDue(orch.app.engine));

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
});
