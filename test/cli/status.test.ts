import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import path from 'node:path';
import stringWidth from 'string-width';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ownerId } from '../../src/core/platform/processes.ts';
import { comment, commitNow, present, workerDetail } from '../store/bench.ts';
import { bin, everyState, lookedAt, type LookedAt } from '../support/looked-at.ts';

let world: LookedAt;
const plain = { NO_COLOR: '1' };

beforeAll(async () => {
  world = await lookedAt();
  await everyState(world);
});
afterAll(() => world.close());

const widest = (text: string): number => Math.max(...text.split('\n').map((line) => stringWidth(line)));
const json = (args: string[]): Record<string, unknown> =>
  JSON.parse(world.orch([...args, '--json']).stdout) as Record<string, unknown>;

describe('status on a terminal', () => {
  it.each([60, 80, 200])('fits %i columns and keeps what matters whole', (columns) => {
    const text = world.screen(['status'], columns, plain);
    expect(widest(text)).toBeLessThanOrEqual(columns);
    expect(text).toMatch(/^✗ poller {2}nothing polls/);
    expect(text).toMatch(/^● {2}ET-012 .*developer {2}running/m);
    expect(text).toMatch(/^○ {2}ET-013 .*approver {2}2h0\dm {2}waits for the approval/m);
    expect(text).toMatch(/^✗ {2}ET-014 {2}development, 1h0\dm, operator$/m);
    expect(text).toMatch(/^ {3}orch retry ET-014$/m);
    expect(text).toMatch(/^○ {2}ET-015 {2}review {2}orch resume ET-015/m);
    expect(text).not.toContain('ET-016');
    expect(text.trim().split('\n').slice(-2).join('\n')).toMatch(
      /^4 active, 1 done, 1 cancelled {2}orch why TASK\s+orch status --all$/m,
    );
    if (columns === 200) expect(text).toContain('Discount for regular customers in the cart and at the checkout');
  });

  it('escapes what others wrote, and marks without colour or Unicode', () => {
    const text = world.screen(['status', '--all'], 80, { ...plain, LANG: 'C' });
    expect(text).toContain('Invoices as PDF \\x1b[31mred\\x1b[0m');
    expect(text).not.toContain('\u001b');
    expect(text).toMatch(/^x {2}ET-014/m);
    expect(text).toMatch(/^\+ {2}ET-016 {2}done {7}3\dm ago/m);
    expect(/[^\x00-\x7f]/.test(text)).toBe(false);
    expect(world.screen(['status'], 80)).toContain('\u001b[31m✗\u001b[39m');
  });

  it('shows one task with its stages as a bar', () => {
    const text = world.screen(['status', 'et-012'], 80, plain);
    expect(text).toMatch(/^ET-012 {2}Discount for regular/);
    expect(text).toMatch(/analysis ✓ 12s {2}architecture ✓ 3m04s {2}development ● \dm\d\ds {2}review ○ {2}testing ○\n/);
    expect(text).toMatch(/^● developer, run 2, running for /m);
    expect(text).toMatch(/^ {2}1 {2}analyst +1 {2}success +12s {2}\$0\.42/m);
    expect(text).toContain('runs 2 of 30  developer reruns 0 of 3  cost $0.42');
    const held = world.screen(['status', 'ET-014'], 60, plain);
    expect(held).toContain('development ✗');
    expect(held).toMatch(/^✗ held for 1h0\dm: the developer used/m);
    expect(held).toContain('\n  orch retry ET-014\n');
    expect(held).toContain('#7  https://git.example.org/acme/shop/pulls/7');
  });

  it('leaves the last frame of --watch on the screen and ends with the task', () => {
    const text = world.screen(['status', 'ET-016', '--watch'], 80, plain);
    const [, after = ''] = text.split('\u001b[?1049l');
    expect(text).toContain('\u001b[?1049h');
    expect(after).toContain('✓ done 3');
  });
});

