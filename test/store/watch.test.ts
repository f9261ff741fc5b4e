import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openStore } from '../../src/core/store/open.ts';
import { watchDatabase } from '../../src/core/store/sqlite/watch.ts';
import { adhoc, testClock } from './bench.ts';
import { until } from '../support/until.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'orch-watch-'));
});
afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

describe('watchDatabase', () => {
  it('calls on every write, also after the -wal file was made again', async () => {
    const file = path.join(folder, 'orch.db');
    let calls = 0;
    const open = () => openStore({ database: { file }, clock: testClock(), mode: 'command' });
    await (await open()).close();
    const watcher = watchDatabase(file, () => (calls += 1));
    for (let n = 0; n < 3; n += 1) {
      const store = await open();
      const before = calls;
      await store.enqueue(adhoc(n));
      await until('a call', () => calls > before, 5000, 5);
      // The last connection removes the -wal file.
      await store.close();
    }
    watcher.close();
  });

  it('is silent where nothing can be watched', () => {
    expect(() => watchDatabase(path.join(folder, 'missing', 'orch.db'), () => {}).close()).not.toThrow();
  });
});
