import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import Database from 'better-sqlite3';
import type { Store } from '../../src/core/model/index.ts';
import { openStore } from '../../src/core/store/open.ts';
import type { Bench } from './bench.ts';
import { testClock } from './bench.ts';
import { storeConformance } from './conformance.ts';

async function sqliteBench(): Promise<Bench> {
  const folder = mkdtempSync(path.join(tmpdir(), 'orch-store-'));
  const file = path.join(folder, 'orch.db');
  const clock = testClock();
  const opened: Store[] = [];
  const connect = async (): Promise<Store> => {
    const store = await openStore({ database: { file }, clock, mode: 'service' });
    opened.push(store);
    return store;
  };
  const store = await connect();
  const observer = new Database(file, { readonly: true });
  return {
    clock,
    store,
    connect,
    // Changes when another connection has committed a write (sqlite.org/pragma.html#pragma_data_version).
    writes: () => observer.pragma('data_version', { simple: true }) as number,
    close: async () => {
      observer.close();
      await Promise.all(opened.map((each) => each.close()));
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

storeConformance('sqlite', sqliteBench);
