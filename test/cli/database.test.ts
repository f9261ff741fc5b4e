import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { chmodSync, chownSync, copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { readdirSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import Database from 'better-sqlite3';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { packageRoot } from '../../src/core/platform/files.ts';
import { writeAgentScript } from '../../src/sandbox/agent/script.ts';
import { startWorld, type World } from '../../src/sandbox/world.ts';
import { orch, startOrch } from '../support/orch.ts';
import { until } from '../support/until.ts';

/** What every command must do with a database that it cannot use; those that need no more than the file come first. */
const commands = {
  status: ['status'],
  recover: ['recover'],
  enqueue: ['enqueue', 'analyst', '--repo', 'acme/shop', '--branch', 'feature/x', '--prompt', 'prompt.txt'],
  poller: ['serve-poller', '--once'],
  worker: ['run-worker', '--once'],
};
const all = Object.values(commands);

let base: string;
let world: World;
let folder: string;
let file: string;
let sound: string;

const run = (args: string[], more: { as?: 'nobody' } = {}): Promise<Answer> =>
  more.as === undefined ? orch(args, { cwd: folder, env: world.env }) : asNobody(args);

interface Answer {
  status: number | null;
  stdout: string;
  stderr: string;
}

function asNobody(args: string[]): Promise<Answer> {
  const child = spawn(
    'setpriv',
    ['--reuid', '65534', '--regid', '65534', '--clear-groups', process.execPath, bin, ...args],
    { cwd: folder, env: { PATH: process.env['PATH'], HOME: folder, LANG: 'C.UTF-8', ...world.env } },
  );
  const text = { stdout: '', stderr: '' };
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => (text.stdout += chunk));
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => (text.stderr += chunk));
  return new Promise((resolve) => child.once('close', (status) => resolve({ status, ...text })));
}

const bin = path.join(packageRoot(), 'bin', 'orch.js');

/** Everything but the database: bytes of every file of the state folder. */
function bytes(): Record<string, string> {
  const found: Record<string, string> = {};
  for (const name of readdirSync(path.dirname(file))) {
    const at = path.join(path.dirname(file), name);
    // What readers share says nothing, and neither does a log without a byte or the note of the configuration that was checked.
    if (statSync(at).isFile() && !/-shm$|^config-checked\.json$/.test(name) && statSync(at).size > 0)
      found[name] = readFileSync(at).toString('base64');
  }
  return found;
}

function sqlite<T>(work: (db: Database.Database) => T): T {
  const db = new Database(file);
  try {
    return work(db);
  } finally {
    db.close();
  }
}

/** What is said: the error with the file, what to do, and nothing of the program's inside. */
function expectSaid(answer: Answer, status: number, words: RegExp): void {
  expect({ status: answer.status, stderr: answer.stderr }).toMatchObject({ status });
  expect(answer.stderr).toMatch(words);
  expect(answer.stderr).toContain(file);
  expect(answer.stderr).toMatch(/^hint: \S/m);
  expect(answer.stderr).not.toMatch(/^\s+at |node:internal|better-sqlite3|SQLITE_/m);
  expect(answer.stdout).toBe('');
}

beforeAll(async () => {
  base = mkdtempSync(path.join(tmpdir(), 'orch-database-'));
  chmodSync(base, 0o755);
  const agentScript = writeAgentScript(path.join(base, 'script'), { roles: {} });
  world = await startWorld({ root: base, lagMs: 5, workerDelayMs: 5, agentScript });
  folder = path.join(base, 'first');
  prepare();
  expect(await run(commands.poller)).toMatchObject({ status: 0 });
  sqlite((db) => db.pragma('wal_checkpoint(TRUNCATE)'));
  sound = path.join(base, 'sound.db');
  copyFileSync(file, sound);
});
afterAll(async () => {
  await world.close();
  rmSync(base, { recursive: true, force: true, maxRetries: 5 });
});

let n = 0;
beforeEach(() => {
  folder = path.join(base, `case-${(n += 1)}`);
  prepare();
});

