import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { writeAgentScript } from '../../src/sandbox/agent/script.ts';
import { startWorld, type World } from '../../src/sandbox/world.ts';
import { orchHost, tasksIn, type OrchHost } from '../support/crash.ts';
import { orch } from '../support/orch.ts';
import { treesOf } from '../support/processes.ts';
import { until } from '../support/until.ts';
import { violations } from '../support/violations.ts';

let root: string;
let world: World;
let host: OrchHost;
beforeEach(async () => {
  root = mkdtempSync(path.join(tmpdir(), 'orch-recover-'));
  const script = { roles: { analyst: [{ waitFor: path.join(root, 'go') }] } };
  const agentScript = writeAgentScript(path.join(root, 'agent'), script);
  world = await startWorld({ root, lagMs: 5, workerDelayMs: 5, agentScript });
  host = orchHost(world, root);
});
afterEach(async () => {
  await world.close();
  rmSync(root, { recursive: true, force: true, maxRetries: 5 });
});

interface Report {
  found: string[];
  fixed: string[];
  left: string[];
  needs_person: string[];
}

async function recover(...flags: string[]): Promise<Report> {
  const { status, stdout, stderr } = await orch(['--config', host.file, 'recover', '--json', ...flags], {
    cwd: root,
    env: world.env,
  });
  expect({ status, stderr }).toMatchObject({ status: 0 });
  return JSON.parse(stdout) as Report;
}

/** Every file of the state folder and every row of the database; what SQLite keeps only while it is open is left out. */
function everything(): Record<string, string> {
  const state = path.join(root, 'state');
  const found: Record<string, string> = {};
  const hash = (content: string | Buffer): string => createHash('sha256').update(content).digest('hex');
  for (const entry of readdirSync(state, { recursive: true, withFileTypes: true })) {
    const file = path.join(entry.parentPath, entry.name);
    // What every command may write: SQLite's own files, and which configuration was checked last.
    if (/(orch\.db(-wal|-shm)?|config-checked\.json)$/.test(file)) continue;
    found[path.relative(state, file)] = entry.isFile() ? hash(readFileSync(file)) : 'not a file';
  }
  const db = new Database(host.database, { readonly: true });
  const tables = db.prepare("SELECT name FROM sqlite_master WHERE type = 'table'").pluck().all() as string[];
  for (const table of tables) found[`table ${table}`] = JSON.stringify(db.prepare(`SELECT * FROM "${table}"`).all());
  db.close();
  return found;
}

async function killAt(args: string[], at: string): Promise<void> {
  expect((await host.run(args, { ORCH_CRASH_AT: at })).signal).toBe('SIGKILL');
}

function old(file: string): void {
  mkdirSync(path.dirname(file), { recursive: true });
  writeFileSync(file, 'left over');
  const before = new Date(Date.now() - 2 * 3_600_000);
  utimesSync(file, before, before);
}

it('repairs what was broken by kills and by hand: says so first, does it once, and then has nothing to do', async () => {
  await host.run(['serve-poller', '--once']);
  const item = world.plane.addItem(world.project, world.people.lead, {
    name: 'A discount for regular customers',
    description_html: '<p>Regular customers get ten percent off.</p>',
  });
  // A comment that was sent and not recorded, and the lead of a poller that is dead.
  await killAt(['serve-poller', '--once'], 'effect.sent:tracker.comment');
  await recover();
  await host.run(['serve-poller', '--once']);
  // A run whose worker was killed, and the poller too; its agent has ended since.
  const worker = host.start(['run-worker']);
  await until('the agent', () => existsSync(path.join(root, 'state', 'runs', '1', 'agent')));
  await killAt(['serve-poller', '--once'], 'observe.after');
  worker.kill('SIGKILL');
  await worker.ended;
  writeFileSync(path.join(root, 'go'), '');
  await until('the end of the agent', () => treesOf(path.join(root, 'state', 'runs')).length === 0);
  // What people and disks do.
  const state = path.join(root, 'state');
  const copy = path.join(state, 'repos', 'acme', 'shop.git');
  rmSync(path.join(copy, 'HEAD'));
  mkdirSync(path.join(state, 'runs', '4711'));
  const index = path.join(copy, 'orch-index-00000000-0000-4000-8000-000000000000');
  old(index);
  old(path.join(state, 'workspaces', 'acme', 'shop', 'feature_x.git-4242'));
  old(path.join(state, 'workspaces', 'acme', 'shop', 'branch.git-17'));
  writeFileSync(path.join(state, 'workspaces', 'acme', 'shop', '.branch.git-17.head'), 'a workspace');

  const before = everything();
  const dry = await recover('--dry-run');
  expect(everything()).toEqual(before);
  expect(dry.fixed).toEqual([]);
  const lines = dry.found.join('\n');
  for (const part of ['its worker is dead', 'is not a repository any more', 'feature_x.git-4242', '4711'])
    expect(lines).toContain(part);

  const done = await recover('--retention');
  expect(done.needs_person).toEqual([expect.stringContaining('4711')]);
  expect(done.fixed.join('\n')).toContain('run 1 (ET-001, analyst) is settled');
  expect(existsSync(path.join(state, 'workspaces', 'acme', 'shop', 'branch.git-17'))).toBe(true);
  expect(existsSync(path.join(state, 'workspaces', 'acme', 'shop', 'feature_x.git-4242'))).toBe(false);

  // The lead of a dead poller needs no repair: the next one takes it.
  const tick = await orch(['--config', host.file, '--json', 'serve-poller', '--once'], { cwd: root, env: world.env });
  expect(JSON.parse(tick.stdout)).toMatchObject({ leading: true, problems: [] });
  const again = await recover('--retention');
  expect(again).toMatchObject({ fixed: [], left: [], needs_person: [expect.stringContaining('4711')] });
  expect(tasksIn(host.database)).toMatchObject([{ stage: 'analysis', hold: 'approval' }]);
  expect(await violations(world, host.database)).toEqual([]);
  expect(world.plane.commentsOf(item).map((comment) => comment.externalId)).toHaveLength(2);
}, 120_000);

it('makes nothing where there is nothing yet', async () => {
  expect(await recover('--dry-run')).toMatchObject({ found: [], needs_person: [] });
  expect(existsSync(path.join(root, 'state'))).toBe(false);
});
