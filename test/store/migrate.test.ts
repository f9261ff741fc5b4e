import { execFile, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { migrate, migrations, schemaOf } from '../../src/core/store/sqlite/migrate.ts';
import { openStore } from '../../src/core/store/open.ts';
import { builtPart } from '../support/build.ts';
import { claimOn, comment, commitNow, itemMirror, message, newJob, task, testClock, visit } from './bench.ts';

const root = path.resolve(import.meta.dirname, '../..');

let folder: string;
let file: string;
let db: Database.Database;
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'orch-migrate-'));
  file = path.join(folder, 'orch.db');
  db = new Database(file, { timeout: 25 });
});
afterEach(() => {
  db.close();
  rmSync(folder, { recursive: true, force: true });
});

const all = migrations();
const next = all.length + 1;
const step = (sql: string, number = next) => ({ number, sql });
const run = (steps = all) => migrate(db, file, 5000, steps);

/** Everything the schema says, spaces, quotes and comments aside. */
function schema(of = db): string[] {
  const rows = of.prepare('SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY type, name').all();
  return (rows as { sql: string }[]).map(({ sql }) =>
    sql.replaceAll(/--.*/g, '').replaceAll('"', '').replaceAll(/\s+/g, ' '),
  );
}

const names = (type: string) =>
  db.prepare(`SELECT name FROM sqlite_schema WHERE type = ? AND sql IS NOT NULL ORDER BY name`).pluck().all(type);

/** A task with rows in every table that points at it. */
async function fill(): Promise<void> {
  const store = await openStore({ database: { file }, clock: testClock(), mode: 'command' });
  await store.addTask(task(), itemMirror());
  await commitNow(store, { jobs: [newJob()], effects: [comment('c1')], visit: visit(1), task: task({ visit: 1 }) });
  await store.post(message('m1'));
  await claimOn(store);
  await store.close();
}

const tables = ['tasks', 'visits', 'mirrors', 'messages', 'jobs', 'runs', 'decisions', 'outbox'];
const rows = () => Object.fromEntries(tables.map((name) => [name, db.prepare(`SELECT * FROM ${name}`).all()]));

/** Adds a column with a CHECK to `tasks`, the way a later version would. */
function rebuild(): string {
  const columns = (db.pragma('table_info(tasks)') as { name: string }[]).map(({ name }) => name).join(', ');
  const { sql } = db.prepare(`SELECT sql FROM sqlite_schema WHERE name = 'tasks'`).get() as { sql: string };
  const made = sql.replace(/"?tasks"?/, 'tasks_new').replace(/\) STRICT$/, `, more TEXT CHECK (more <> 'no')) STRICT`);
  const indexes = db.prepare(`SELECT sql FROM sqlite_schema WHERE tbl_name = 'tasks' AND type = 'index' AND sql <> ''`);
  return [
    made,
    `INSERT INTO tasks_new (${columns}) SELECT ${columns} FROM tasks`,
    'DROP TABLE tasks',
    'ALTER TABLE tasks_new RENAME TO tasks',
    ...indexes.pluck().all(),
  ].join(';\n');
}

describe('migrate', () => {
  it('runs each step once, in order, and stops whole at a broken one', async () => {
    expect(all.map(({ number }) => number)).toEqual(all.map((_, i) => i + 1));
    await run();
    const broken = step('CREATE TABLE extra (a); INSERT INTO nowhere VALUES (1);');
    await expect(run([...all, broken])).rejects.toThrow(/nowhere/);
    expect(names('table')).not.toContain('extra');
    const good = step('CREATE TABLE extra (a);');
    // Twice: a second run of CREATE TABLE would fail.
    for (let i = 0; i < 2; i += 1) await run([...all, good]);
    expect(schemaOf(db)).toBe(next);
    await expect(run()).rejects.toMatchObject({ code: 'database_newer' });
  });

  it('rebuilds a table that others point at', async () => {
    await fill();
    const before = rows();
    await run([...all, step(rebuild())]);
    expect(rows()).toEqual({ ...before, tasks: before['tasks']?.map((row) => ({ ...(row as object), more: null })) });
    expect(db.pragma('integrity_check', { simple: true })).toBe('ok');
    // The references point at the new table, and are enforced again.
    expect(() => db.prepare(`UPDATE visits SET task_id = 'ET-404'`).run()).toThrow(/FOREIGN KEY/);
    expect(() => db.prepare('DELETE FROM tasks').run()).toThrow(/FOREIGN KEY/);
    expect(() => db.prepare(`UPDATE tasks SET more = 'no'`).run()).toThrow(/CHECK/);
  });

  it('refuses a step that leaves a row pointing at nothing, says which, and changes nothing', async () => {
    await fill();
    const before = { rows: rows(), schema: schema() };
    await expect(run([...all, step(`${rebuild()}; DELETE FROM tasks;`)])).rejects.toMatchObject({
      code: 'database_references',
      message: expect.stringMatching(/would leave \d+ rows .*visits → tasks/) as string,
    });
    expect({ rows: rows(), schema: schema() }).toEqual(before);
    expect(schemaOf(db)).toBe(all.length);
    expect(db.pragma('foreign_keys', { simple: true })).toBe(1);
  });

  it('leaves the old schema and all rows when it is killed half-way', async () => {
    await fill();
    const before = { rows: rows(), schema: schema() };
    const killed = spawnSync(
      process.execPath,
      program(`
        // Small, so that pages of the transaction have reached the log when the process dies.
        db.pragma('cache_size = 5');
        db.function('die', () => process.kill(process.pid, 'SIGKILL'));
        await migrate(db, file, 5000, [...migrations(), { number: ${next}, sql: ${JSON.stringify(rebuild())} + '; SELECT die()' }]);
      `),
      { encoding: 'utf8' },
    );
    expect(killed).toMatchObject({ signal: 'SIGKILL', stderr: '' });
    db.close();
    db = new Database(file, { timeout: 25 });
    expect(db.pragma('integrity_check', { simple: true })).toBe('ok');
    expect({ rows: rows(), schema: schema() }).toEqual(before);
    await run([...all, step(rebuild())]);
    expect(schemaOf(db)).toBe(next);
  });

  it('is done once by several processes that start together', async () => {
    await run([...all.slice(0, 1)]);
    db.exec('CREATE TABLE times (n)');
    const code = program(`
      const steps = migrations().map(({ number, sql }) => ({ number, sql: sql + '; INSERT INTO times VALUES (' + number + ')' }));
      await migrate(db, file, 20000, steps);
      console.log(schemaOf(db));
    `);
    const done = await Promise.all(Array.from({ length: 3 }, () => promisify(execFile)(process.execPath, code)));
    expect(done.map(({ stdout }) => stdout.trim())).toEqual(done.map(() => String(all.length)));
    expect(db.prepare('SELECT n FROM times').pluck().all()).toEqual(all.slice(1).map(({ number }) => number));
  });
});