function prepare(): void {
  const stateDir = path.join(folder, 'state');
  mkdirSync(folder, { recursive: true });
  writeFileSync(path.join(folder, 'orchestrator.config.json'), JSON.stringify({ ...world.config, stateDir }));
  writeFileSync(path.join(folder, 'prompt.txt'), 'Look at the README.\n');
  file = path.join(stateDir, 'orch.db');
}

/** A database as a first tick leaves it. */
function place(): void {
  mkdirSync(path.dirname(file), { mode: 0o700 });
  copyFileSync(sound, file);
  chmodSync(file, 0o600);
}

describe('a database that is not there', () => {
  it('is made by what writes, and said by what reads', async () => {
    expectSaid(await run(commands.status), 6, /There is no database at /);
    expect(existsSync(path.dirname(file))).toBe(false);
    expect(await run(commands.poller)).toMatchObject({ status: 0, stderr: '' });
    expect(await run(commands.status)).toMatchObject({ status: 0, stderr: '' });
    rmSync(path.dirname(file), { recursive: true });
    for (const args of [commands.worker, commands.recover, commands.enqueue]) {
      expect(await run(args)).toMatchObject({ status: 0 });
      expect(statSync(file).mode & 0o777).toBe(0o600);
      rmSync(path.dirname(file), { recursive: true });
    }
  });
});

describe('a database that cannot be used', () => {
  const broken: { name: string; make: () => void; status: number; words: RegExp }[] = [
    {
      name: 'no database at all',
      make: () => writeFileSync(file, Buffer.alloc(20_000, 'not a database ')),
      status: 1,
      words: /is damaged or is no SQLite database/,
    },
    {
      name: 'its header destroyed',
      make: () => writeFileSync(file, Buffer.concat([Buffer.alloc(100, 0xff), readFileSync(file).subarray(100)])),
      status: 1,
      words: /is damaged or is no SQLite database/,
    },
    {
      name: 'random bytes in the middle',
      make: () => {
        const whole = readFileSync(file);
        for (let at = 8192; at < whole.length - 4096; at += 1) whole[at] = (at * 2654435761) % 251;
        writeFileSync(file, whole);
      },
      status: 1,
      words: /is damaged or is no SQLite database/,
    },
    {
      name: 'cut off',
      make: () => truncateSync(file, 20_000),
      status: 1,
      words: /is damaged or is no SQLite database/,
    },
    {
      name: "another program's",
      make: () => {
        rmSync(file);
        sqlite((db) => db.exec('CREATE TABLE notes (text TEXT)'));
      },
      status: 6,
      words: /belongs to another program/,
    },
    {
      name: 'migrated by a newer orch',
      make: () => sqlite((db) => db.exec(`UPDATE meta SET value = '999' WHERE key = 'schema'`)),
      status: 6,
      words: /has schema 999; this orch knows up to \d+/,
    },
  ];

  for (const { name, make, status, words } of broken) {
    it(`${name}: every command says so, ends with ${status} and leaves it alone`, async () => {
      place();
      make();
      const before = bytes();
      for (const args of all) expectSaid(await run(args), status, words);
      expect(bytes()).toEqual(before);
      const json = await run(['status', '--json']);
      expect(JSON.parse(json.stdout === '' ? json.stderr : json.stdout)).toMatchObject({
        error: { hint: expect.any(String) as string },
      });
    });
  }

  it('broken pages of one table: what needs the table fails whole and says so', async () => {
    place();
    const { pages, size } = sqlite((db) => ({
      pages: db.prepare(`SELECT rootpage FROM sqlite_master WHERE tbl_name = 'tasks' AND rootpage > 0`).pluck().all(),
      size: db.pragma('page_size', { simple: true }) as number,
    }));
    const whole = readFileSync(file);
    // With its indexes: what is answered by them alone does not need the table.
    for (const page of pages as number[]) whole.fill(0xff, (page - 1) * size, page * size);
    writeFileSync(file, whole);
    for (const args of [commands.status, commands.recover, commands.poller, commands.worker])
      expectSaid(await run(args), 1, /is damaged or is no SQLite database/);
  });

  it('a log that was cut off loses the last commit and nothing else', async () => {
    place();
    const child = spawn(process.execPath, ['-e', unfinished, file], { cwd: packageRoot() });
    await new Promise((resolve) => child.once('close', resolve));
    const log = `${file}-wal`;
    truncateSync(log, statSync(log).size - 100);
    for (const args of all) expect(await run(args)).toMatchObject({ status: 0 });
    expect(sqlite((db) => db.pragma('integrity_check', { simple: true }))).toBe('ok');
    expect(sqlite((db) => db.prepare(`SELECT key FROM meta WHERE key LIKE 'kept%'`).all())).toEqual([{ key: 'kept1' }]);
  });
});

