import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { writeAgentScript } from '../../src/sandbox/agent/script.ts';
import { startWorld, type World } from '../../src/sandbox/world.ts';
import { orchHost, tasksIn, type OrchHost, type OrchProcess } from '../support/crash.ts';
import { orch } from '../support/orch.ts';
import { treesOf } from '../support/processes.ts';
import { until } from '../support/until.ts';
import { violations } from '../support/violations.ts';

let root: string;
let world: World;
let host: OrchHost;
let started: OrchProcess[];
beforeEach(async () => {
  root = mkdtempSync(path.join(tmpdir(), 'orch-services-'));
  started = [];
  const agentScript = writeAgentScript(path.join(root, 'agent'), {
    roles: { analyst: [{ waitFor: path.join(root, 'go') }] },
  });
  world = await startWorld({ root, lagMs: 5, workerDelayMs: 5, agentScript });
  host = orchHost(world, root);
});
afterEach(async () => {
  writeFileSync(path.join(root, 'go'), '');
  for (const one of started) one.kill('SIGKILL');
  for (const one of started) one.kill('SIGCONT');
  await world.close();
  await until('every agent to be gone', () => treesOf(path.join(root, 'state', 'runs')).length === 0);
  rmSync(root, { recursive: true, force: true, maxRetries: 5 });
});

function start(args: string[], env?: Record<string, string>): OrchProcess {
  const one = host.start(args, env);
  started.push(one);
  return one;
}

/** Looks until the first item is there and its analyst is queued. */
async function queued(): Promise<void> {
  await host.run(['serve-poller', '--once']);
  world.plane.addItem(world.project, world.people.lead, {
    name: 'A discount for regular customers',
    description_html: '<p>Regular customers get ten percent off.</p>',
  });
  await host.run(['serve-poller', '--once']);
}

interface RunRow {
  id: number;
  phase: string;
  outcome: string | null;
}

function ask<T>(sql: string): T[] {
  const db = new Database(host.database, { readonly: true, timeout: 5000 });
  try {
    return db.prepare(sql).all() as T[];
  } finally {
    db.close();
  }
}

const runs = (): RunRow[] => ask(`SELECT id, phase, json_extract(outcome, '$.kind') AS outcome FROM runs ORDER BY id`);
const leader = (): number => {
  const [row] = ask<{ owner: string | null }>(`SELECT owner FROM leases WHERE name = 'poller'`);
  return Number(row?.owner?.split('|')[2] ?? 0);
};
const agent = (): number => Number(readFileSync(path.join(root, 'state', 'runs', '1', 'agent'), 'utf8').split(' ')[0]);
const lives = (pid: number): boolean => existsSync(`/proc/${pid}`);
const working = (): Promise<void> =>
  until(
    'the agent',
    () => runs()[0]?.phase === 'running' && existsSync(path.join(root, 'state', 'runs', '1', 'agent')),
  );

describe('a worker that is asked to stop', () => {
  it.each(['SIGTERM', 'SIGINT'] as const)(
    '%s: drains, its agent works on, the next worker ends the run',
    async (name) => {
      await queued();
      const worker = start(['run-worker']);
      await working();
      worker.kill(name);
      expect(await worker.ended).toMatchObject({ code: 0, signal: null });
      expect(lives(agent())).toBe(true);
      expect(runs()).toEqual([{ id: 1, phase: 'running', outcome: null }]);
      writeFileSync(path.join(root, 'go'), '');
      expect(await host.run(['run-worker', '--until-empty'])).toMatchObject({ code: 0 });
      await host.run(['serve-poller', '--once']);
      expect(runs()).toEqual([{ id: 1, phase: 'settled', outcome: 'success' }]);
      expect(tasksIn(host.database)).toMatchObject([{ stage: 'analysis', hold: 'approval' }]);
      expect(await violations(world, host.database)).toEqual([]);
    },
  );
});

