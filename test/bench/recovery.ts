import { chmodSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import Database from 'better-sqlite3';
import { systemClock } from '../../src/core/platform/clock.ts';
import { startWorld, type World } from '../../src/sandbox/world.ts';
import { orchHost, type OrchHost, type OrchProcess } from '../support/crash.ts';
import { strikeAll, treesOf } from '../support/processes.ts';
import { until } from '../support/until.ts';
import { figure, quantile } from './numbers.ts';
import type { BenchContext, Section } from './section.ts';

const aimedMs = 50;
const patienceMs = 60_000;
/** After this a new worker has done its first round and waits. */
const settledMs = 400;

/** (d) From the `kill -9` of a worker that holds a lease to the moment another worker of the host holds it. */
export async function recovery({ form, folder, say }: BenchContext): Promise<Section> {
  const world = await startWorld({ root: folder, agentCommand: [endlessAgent(folder)] });
  const host = orchHost(world, folder);
  const workers = new Map<number, OrchProcess>();
  const ms: number[] = [];
  // Also when this command is stopped half-way: nothing of it is left running.
  const endAll = (): void => {
    for (const worker of workers.values()) worker.kill('SIGKILL');
    strikeAll(treesOf(folder), 'SIGKILL');
  };
  process.once('exit', endAll);
  try {
    await prepare(world, host, folder);
    await startWorker(host, workers);
    await startWorker(host, workers);
    await until('the run', () => holder(host.database, 'running') !== null, patienceMs);
    await systemClock.sleep(settledMs);
    for (let n = 1; n <= form.kills; n += 1) {
      ms.push(await killHolder(host, workers));
      if (n % 10 === 0) say(`${n} of ${form.kills} workers killed`);
      await startWorker(host, workers);
    }
  } finally {
    endAll();
    process.removeListener('exit', endAll);
    await Promise.all([...workers.values()].map((worker) => worker.ended));
    // A worker that was about to start something is gone only now.
    strikeAll(treesOf(folder), 'SIGKILL');
    // The agent ends by itself when its script is gone.
    rmSync(path.join(folder, 'agent.sh'), { force: true });
    await world.close();
  }
  const p50 = quantile(ms, 0.5);
  const met = p50 <= aimedMs;
  return {
    title: 'Recovery after kill -9',
    text: [
      'Two workers as processes of their own; the one that holds the lease of a running job is killed, and its agent lives on. From ' +
        'the signal to the commit that gives the lease to the other one, seen by reading the database every millisecond.',
    ],
    tables: [
      {
        head: ['kills', 'p50, ms', 'p90, ms', 'max, ms'],
        rows: [[String(ms.length), figure(p50), figure(quantile(ms, 0.9)), figure(Math.max(...ms))]],
      },
    ],
    aims: [
      {
        what: 'Recovery after kill -9 of a worker, p50',
        aim: `≤ ${aimedMs} ms`,
        measured: `${figure(p50)} ms`,
        met,
        missedBy: met ? '' : `${figure(p50 - aimedMs)} ms`,
        why:
          'The owner of a lease is looked at every 40 ms, 20 ms on average; the rest is the takeover, which writes one transaction, and ' +
          'the time until the other worker gets a processor.',
      },
    ],
  };
}

/** Runs until its script is removed. */
function endlessAgent(folder: string): string {
  const script = path.join(folder, 'agent.sh');
  const version = '[ "$1" = --version ] && { echo 1.0; exit; }';
  writeFileSync(script, `#!/bin/sh\n${version}\nwhile [ -e "$0" ]; do sleep 1; done\n`);
  chmodSync(script, 0o755);
  return script;
}

async function prepare(world: World, host: OrchHost, folder: string): Promise<void> {
  const prompt = path.join(folder, 'prompt.md');
  writeFileSync(prompt, 'Wait.\n');
  const order = ['enqueue', 'developer', '--repo', `${world.repo.owner}/${world.repo.name}`, '--branch', 'bench'];
  const { code, stderr } = await host.run([...order, '--prompt', prompt]);
  if (code !== 0) throw new Error(`the job could not be queued: ${stderr}`);
}

/** Starts a worker and waits until it reports. */
async function startWorker(host: OrchHost, workers: Map<number, OrchProcess>): Promise<void> {
  const worker = host.start(['run-worker']);
  workers.set(worker.pid, worker);
  await until('the worker', () => reports(host.database, worker.pid), patienceMs, 20);
  await systemClock.sleep(settledMs);
}

function ask<T>(database: string, sql: string, ...values: unknown[]): T | undefined {
  const db = new Database(database, { readonly: true, timeout: 5000 });
  try {
    return db.prepare(sql).get(...values) as T | undefined;
  } finally {
    db.close();
  }
}

function reports(database: string, pid: number): boolean {
  return ask(database, `SELECT 1 FROM processes WHERE owner LIKE ?`, `%|${pid}|%`) !== undefined;
}

/** Pid of the worker that holds the job, once its run is in this phase. */
function holder(database: string, phase: string): number | null {
  const row = ask<{ owner: string }>(
    database,
    `SELECT j.lease_owner AS owner FROM jobs AS j JOIN runs AS r ON r.job_id = j.id WHERE j.state = 'running' AND r.phase = ?`,
    phase,
  );
  return row === undefined ? null : Number(row.owner.split('|')[2]);
}

async function killHolder(host: OrchHost, workers: Map<number, OrchProcess>): Promise<number> {
  const pid = holder(host.database, 'running');
  const victim = pid === null ? undefined : workers.get(pid);
  if (pid === null || victim === undefined) throw new Error('no worker of this command holds the job');
  const db = new Database(host.database, { readonly: true, timeout: 5000 });
  const held = db.prepare(`SELECT lease_owner AS owner FROM jobs WHERE state = 'running'`);
  // At no particular moment of the others' clocks.
  await systemClock.sleep(Math.random() * 100);
  try {
    const killedAt = performance.now();
    victim.kill('SIGKILL');
    while (Number((held.get() as { owner: string } | undefined)?.owner.split('|')[2] ?? pid) === pid) {
      if (performance.now() - killedAt > patienceMs) throw new Error('nobody took the job over');
      await systemClock.sleep(1);
    }
    return performance.now() - killedAt;
  } finally {
    db.close();
    workers.delete(pid);
    await victim.ended;
  }
}
