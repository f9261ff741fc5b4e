import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, test } from 'vitest';
import { findProcesses } from '../support/processes.ts';
import { startCi } from '../../src/sandbox/gitea/ci.ts';
import type { WorkItem } from '../../src/sandbox/plane/state.ts';
import { startWorld, type World } from '../../src/sandbox/world.ts';
import { orchHost, tasksIn, violations, type OrchHost, type OrchProcess } from '../support/crash.ts';

/** The long form is a command (`npm run test:crash`), the short one runs with every test. */
const long = process.env['ORCH_CRASH_LONG'] === '1';
const items = long ? 50 : 3;
const leastKills = long ? 300 : 12;

interface Storm {
  world: World;
  host: OrchHost;
  root: string;
  kills: number;
}

/** Services that are started again as soon as they end, as systemd would. */
function service(
  storm: Storm,
  args: string[],
  stopped: () => boolean,
): { current: () => OrchProcess | null; done: Promise<void> } {
  let current: OrchProcess | null = null;
  const done = (async () => {
    while (!stopped()) {
      current = storm.host.start(args);
      await current.ended;
    }
  })();
  return { current: () => current, done };
}

function approve(world: World, all: WorkItem[], approved: Set<string>): void {
  for (const item of all) {
    const asked = world.plane
      .commentsOf(item)
      .some((comment) => (comment.externalId ?? '').endsWith('/approval_wanted'));
    if (!asked || approved.has(item.id)) continue;
    approved.add(item.id);
    world.plane.commentAs(world.people.lead, item, '<p>:approved:</p>');
  }
}

/** Kills or stops one of the processes, at random: poller, worker, supervisor or agent. */
function strike(storm: Storm, services: { current: () => OrchProcess | null }[], signal: 'SIGKILL' | 'SIGSTOP'): void {
  const agents = findProcesses(storm.root);
  const own = services.map((one) => one.current()?.pid ?? 0).filter((pid) => pid > 0);
  const targets = [...own, ...own, ...agents];
  const pid = targets[Math.floor(Math.random() * targets.length)];
  if (pid === undefined) return;
  try {
    process.kill(pid, signal);
    storm.kills += 1;
    if (signal === 'SIGSTOP') setTimeout(() => void tryContinue(pid), 1500).unref();
  } catch {
    // Ended before it was struck.
  }
}

function tryContinue(pid: number): void {
  try {
    process.kill(pid, 'SIGCONT');
  } catch {
    // Ended meanwhile.
  }
}

async function weather(signal: 'SIGKILL' | 'SIGSTOP'): Promise<{ tasks: string[]; broken: string[]; kills: number }> {
  const root = mkdtempSync(path.join(tmpdir(), 'orch-storm-'));
  const world = await startWorld({ root, lagMs: 5, workerDelayMs: 5 });
  startCi(world.gitea, world.repo, { decide: () => 'success' });
  // What is struck is an interruption, and a storm has more of them than a night in production.
  world.config['worker'] = { maxConcurrency: 2, interruptions: 100, attempts: 100, pollIntervalSeconds: 0.2 };
  const storm: Storm = { world, host: orchHost(world, root), root, kills: 0 };
  try {
    await storm.host.run(['serve-poller', '--once']);
    const all = Array.from({ length: items }, (_, n) =>
      world.plane.addItem(world.project, world.people.lead, {
        name: `A discount for case ${n + 1}`,
        description_html: '<p>Regular customers get ten percent off.</p>',
      }),
    );
    let stop = false;
    const approved = new Set<string>();
    const services = [
      service(storm, ['serve-poller', '--schedule', '* * * * * *'], () => stop),
      service(storm, ['run-worker'], () => stop),
      service(storm, ['run-worker'], () => stop),
    ];
    const finished = (): boolean => {
      try {
        const tasks = tasksIn(storm.host.database);
        return tasks.length === items && tasks.every((task) => task.stage === 'done');
      } catch {
        return false;
      }
    };
    const deadline = Date.now() + (long ? 60 : 5) * 60_000;
    while (Date.now() < deadline && !(finished() && storm.kills >= leastKills)) {
      approve(world, all, approved);
      if (storm.kills < leastKills) strike(storm, services, signal);
      await new Promise((resolve) => setTimeout(resolve, long ? 700 : 1500));
      if (finished() && storm.kills < leastKills && long) break;
    }
    stop = true;
    for (const one of services) one.current()?.kill('SIGKILL');
    await Promise.all(services.map((one) => one.done));
    for (let round = 0; round < 20; round += 1) {
      await storm.host.run(['serve-poller', '--once']);
      await storm.host.run(['run-worker', '--until-empty']);
      if ((await violations(world, storm.host.database)).length === 0 && finished()) break;
    }
    return {
      tasks: tasksIn(storm.host.database).map((task) => `${task.stage} ${task.hold ?? ''}`.trim()),
      broken: await violations(world, storm.host.database),
      kills: storm.kills,
    };
  } finally {
    await world.close();
    rmSync(root, { recursive: true, force: true, maxRetries: 5 });
  }
}

for (const signal of ['SIGKILL', 'SIGSTOP'] as const) {
  // The storm of stopped processes belongs to the long form.
  if (signal === 'SIGSTOP' && !long) continue;
  test(
    `a storm of ${signal} over poller, workers, supervisors and agents loses nothing and doubles nothing`,
    async () => {
      const { tasks, broken, kills } = await weather(signal);
      expect(tasks).toEqual(Array.from({ length: items }, () => 'done'));
      expect(broken).toEqual([]);
      expect(kills).toBeGreaterThan(long ? leastKills / 2 : 4);
      process.stderr.write(`${kills} × ${signal} over ${items} tasks\n`);
    },
    long ? 90 * 60_000 : 9 * 60_000,
  );
}