describe('status through a pipe', () => {
  it('prints rows that begin with their kind, tab separated and uncut', () => {
    const rows = world
      .orch(['status'])
      .stdout.split('\n')
      .map((line) => line.split('\t'));
    expect(rows[0]?.slice(0, 2)).toEqual(['poller', 'none']);
    const held = rows.find((row) => row[3] === 'ET-014');
    expect(held).toEqual([
      'task',
      'blocked',
      expect.stringMatching(/^\d{4}-.*Z$/) as unknown,
      'ET-014',
      'development',
      'operator',
      'the developer used all 3 reruns; CI is red: build, unit tests, lint',
      'orch retry ET-014',
      'Invoices as PDF \\x1b[31mred\\x1b[0m',
    ]);
    const task = world.orch(['status', 'ET-012']).stdout;
    expect(task).toContain('stage\tarchitecture\tpassed\t184\t1\n');
    expect(task).toContain('used\truns\t2\t30\n');
  });

  it('appends a frame when something changed, until it is stopped', async () => {
    const child = spawn(
      process.execPath,
      [bin, ...world.arguments, 'status', 'ET-013', '--watch', '--interval', '0.2'],
      {
        env: world.env,
        stdio: ['ignore', 'pipe', 'ignore'],
      },
    );
    let seen = '';
    const paused = new Promise<void>((resolve) => {
      child.stdout.on('data', (chunk: Buffer) => {
        if (seen === '')
          void (async () => {
            const { task } = present(await world.store.task(world.id(13)));
            await commitNow(world.store, { task: { ...task, paused: true } }, task.id);
          })();
        seen += chunk.toString();
        if (seen.includes('\tpaused\t')) resolve();
      });
    });
    const ended = new Promise<number | null>((resolve) => child.once('exit', (code) => resolve(code)));
    await paused;
    child.kill('SIGINT');
    expect(await ended).toBe(0);
    expect(seen.match(/^task\tET-013\twaiting\t/gm)).toHaveLength(1);
  });
});

