import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { patiently } from '../../src/core/store/sqlite/connection.ts';
import { databaseError } from '../../src/core/store/sqlite/errors.ts';
import { openStore } from '../../src/core/store/open.ts';
import { applicationId } from '../../src/core/store/sqlite/open.ts';
import { adhoc, claimOn, itemMirror, lead, observation, task, taskId, testClock } from './bench.ts';

let folder: string;
let file: string;
const open = async (over: { readonly?: boolean; file?: string } = {}) =>
  openStore({ database: { file }, clock: testClock(), mode: 'command', ...over });

beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'orch-open-'));
  file = path.join(folder, 'state', 'orch.db');
});
afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

function foreign(sql: string): Buffer {
  mkdirSync(path.dirname(file));
  const db = new Database(file);
  db.exec(sql);
  db.close();
  return readFileSync(file);
}

describe('openStore', () => {
  it('makes a private folder and file, marked as orch’s, in WAL', async () => {
    const store = await open();
    await store.enqueue(adhoc(1));
    expect(statSync(path.dirname(file)).mode & 0o777).toBe(0o700);
    for (const name of readdirSync(path.dirname(file))) {
      expect([name, statSync(path.join(path.dirname(file), name)).mode & 0o777]).toEqual([name, 0o600]);
    }
    const db = new Database(file, { readonly: true });
    expect(db.pragma('application_id', { simple: true })).toBe(applicationId);
    expect(db.pragma('journal_mode', { simple: true })).toBe('wal');
    expect(db.pragma('integrity_check', { simple: true })).toBe('ok');
    db.close();
    await store.close();
  });

  it('opens again what it wrote, and an empty file as a new database', async () => {
    mkdirSync(path.dirname(file));
    writeFileSync(file, '');
    const first = await open();
    await first.addTask(task(), itemMirror());
    await first.close();
    const second = await open();
    expect(await second.tasks({})).toHaveLength(1);
    await second.close();
  });

  it('is opened by several at once', async () => {
    const stores = await Promise.all(Array.from({ length: 6 }, () => open()));
    await Promise.all(stores.map((store, n) => store.enqueue(adhoc(n))));
    expect(await stores[0]?.recentJobs(10)).toHaveLength(6);
    await Promise.all(stores.map((store) => store.close()));
  });

  it.each([
    ['tables of another program', 'CREATE TABLE jobs (id)'],
    ['tables of another program, in WAL', 'PRAGMA journal_mode = WAL; CREATE TABLE jobs (id)'],
    ['the mark of another program', 'PRAGMA application_id = 7'],
  ])('refuses a database with %s, untouched', async (_what, sql) => {
    const before = foreign(sql);
    await expect(open()).rejects.toMatchObject({ code: 'database_foreign', exit: 'notConfigured' });
    expect(readFileSync(file).equals(before)).toBe(true);
  });

  it('refuses a newer schema, at start and in a process that was left running', async () => {
    const running = await open();
    const db = new Database(file);
    db.exec(`UPDATE meta SET value = '999' WHERE key = 'schema'`);
    db.close();
    await expect(open()).rejects.toMatchObject({ code: 'database_newer', exit: 'notConfigured' });
    await expect(running.enqueue(adhoc(1))).rejects.toMatchObject({ code: 'database_newer' });
    expect(await running.recentJobs(5)).toEqual([]);
    await running.close();
  });

  it('says that a file is damaged or no database', async () => {
    mkdirSync(path.dirname(file));
    writeFileSync(file, 'this is a text file, not a database '.repeat(40));
    await expect(open()).rejects.toMatchObject({ code: 'database_corrupt' });
  });

  it('says that a database was cut short', async () => {
    const store = await open();
    for (let n = 0; n < 50; n += 1) await store.enqueue(adhoc(n));
    await store.close();
    truncateSync(file, 8192);
    const read = async () => {
      const damaged = await open();
      await damaged.recentJobs(100).finally(() => damaged.close());
    };
    await expect(read()).rejects.toMatchObject({ code: 'database_corrupt' });
  });

  it('says that a place cannot be written', async () => {
    writeFileSync(path.join(folder, 'state'), 'a file where the folder should be');
    await expect(open()).rejects.toMatchObject({ code: 'database_unwritable', exit: 'notConfigured' });
    mkdirSync(path.join(folder, 'dir.db'));
    await expect(open({ file: path.join(folder, 'dir.db') })).rejects.toMatchObject({ code: 'database_unwritable' });
  });

  it.skipIf(process.getuid?.() === 0)('says that a folder is read-only', async () => {
    chmodSync(folder, 0o500);
    await expect(open()).rejects.toMatchObject({ code: 'database_unwritable' });
    chmodSync(folder, 0o700);
  });

  it('says that the disk is full, with nothing half written', async () => {
    await (await open()).close();
    const db = new Database(file);
    db.pragma(`max_page_count = ${db.pragma('page_count', { simple: true }) as number}`);
    const fill = () => db.prepare(`INSERT INTO meta (key, value) VALUES ('big', ?)`).run('x'.repeat(1_000_000));
    let thrown: unknown;
    try {
      fill();
    } catch (error) {
      thrown = databaseError(error, file);
    }
    expect(thrown).toMatchObject({ code: 'database_full', exit: 'tryAgain', retry: 'later' });
    expect(db.prepare('SELECT count(*) AS n FROM meta').get()).toEqual({ n: 1 });
    db.close();
  });
});