describe('a worker whose agent program is missing', () => {
  const missing = '/nonexistent/agent';
  const reason = /^analyst cannot be started: .*\/nonexistent\/agent/;
  const look = async (...args: string[]): Promise<Record<string, unknown>> =>
    JSON.parse((await host.run(['status', '--json', ...args])).stdout) as Record<string, unknown>;
  const workers = async (): Promise<unknown[]> =>
    ((await look()) as { services: { workers: unknown[] } }).services.workers;
  const install = (command: string[]): void => {
    const config = JSON.parse(readFileSync(host.file, 'utf8')) as { agent: { command: string[] } };
    writeFileSync(
      host.file,
      JSON.stringify({ ...config, agent: { ...config.agent, command, preflightCacheSeconds: 1 } }),
    );
  };

  it('is seen in status while it serves, its job stays queued, and it starts by itself once the program is there', async () => {
    await queued();
    const program = path.join(root, 'installed-later');
    const { command } = (world.config as { agent: { command: string[] } }).agent;
    install([program]);
    start(['run-worker']);
    const failed = {
      state: 'live',
      preflight_failed: true,
      preflight_error: expect.stringContaining(program) as string,
    };
    await until('the failed preflight', async () => JSON.stringify(await workers()).includes(program));
    expect(await workers()).toMatchObject([failed]);
    expect((await host.run(['status'])).stdout).toMatch(/^worker\tlive\t/m);
    expect(await look('--queue')).toMatchObject({
      jobs: { queued: 1, running: 0 },
      preflight_failed: [{ worker: 'worker', role: 'analyst', reason: expect.stringContaining(program) as string }],
    });
    expect(runs()).toEqual([]);
    writeFileSync(program, `#!/bin/sh\nexec ${command.map((word) => `'${word}'`).join(' ')} "$@"\n`, { mode: 0o755 });
    await working();
    await until('a worker that claims', async () => !JSON.stringify(await workers()).includes(program));
    expect(await workers()).toMatchObject([{ state: 'live', preflight_failed: false, preflight_error: null }]);
  });

  it('is seen in status after one run from cron', async () => {
    await queued();
    install([missing]);
    expect(await host.run(['run-worker', '--once'])).toMatchObject({ code: 0 });
    expect(await workers()).toMatchObject([
      { preflight_failed: true, preflight_error: expect.stringMatching(reason) as string },
    ]);
  });
});

describe('pollers', () => {
  const everySecond = ['serve-poller', '--schedule', '* * * * * *'];

  it('one leads; killed, stopped or asked to end, it is followed by the other, and nothing is done twice', async () => {
    await queued();
    const first = start(everySecond);
    await until('the first to lead', () => leader() === first.pid);
    const second = start(everySecond);
    const said = await orch(['--config', host.file, 'serve-poller', '--once'], { cwd: root, env: world.env });
    expect(said).toMatchObject({ status: 0 });
    expect(said.stderr).toContain('another poller leads');
    first.kill('SIGKILL');
    await until('the second to lead', () => leader() === second.pid);
    const third = start(everySecond);
    second.kill('SIGTERM');
    expect(await second.ended).toMatchObject({ code: 0 });
    await until('the third to lead', () => leader() === third.pid);
    // Stopped for longer than its lease: another leads, and for a moment both believe that they do.
    third.kill('SIGSTOP');
    const db = new Database(host.database, { timeout: 5000 });
    db.prepare(`UPDATE leases SET expires_at = 1 WHERE name = 'poller'`).run();
    db.close();
    const fourth = start(everySecond);
    await until('the fourth to lead', () => leader() === fourth.pid);
    third.kill('SIGCONT');
    writeFileSync(path.join(root, 'go'), '');
    await host.run(['run-worker', '--until-empty']);
    const open = (): number => ask(`SELECT 1 FROM outbox WHERE state IN ('pending', 'in_flight')`).length;
    await until(
      'the request for approval to be delivered',
      () => tasksIn(host.database)[0]?.hold === 'approval' && open() === 0,
    );
    for (const one of [third, fourth]) one.kill('SIGTERM');
    expect(await Promise.all([third.ended, fourth.ended])).toMatchObject([{ code: 0 }, { code: 0 }]);
    expect(await violations(world, host.database)).toEqual([]);
  });

  it('started five times at once, with five workers, as by a crowded cron: everything is done once', async () => {
    await queued();
    writeFileSync(path.join(root, 'go'), '');
    const five = <T>(one: () => T): T[] => Array.from({ length: 5 }, one);
    const ends = await Promise.all([
      ...five(() => host.run(['serve-poller', '--once'])),
      ...five(() => host.run(['run-worker', '--once'])),
    ]);
    expect(ends.map(({ code }) => code)).toEqual(Array.from({ length: 10 }, () => 0));
    await host.run(['serve-poller', '--once']);
    expect(runs()).toEqual([{ id: 1, phase: 'settled', outcome: 'success' }]);
    expect(tasksIn(host.database)).toMatchObject([{ stage: 'analysis', hold: 'approval' }]);
    expect(await violations(world, host.database)).toEqual([]);
  });
});

describe('a second signal', () => {
  it.each([
    ['SIGTERM', 143],
    ['SIGINT', 130],
  ] as const)('%s ends the program at once with %i, also while it waits for a server', async (name, code) => {
    const hang = { match: /./, times: 1000, action: { kind: 'hang' } } as const;
    const rule = { ...hang };
    world.plane.faults.push(rule);
    const poller = start(['serve-poller']);
    await until('a request that hangs', () => rule.times < hang.times);
    let ended = false;
    void poller.ended.then(() => (ended = true));
    // The first is answered by waiting for the tick; the one after it ends the process, whenever that comes.
    await until('the end', () => {
      if (!ended) poller.kill(name);
      return ended;
    });
    expect(await poller.ended).toMatchObject({ code, signal: null });
    expect((await poller.ended).stderr).toContain('a second signal ends orch at once');
    expect(rule.times).toBe(hang.times - 1);
    world.plane.faults.length = 0;
    expect(await host.run(['serve-poller', '--once'])).toMatchObject({ code: 0 });
  });
});