describe('status --json', () => {
  it('is one document with services, counts and tasks', () => {
    const all = json(['status', '--all']);
    expect(all).toMatchObject({
      schema_version: 1,
      running: false,
      pending: true,
      agent_breaker: { state: 'closed', until: null },
      counts: { active: 4, done: 1, cancelled: 1 },
      services: { poller: { state: 'none', last_tick_at: null } },
    });
    const tasks = all['tasks'] as Record<string, unknown>[];
    expect(tasks.map(({ id, state }) => [id, state])).toEqual([
      ['ET-012', 'running'],
      ['ET-013', 'paused'],
      ['ET-014', 'blocked'],
      ['ET-015', 'paused'],
      ['ET-016', 'done'],
      ['ET-017', 'cancelled'],
    ]);
    expect(tasks[0]).toMatchObject({ run: { id: '2', phase: 'running' }, job: { id: '2' } });
  });

  it('has the stages, budgets and runs of one task', () => {
    expect(json(['status', 'ET-012'])).toMatchObject({
      task: { id: 'ET-012', state: 'running' },
      links: { pull_request: null, item: expect.stringMatching(/^https:\/\/plane\.example\.org\/acme\//) as unknown },
      stages: [
        { stage: 'analysis', state: 'passed', seconds: 12, visits: 1 },
        { stage: 'architecture', seconds: 184 },
        { stage: 'development', state: 'active' },
        { stage: 'review', state: 'ahead', seconds: 0, visits: 0 },
        {},
        {},
      ],
      budgets: [{ name: 'runs', used: 2, of: 30 }, { name: 'developer_reruns', used: 0, of: 3 }, {}, {}, {}],
      cost: { spent_dollars: 0.42, cap_dollars: null },
      runs: [
        { id: '1', result: 'success', cost_dollars: 0.42, duration_seconds: 12 },
        { id: '2', ended_at: null },
      ],
    });
  });
});

describe('status --queue and --events', () => {
  it('show the circuit breaker with the time left, jobs, and what was refused with the command', async () => {
    const { store } = world;
    await commitNow(store, { effects: [comment('refused'), { ...comment('waits'), lane: 'telegram' }] }, world.id(14));
    const claim = present(await store.claimEffect('p', 1000));
    await store.settleEffect(claim.effect.id, claim.token, { kind: 'dead', error: '403: no access to the project' });
    const breaker = await store.agentBreaker();
    await store.setAgentBreaker({
      ...breaker,
      state: 'open',
      reason: 'usage_limit',
      detail: 'session limit',
      until: Date.now() + 600_000,
    });
    const text = world.screen(['status', '--queue'], 80, plain);
    expect(widest(text)).toBeLessThanOrEqual(80);
    expect(text).toMatch(/^1 running \(at most 1 on this host\), 0 queued, 0 delayed$/m);
    expect(text).toMatch(/^agents paused for (9m\d\ds|10m) more: usage limit; session limit$/m);
    expect(text).toMatch(/^ {2}2 {2}ET-012 {2}developer {2}running/m);
    expect(text).toMatch(/ET-014 {2}tracker\.comment .*403: no access to the project/);
    expect(text).toContain('orch retry ET-014 delivers them again');
    expect(json(['status', '--queue'])).toMatchObject({
      agent_breaker: { state: 'open', reason: 'usage_limit' },
      effects: { pending: [{ key: 'waits' }], dead: [{ key: 'refused', error: '403: no access to the project' }] },
      last_jobs: [
        { id: '2', state: 'running' },
        { id: '1', state: 'done' },
      ],
    });
    expect(world.screen(['status'], 80, plain)).toMatch(/^✗ outbox {2}1 refused for good/m);
    await store.setAgentBreaker({ ...(await store.agentBreaker()), state: 'closed', reason: null, until: null });
  });

  it('list the last decisions, newest last', () => {
    const rows = world
      .orch(['status', '--events'])
      .stdout.trim()
      .split('\n')
      .map((line) => line.split('\t'));
    expect(rows.at(-1)?.slice(1)).toEqual([
      'ET-014',
      'development',
      'developer_budget',
      'it follows',
      'test.rule',
      'mirror',
    ]);
    expect(rows.length).toBeGreaterThan(3);
    expect(world.orch(['status', 'ET-012', '--events']).stdout).not.toContain('ET-014');
    expect(widest(world.screen(['status', '--events'], 60, plain))).toBeLessThanOrEqual(60);
  });
});

describe('exit codes', () => {
  it('are 3 for an unknown task, 2 for no task id and for views that exclude each other', () => {
    const unknown = world.orch(['status', 'ET-404']);
    expect([unknown.status, unknown.stdout]).toEqual([3, '']);
    expect(unknown.stderr).toContain('there is no task ET-404');
    expect(world.orch(['status', 'nonsense']).status).toBe(2);
    expect(world.orch(['status', 'ET-012', '--queue']).status).toBe(2);
    expect(world.orch(['status', '--interval', '0']).status).toBe(2);
  });

  it('are 6 without a database, which looking does not make', () => {
    const file = path.join(world.folder, 'nothing', 'orch.db');
    const { status, stderr } = world.orch(['status', '--json'], { ORCH_DB_PATH: file });
    expect(status).toBe(6);
    expect(JSON.parse(stderr)).toMatchObject({
      error: { code: 'database_missing', hint: expect.stringContaining('serve-poller') as unknown },
    });
    expect(existsSync(path.dirname(file))).toBe(false);
  });

  it('are 7 while nothing polls, 8 while something is open, 0 when all is done; only when asked for', async () => {
    const idle = await lookedAt();
    try {
      const code = (...args: string[]): number | null => idle.orch(['status', '--exit-code', ...args]).status;
      expect(idle.orch(['status']).status).toBe(0);
      expect(code()).toBe(7);
      const lease = present(await idle.store.acquireLease('poller', ownerId(), 120_000));
      expect(code()).toBe(7);
      // One-shot workers that have ended, as cron starts them, are no fault: one line stands for all.
      for (const pid of [4_000_001, 4_000_002]) {
        const owner = ownerId().replace(`|${process.pid}|`, `|${pid}|`);
        await idle.store.heartbeat({ name: `once-${pid}`, owner, kind: 'worker', detail: workerDetail() });
      }
      const text = idle.screen(['status'], 200, plain);
      expect(text.match(/once-/g)).toHaveLength(1);
      expect(text).toMatch(/^! worker {2}none runs now; the last, once-400000\d on /m);
      await idle.store.heartbeat({ name: 'worker@h', owner: ownerId(), kind: 'worker', detail: workerDetail() });
      expect(code()).toBe(0);
      await idle.add(1, { stage: 'analysis' });
      await idle.add(2, { stage: 'done' });
      expect(code()).toBe(8);
      expect(code('ET-001')).toBe(8);
      expect(code('ET-002')).toBe(0);
      await idle.store.releaseLease(lease);
      expect(code('ET-002')).toBe(7);
    } finally {
      await idle.close();
    }
  });
});

describe('retry of a task that is not held', () => {
  it('sends again at once what waits for its next try', async () => {
    const idle = await lookedAt();
    try {
      const id = await idle.add(1, {});
      await commitNow(idle.store, { effects: [comment('c1')] }, id);
      const { effect, token } = present(await idle.store.claimEffect('w1', 1000));
      await idle.store.settleEffect(effect.id, token, { kind: 'retry', error: 'no right', afterMs: 600_000 });
      const { status, stdout } = idle.orch(['retry', id]);
      expect([status, stdout]).toEqual([0, `${id}: 1 effect is delivered again\n`]);
      expect((await idle.store.claimEffect('w1', 1000))?.effect.key).toBe('c1');
    } finally {
      await idle.close();
    }
  });
});

describe('retry of several', () => {
  it('does what can be done and says what cannot', () => {
    const { status, stdout, stderr } = world.orch(['retry', '--dry-run', 'ET-014', 'ET-012', 'ET-999']);
    expect(stdout).toMatch(/^ET-014 is held: .*\na retry would: lift the hold/);
    expect(`${stdout}${stderr}`).toContain('ET-012 is not held');
    expect(stderr).toContain('ET-999');
    expect(status).toBe(1);
    const one = JSON.parse(world.orch(['retry', '--dry-run', '--json', 'ET-014']).stdout) as Record<string, unknown>;
    expect(one).toMatchObject({ dry_run: true, lift: expect.any(String) });
    const two = JSON.parse(world.orch(['retry', '--dry-run', '--json', 'ET-014', 'ET-012']).stdout || '{}') as object;
    expect(two).toHaveProperty('tasks');
  });
});