describe('read-only', () => {
  it('needs a database, reads it, and cannot write', async () => {
    await expect(open({ readonly: true })).rejects.toMatchObject({ code: 'database_missing', exit: 'notConfigured' });
    expect(existsSync(path.dirname(file))).toBe(false);
    const writer = await open();
    await writer.enqueue(adhoc(1));
    const reader = await open({ readonly: true });
    expect(await reader.recentJobs(5)).toHaveLength(1);
    await expect(reader.enqueue(adhoc(2))).rejects.toMatchObject({ code: 'database_unwritable' });
    await reader.close();
    await writer.close();
  });

  it('asks for a service to bring an old schema up to date', async () => {
    mkdirSync(path.dirname(file));
    writeFileSync(file, '');
    await expect(open({ readonly: true })).rejects.toMatchObject({ code: 'database_older' });
  });
});

describe('a lock', () => {
  it('is waited for without blocking the event loop', async () => {
    const store = await open();
    const other = new Database(file);
    other.exec('BEGIN IMMEDIATE');
    let longest = 0;
    let last = performance.now();
    let ticks = 0;
    const timer = setInterval(() => {
      const now = performance.now();
      longest = Math.max(longest, now - last);
      last = now;
      ticks += 1;
      if (ticks === 30) other.exec('COMMIT');
    }, 5);
    expect((await store.enqueue(adhoc(1))).created).toBe(true);
    clearInterval(timer);
    expect(ticks).toBeGreaterThanOrEqual(30);
    // 25 ms inside SQLite, and what two busy cores add; a synchronous wait would show the whole time in one piece.
    expect(longest).toBeLessThan(150);
    other.close();
    await store.close();
  });

  it('does not concern what has nothing to write: idle polls, claims and deliveries', async () => {
    const store = await open();
    await store.addTask(task(), itemMirror());
    const leader = await lead(store);
    const other = new Database(file);
    other.exec('BEGIN IMMEDIATE');
    expect(await store.observe(observation(leader, { mirrors: [{ taskId, mirror: itemMirror() }] }))).toEqual({
      woken: [],
    });
    expect(await claimOn(store)).toBeNull();
    expect(await store.claimEffect('w', 1000)).toBeNull();
    other.close();
    await store.close();
  });

  it('that does not end is an error that says to try again', async () => {
    const store = await open();
    const other = new Database(file);
    other.exec('BEGIN IMMEDIATE');
    // Readers do not mind.
    expect(await store.recentJobs(5)).toEqual([]);
    const third = new Database(file, { timeout: 5 });
    const began = performance.now();
    await expect(patiently(file, 100, () => third.exec('BEGIN IMMEDIATE'))).rejects.toMatchObject({
      code: 'database_busy',
      exit: 'tryAgain',
      retry: 'later',
    });
    expect(performance.now() - began).toBeGreaterThanOrEqual(100);
    other.exec('COMMIT');
    await patiently(file, 100, () => third.exec('BEGIN IMMEDIATE'));
    third.close();
    other.close();
    await store.close();
  });
});