/** Arguments for a node that has this database open as `db`. */
function program(body: string): string[] {
  const main = path.join(folder, 'main.mjs');
  writeFileSync(
    main,
    `const { default: Database } = await import('${path.join(root, 'node_modules/better-sqlite3/lib/index.js')}');
    const { migrate, migrations, schemaOf } = await import('${builtPart('src/core/store/sqlite/migrate.ts')}');
    const file = '${file}';
    const db = new Database(file, { timeout: 25 });
    ${body}`,
  );
  return [main];
}

describe('the word lists of 0002', () => {
  it('are gone from the schema; columns, indexes and invariants stay', async () => {
    await run(all.slice(0, 1));
    const before = { schema: schema(), indexes: names('index'), tables: names('table') };
    await run(all.slice(0, 2));
    expect({ indexes: names('index'), tables: names('table') }).toEqual({
      indexes: before.indexes,
      tables: before.tables,
    });
    const lists = [
      / CHECK \(stage IN [^)]*\)\)/,
      / CHECK \(kind IN \('(item|agent|poller)[^)]*\)\)/,
      / CHECK \(reason IN [^)]*\)\)/,
    ];
    const without = (sql: string) => lists.reduce((text, list) => text.replace(list, ''), sql);
    expect(schema()).toEqual(before.schema.map(without));
    expect(schema()).not.toEqual(before.schema);
  });

  it('leave a database from before 0.1.0 with the schema of a new one', async () => {
    await run(all.slice(0, 1));
    db.exec(`CREATE INDEX jobs_running ON jobs (id) WHERE state = 'running';
      CREATE INDEX runs_slots ON runs (host) WHERE phase IN ('preparing', 'running');
      CREATE INDEX runs_task ON runs (task_id, id);`);
    await run();
    const fresh = new Database(':memory:');
    await migrate(fresh, ':memory:', 1000, all);
    expect(schema()).toEqual(schema(fresh));
    fresh.close();
  });
});

describe('the circuit breaker of 0004', () => {
  it.each([
    ['open', 'closed', null],
    ['closed', 'open', 'usage_limit'],
    ['probing', 'half_open', 'transient'],
  ])('%s of the agent gate is %s of the breaker; all else stays', async (before, after, reason) => {
    await run(all.slice(0, 3));
    const rest = { detail: 'd', failures: 3, until: 77, probe: '5', version: 4 };
    const set = db.prepare(
      `UPDATE agent_gate SET state = @state, reason = @reason, detail = @detail, failures = @failures, until = @until,
         probe = @probe, version = @version`,
    );
    set.run({ state: before, reason, ...rest });
    await run();
    expect(db.prepare('SELECT * FROM agent_breaker').all()).toEqual([{ id: 1, state: after, reason, ...rest }]);
  });

  it('notices that wait for their delivery get their new names', async () => {
    await run(all.slice(0, 3));
    const add = db.prepare(`INSERT INTO outbox (key, lane, kind, body, report, state, available_at, created_at)
      VALUES (@key, 'telegram', 'telegram.message', @body, 0, 'pending', 0, 0)`);
    for (const event of ['agent_gate_closed', 'agent_gate_opened', 'recovered'])
      add.run({ key: event, body: JSON.stringify({ notice: { body: { event, lines: ['x'] } } }) });
    await run();
    const bodies = db.prepare('SELECT body FROM outbox ORDER BY id').pluck().all() as string[];
    expect(
      bodies.map((body) => (JSON.parse(body) as { notice: { body: { event: string } } }).notice.body.event),
    ).toEqual(['agents_paused', 'agents_resumed', 'recovered']);
  });
});