/** Two commits in the log, then the end without a checkpoint. */
const unfinished = `
const Database = require('better-sqlite3');
const db = new Database(process.argv[1]);
db.pragma('wal_autocheckpoint = 0');
db.exec("INSERT INTO meta VALUES ('kept1', '')");
db.exec("INSERT INTO meta VALUES ('kept2', '')");
process.kill(process.pid, 'SIGKILL');`;

describe.skipIf(process.getuid?.() !== 0)('a folder that cannot be written', () => {
  it('is said to everybody, with whose it should be', async () => {
    place();
    chmodSync(folder, 0o755);
    chmodSync(path.dirname(file), 0o755);
    chmodSync(file, 0o644);
    for (const args of all) expectSaid(await run(args, { as: 'nobody' }), 6, /cannot be (opened for writing|written)/);
    chownSync(path.dirname(file), 65534, 65534);
    chownSync(file, 65534, 65534);
    expect(await run(commands.status, { as: 'nobody' })).toMatchObject({ status: 0 });
  });
});

describe('a database that another process has locked', () => {
  let holder: ChildProcess | null = null;
  afterEach(() => {
    holder?.kill('SIGKILL');
    holder = null;
  });

  /** Resolves when the lock is held; ended by `free`. */
  async function lock(): Promise<void> {
    const child = spawn(process.execPath, ['-e', held, file], {
      cwd: packageRoot(),
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    holder = child;
    await new Promise((resolve) => child.stdout.once('data', resolve));
  }
  async function free(): Promise<void> {
    const ended = new Promise((resolve) => holder?.once('close', resolve));
    holder?.stdin?.end();
    await ended;
  }

  it('reading goes on; writing says to try again', { timeout: 120_000 }, async () => {
    place();
    await lock();
    expect(await run(commands.status)).toMatchObject({ status: 0 });
    // Nothing is broken, so `recover` only reads.
    expect(await run(commands.recover)).toMatchObject({ status: 0 });
    const writing = [commands.enqueue, commands.poller, commands.worker];
    for (const answer of await Promise.all(writing.map((args) => run(args))))
      expectSaid(answer, 75, /is locked by another process/);
    await free();
    for (const args of writing) expect(await run(args)).toMatchObject({ status: 0 });
  });

  it('services wait for ten seconds and go on', { timeout: 120_000 }, async () => {
    place();
    const poller = startOrch(['serve-poller', '--schedule', '* * * * * *'], { cwd: folder, env: world.env });
    const worker = startOrch(['run-worker'], { cwd: folder, env: world.env });
    await untilStored((db) => db.prepare(`SELECT 1 FROM leases WHERE name = 'poller'`).get() !== undefined);
    await lock();
    const from = Date.now();
    await new Promise((resolve) => setTimeout(resolve, 10_000));
    await free();
    const since = (db: Database.Database): boolean =>
      db.prepare(`SELECT 1 FROM leases WHERE name = 'poller' AND expires_at > ?`).get(from + 10_000 + 120_000) !==
      undefined;
    await untilStored(since);
    expect((await run(commands.enqueue)).status).toBe(0);
    await untilStored((db) => db.prepare(`SELECT 1 FROM jobs WHERE state = 'done'`).get() !== undefined);
    for (const service of [poller, worker]) service.child.kill('SIGTERM');
    expect(await Promise.all([poller.ended, worker.ended])).toMatchObject([{ status: 0 }, { status: 0 }]);
    expect(sqlite((db) => db.pragma('integrity_check', { simple: true }))).toBe('ok');
  });

  it(
    'services end when a newer orch has migrated the database, to be started again',
    { timeout: 120_000 },
    async () => {
      place();
      const from = Date.now();
      const services = [['serve-poller', '--schedule', '* * * * * *'], ['run-worker']].map((args) =>
        startOrch(args, { cwd: folder, env: world.env }),
      );
      await untilStored(
        (db) =>
          db.prepare(`SELECT 1 FROM leases WHERE name = 'poller' AND expires_at > ?`).get(from + 120_000) !==
            undefined && db.prepare(`SELECT 1 FROM processes WHERE kind = 'worker'`).get() !== undefined,
      );
      sqlite((db) => db.exec(`UPDATE meta SET value = '999' WHERE key = 'schema'`));
      for (const { ended } of services) {
        const { status, stderr } = await ended;
        expect({ status, stderr }).toMatchObject({ status: 75 });
        expect(stderr).toContain('has schema 999');
      }
    },
  );
});

/** Holds the write lock until its input ends. */
const held = `
const Database = require('better-sqlite3');
const db = new Database(process.argv[1]);
db.exec('BEGIN IMMEDIATE');
process.stdout.write('held');
process.stdin.resume().on('end', () => process.exit(0));`;

async function untilStored(test: (db: Database.Database) => boolean): Promise<void> {
  const ask = (): boolean => {
    const db = new Database(file, { readonly: true, timeout: 5000 });
    try {
      return test(db);
    } finally {
      db.close();
    }
  };
  await until('a row in the database', ask, 60_000, 100);
}

describe.skipIf(!mayMount())('a disk that is full', () => {
  let mounted: string | null = null;
  afterEach(() => {
    if (mounted !== null) execFileSync('umount', ['-l', mounted]);
    mounted = null;
  });

  it('every command says so and leaves nothing half; with space it goes on', { timeout: 120_000 }, async () => {
    mounted = path.dirname(file);
    mkdirSync(mounted);
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=3m,mode=700', 'tmpfs', mounted]);
    expect(await run(commands.poller)).toMatchObject({ status: 0 });
    const filler = path.join(mounted, 'filler');
    for (const room of [0, 40 * 1024]) {
      fill(filler, room);
      for (const args of room === 0 ? all : [commands.enqueue]) {
        const answer = await run(args);
        if (answer.status !== 0) expectFull(answer);
        if (room === 0) expect(answer.status).toBe(75);
      }
      rmSync(filler);
      expect(sqlite((db) => db.pragma('integrity_check', { simple: true }))).toBe('ok');
    }
    expect(await run(commands.enqueue)).toMatchObject({ status: 0 });
    for (const args of [commands.worker, commands.poller, commands.recover, commands.status])
      expect(await run(args)).toMatchObject({ status: 0 });
    expect(sqlite((db) => db.prepare(`SELECT count(*) AS n FROM jobs WHERE state = 'done'`).get())).toEqual({ n: 1 });
  });
});

function expectFull(answer: Answer): void {
  expect({ status: answer.status, stderr: answer.stderr }).toMatchObject({ status: 75 });
  expect(answer.stderr).toMatch(/[nN]o space left (to write the database|on the disk)/);
  expect(answer.stderr).toMatch(/^hint: Free disk space/m);
}

/** Writes until only `room` bytes are left. */
function fill(filler: string, room: number): void {
  execFileSync('sh', ['-c', 'dd if=/dev/zero of="$1" bs=1k 2>/dev/null; true', 'sh', filler]);
  const { size } = statSync(filler);
  truncateSync(filler, Math.max(0, size - room));
}

/** Only root may; a container may forbid it even then. */
function mayMount(): boolean {
  if (process.getuid?.() !== 0) return false;
  const place = mkdtempSync(path.join(tmpdir(), 'orch-mount-'));
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', place], { stdio: 'ignore' });
    execFileSync('umount', [place]);
    return true;
  } catch {
    return false;
  } finally {
    rmSync(place, { recursive: true, force: true });
  }
}
