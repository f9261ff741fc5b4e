import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { JobId, JobNext, Run, TaskId } from '../../src/core/model/index.ts';
import { bootId, readProcess } from '../../src/core/platform/processes.ts';
import { createWorker } from '../../src/core/worker/worker.ts';
import { retain } from '../../src/core/worker/retention.ts';
import { recover } from '../../src/core/worker/repairs.ts';
import { workerDetail } from '../store/bench.ts';
import { until } from '../support/until.ts';
import { repo } from '../support/worker-git.ts';
import { branchOf, deadOwner, livingOwner, workerWorld, type WorkerWorld } from '../support/worker-world.ts';

let world: WorkerWorld;
let task: TaskId;
beforeEach(async () => {
  world = await workerWorld();
  task = await world.addTask(12);
});
afterEach(() => world.remove());

const waitFor = (name: string): string => `while [ ! -e ${world.path(name)} ]; do sleep 0.05; done`;
const go = (): void => writeFileSync(world.path('go'), '');
const alive = (run: Run): Promise<boolean> => world.deps().launcher.alive(run.folder);

/**
 * A worker that is gone, as `kill -9` leaves it: its agent runs under its supervisor, its run is in the database under
 * an owner that is dead.
 */
async function abandoned(script: string): Promise<{ job: JobId; run: Run }> {
  world.agent(script);
  const job = await world.addJob(task);
  const gone = new AbortController();
  const serving = createWorker(world.deps({ owner: deadOwner() })).serve(gone.signal);
  await until('the agent', async () => (await world.runsOf(job))[0]?.phase === 'running');
  gone.abort();
  await serving;
  const [run] = await world.runsOf(job);
  if (run === undefined) throw new Error('no run');
  expect(run.phase).toBe('running');
  return { job, run };
}

async function killTree(run: Run): Promise<void> {
  if (run.pid !== null) process.kill(run.pid, 'SIGKILL');
  // The supervisor is dead, so nobody writes how the agent ended.
  await world.deps().launcher.kill(run.folder, 'orphan');
}

/** The run is settled although its processes live: what a worker leaves that dies between the two. */
async function settleBehindItsBack(run: Run, next: JobNext): Promise<void> {
  const [held] = await world.store.runningJobs(null);
  if (held === undefined) throw new Error('nothing runs');
  const outcome = { ...(await world.deps().launcher.outcome(run.folder)), kind: 'interrupted' as const };
  await world.store.settle(held.lease, { outcome, publishedSha: null, next, message: null });
}

describe('adoption', () => {
  it('a stopping worker leaves its agent alone, and the next one sees it to its end', async () => {
    const { job, run } = await abandoned(`echo code > code.txt; ${waitFor('go')}`);
    expect(await alive(run)).toBe(true);
    const running = createWorker(world.deps()).runOnce();
    await until(
      'the takeover',
      async () => (await world.store.runningJobs(null))[0]?.lease.owner === world.deps().owner,
    );
    go();
    expect(await running).toBe('ran');
    expect(await world.runsOf(job)).toHaveLength(1);
    expect((await world.finished(task))?.published?.sha).toBe(world.git.head(branchOf(task)));
    expect((await world.job(job)).state).toBe('done');
  });

  it('takes the outcome of an agent that ended while nobody looked from its files', async () => {
    const { job, run } = await abandoned(`echo code > code.txt; ${waitFor('go')}`);
    go();
    await until('the end of the agent', async () => !(await alive(run)));
    expect(await createWorker(world.deps()).runOnce()).toBe('ran');
    expect(await world.runsOf(job)).toHaveLength(1);
    expect(await world.finished(task)).toMatchObject({ outcome: { kind: 'success' }, published: { committed: true } });
  });

  it('counts an agent that died without a trace as an interruption and starts it again', async () => {
    const { job, run } = await abandoned(waitFor('go'));
    await killTree(run);
    const worker = createWorker(world.deps());
    expect(await worker.runOnce()).toBe('ran');
    expect(await world.job(job)).toMatchObject({ state: 'queued', attempts: 0, interruptions: 1 });
    expect(await world.finished(task)).toBeNull();
    world.agent('echo code > code.txt');
    expect(await worker.runOnce()).toBe('ran');
    expect((await world.finished(task))?.published?.committed).toBe(true);
  });

  it('interrupts a run whose worker died before it had started anything', async () => {
    const job = await world.addJob(task);
    const owner = deadOwner();
    await world.store.claim({ host: world.deps().host, owner, leaseMs: 60_000, maxConcurrency: 1 });
    expect(await createWorker(world.deps()).runOnce()).toBe('ran');
    expect(await world.job(job)).toMatchObject({ state: 'queued', interruptions: 1 });
  });

  it('follows a process that was started and not yet recorded', async () => {
    const { job, run } = await abandoned(`echo code > code.txt; ${waitFor('go')}`);
    const [held] = await world.store.runningJobs(null);
    if (held === undefined) throw new Error('nothing runs');
    await world.store.patchRun(held.lease, { phase: 'preparing' });
    const running = createWorker(world.deps()).runOnce();
    await until('running', async () => (await world.runsOf(job))[0]?.phase === 'running');
    go();
    await running;
    expect(await alive(run)).toBe(false);
    expect((await world.finished(task))?.published?.committed).toBe(true);
  });

  it('goes on publishing what a dead worker had begun to publish, without running the agent again', async () => {
    world.agent(`echo once >> code.txt; ${waitFor('go')}`);
    const job = await world.addJob(task);
    const gone = new AbortController();
    const serving = createWorker(world.deps({ owner: deadOwner() })).serve(gone.signal);
    await until('the agent', async () => (await world.runsOf(job))[0]?.phase === 'running');
    world.git.down();
    go();
    await until('publishing', async () => (await world.runsOf(job))[0]?.phase === 'publishing');
    gone.abort();
    await serving;
    world.git.up();
    expect(await createWorker(world.deps()).runOnce()).toBe('ran');
    expect(await world.runsOf(job)).toHaveLength(1);
    const sha = (await world.finished(task))?.published?.sha;
    if (sha === undefined) throw new Error('not published');
    expect(sha).toBe(world.git.head(branchOf(task)));
    expect(await world.git.git.readFile(repo, sha, 'code.txt', 100)).toBe('once\n');
  });

  it('leaves the run of a living owner alone, however old its lease', async () => {
    const job = await world.addJob(task);
    await world.store.claim({ host: world.deps().host, owner: world.deps().owner, leaseMs: -1, maxConcurrency: 1 });
    expect(await createWorker(world.deps({ owner: livingOwner() })).runOnce()).toBe('idle');
    expect(await world.job(job)).toMatchObject({ state: 'running', interruptions: 0 });
  });

  it('takes a run over from another host only when that host has fallen silent, and does its work again', async () => {
    const job = await world.addJob(task);
    const there = `elsewhere|boot.1|7|7`;
    const claim = { host: 'elsewhere', owner: there, leaseMs: 60_000, maxConcurrency: 1 };
    const held = await world.store.claim(claim);
    if (held === null) throw new Error('nothing claimed');
    await world.store.patchRun(held.lease, { phase: 'running', folder: '/nowhere/1', workspace: '/nowhere/ws' });
    const worker = createWorker(world.deps());
    expect(await worker.runOnce()).toBe('idle');
    // Its lease has lapsed, but its worker still reports.
    await world.store.renew(held.lease, -1);
    const row = { name: 'worker', owner: there, kind: 'worker' as const, detail: workerDetail() };
    await world.store.heartbeat(row);
    expect(await worker.runOnce()).toBe('idle');
    // So long a silence that the last report counts no more.
    expect(await createWorker(world.deps({ config: { leaseMs: -1 } })).runOnce()).toBe('ran');
    expect(await world.job(job)).toMatchObject({ state: 'queued', interruptions: 1 });
    expect((await world.runsOf(job))[0]).toMatchObject({ outcome: { cause: 'run_lost' } });
    // The host that comes back is shut out.
    expect(await world.store.patchRun(held.lease, { phase: 'publishing' })).toBe('lost');
    world.agent('echo code > code.txt');
    expect(await worker.runOnce()).toBe('ran');
    expect((await world.finished(task))?.published?.committed).toBe(true);
  });

  it('does work again that was never published and whose workspace is gone', async () => {
    const { job, run } = await abandoned(`echo once > code.txt; ${waitFor('go')}`);
    go();
    await until('the end of the agent', async () => !(await alive(run)));
    const [held] = await world.store.runningJobs(null);
    if (held === undefined) throw new Error('nothing runs');
    await world.store.patchRun(held.lease, {
      phase: 'publishing',
      outcome: await world.deps().launcher.outcome(run.folder),
    });
    rmSync(run.workspace, { recursive: true });
    const worker = createWorker(world.deps());
    expect(await worker.runOnce()).toBe('ran');
    expect(await world.job(job)).toMatchObject({ state: 'queued', interruptions: 1 });
    expect((await world.runsOf(job))[0]?.outcome).toMatchObject({ kind: 'interrupted', cause: 'work_lost' });
    expect(await worker.runOnce()).toBe('ran');
    expect((await world.finished(task))?.published?.committed).toBe(true);
  });

  it('notices at once that another worker of the host dies, without waiting for its slow scan', async () => {
    const other = spawn('sleep', ['300'], { stdio: 'ignore' });
    const start = readProcess(other.pid ?? 0)?.start ?? '';
    const owner = [world.deps().host, bootId(), other.pid, start].join('|');
    world.agent('exit 0');
    const job = await world.addJob(task);
    await world.store.claim({ host: world.deps().host, owner, leaseMs: 60_000, maxConcurrency: 1 });
    const stop = new AbortController();
    // The scan is due once, at the start, for a clock that does not move; the poll never.
    const deps = world.deps({ monotonic: () => 0, config: { pollIntervalMs: 300_000, heartbeatMs: 300_000 } });
    const serving = createWorker(deps).serve(stop.signal);
    await until('the first look', async () => (await world.store.processes()).length > 0);
    expect(await world.job(job)).toMatchObject({ state: 'running', leaseOwner: owner });
    other.kill('SIGKILL');
    await until('the adoption', async () => (await world.job(job)).interruptions === 1);
    stop.abort();
    await serving;
  });

  it('ends what a run left behind, also a daemon that left session and environment', async () => {
    const script = `setsid env -i sh -c 'echo $$ > daemon; exec sleep 300' >/dev/null 2>&1 </dev/null &`;
    world.agent(`${script} while [ ! -s daemon ]; do sleep 0.05; done; cp daemon ${world.path('daemon')}; exit 1`);
    await world.addJob(task, { maxAttempts: 1 });
    await createWorker(world.deps()).runOnce();
    const pid = Number(readFileSync(world.path('daemon'), 'utf8'));
    expect(pid).toBeGreaterThan(1);
    expect(readProcess(pid)).toBeNull();
  });

  it('starts the next run of a branch only after the former one is gone', async () => {
    const { job, run } = await abandoned(waitFor('never'));
    await settleBehindItsBack(run, { kind: 'again', availableAt: 0, spend: 'interruption', error: 'lost' });
    expect(await alive(run)).toBe(true);
    const marker = world.path('former');
    writeFileSync(marker, String(run.pid));
    world.agent(`kill -0 $(cat ${marker}) 2>/dev/null && echo yes > ${world.path('met')}; exit 0`);
    expect(await createWorker(world.deps()).runOnce()).toBe('ran');
    expect(await alive(run)).toBe(false);
    expect(existsSync(world.path('met'))).toBe(false);
    expect((await world.job(job)).state).toBe('done');
  });
});

describe('a run folder that was damaged under a living agent', () => {
  const damages: [string, (folder: string) => void][] = [
    ['removed', (folder) => rmSync(folder, { recursive: true })],
    ['without its record', (folder) => rmSync(`${folder}/run.json`)],
    ['with half a record', (folder) => writeFileSync(`${folder}/run.json`, '{"version": 1, "spec":')],
  ];
  it.each(damages)('%s: the agent is ended, and the work is done again', async (_how, damage) => {
    const { job, run } = await abandoned(`echo $$ > ${world.path('pid')}; ${waitFor('go')}; echo code > code.txt`);
    await until('the agent', () => existsSync(world.path('pid')) && readFileSync(world.path('pid'), 'utf8') !== '');
    const agent = readProcess(Number(readFileSync(world.path('pid'), 'utf8')));
    damage(run.folder);
    expect(await createWorker(world.deps()).runOnce()).toBe('ran');
    expect(agent === null ? null : readProcess(agent.pid)?.start === agent.start).toBe(false);
    expect((await world.runsOf(job))[0]?.outcome).toMatchObject({ kind: 'interrupted' });
    go();
    expect(await createWorker(world.deps()).runOnce()).toBe('ran');
    expect((await world.job(job)).state).toBe('done');
    expect((await world.finished(task))?.published?.sha).toBe(world.git.head(branchOf(task)));
  });
});

describe('recover', () => {
  it("finds a dead worker's run, changes nothing on a dry run, and settles it", async () => {
    const { job, run } = await abandoned(`echo code > code.txt; ${waitFor('go')}`);
    go();
    await until('the end of the agent', async () => !(await alive(run)));
    const dry = await recover(world.deps(), { dryRun: true });
    expect(dry.found).toEqual([expect.stringMatching(/^run \d+ \(ET-012, developer\): its worker is dead/)]);
    expect(dry.fixed).toEqual([]);
    expect((await world.job(job)).state).toBe('running');
    const done = await recover(world.deps(), { dryRun: false });
    expect(done.fixed).toEqual([expect.stringMatching(/is settled$/)]);
    expect((await world.job(job)).state).toBe('done');
    expect(await recover(world.deps(), { dryRun: false })).toEqual({ found: [], fixed: [], left: [], needsPerson: [] });
  });

  it('leaves an agent that works to the next worker', async () => {
    const { job, run } = await abandoned(waitFor('go'));
    const done = await recover(world.deps(), { dryRun: false });
    expect(done.left).toEqual([expect.stringMatching(/its agent works on until a worker adopts it/)]);
    expect(done.fixed).toEqual([]);
    expect(await alive(run)).toBe(true);
    expect((await world.job(job)).leaseOwner).not.toBe(world.deps().owner);
  });

  it('ends processes that outlived their settled run', async () => {
    const { run } = await abandoned(waitFor('go'));
    await settleBehindItsBack(run, { kind: 'cancelled' });
    expect(await alive(run)).toBe(true);
    const done = await recover(world.deps(), { dryRun: false });
    expect(done.fixed).toEqual([`processes of run ${run.id} ended`]);
    expect(await alive(run)).toBe(false);
  });

  it('frees a probe that is gone, and keeps one whose run lives', async () => {
    const breaker = await world.store.agentBreaker();
    const halfOpen = { ...breaker, state: 'half_open' as const, reason: 'transient' as const };
    await world.store.setAgentBreaker({ ...halfOpen, probe: '999' });
    const done = await recover(world.deps(), { dryRun: false });
    expect(done.fixed).toEqual(['the circuit breaker lets another probe through']);
    expect(await world.store.agentBreaker()).toMatchObject({ state: 'open', probe: null });
    const job = await world.addJob(task);
    await world.store.claim({ host: world.deps().host, owner: world.deps().owner, leaseMs: 60_000, maxConcurrency: 1 });
    const [run] = await world.runsOf(job);
    const now = await world.store.agentBreaker();
    await world.store.setAgentBreaker({ ...now, state: 'half_open', probe: run?.id ?? '' });
    expect((await recover(world.deps(), { dryRun: false })).found).toEqual([]);
  });

  it('removes the workspace of a done task, not one that holds work', async () => {
    const other = await world.addTask(13);
    world.agent('echo code > code.txt');
    await world.addJob(task);
    await createWorker(world.deps()).runOnce();
    world.agent('echo code > code.txt; exit 1');
    await world.addJob(other, { maxAttempts: 1 });
    await createWorker(world.deps()).runOnce();
    for (const id of [task, other]) {
      const row = await world.store.task(id);
      if (row === null) throw new Error('no task');
      const decision = {
        ...{
          task: { ...row.task, stage: 'done' as const, updatedAt: 1 },
          visit: null,
          jobs: [],
          cancelJobs: [],
          effects: [],
        },
        ...{ handled: null, wakeAt: null, why: { rule: 'test', sentence: '', cause: 'test', evidence: {} } },
      };
      expect(await world.store.commit(id, row.meta.version, decision)).toBe('ok');
    }
    const folder = (id: TaskId): string => world.git.workspaces.pathOf(repo, branchOf(id));
    const done = await retain(world.deps(), { dryRun: false, when: 'now' });
    expect(done.fixed).toEqual([`workspace of ${task} removed`]);
    expect(done.needsPerson).toEqual([expect.stringMatching(/^ET-013 is done, but .* holds work/)]);
    expect([existsSync(folder(task)), existsSync(folder(other))]).toEqual([false, true]);
  });

  it('names run folders that the database does not know, and leaves them', async () => {
    const { runsDir } = world.deps();
    mkdirSync(`${runsDir}/4711`, { recursive: true });
    const done = await retain(world.deps(), { dryRun: false, when: 'now' });
    expect(done.needsPerson).toEqual([expect.stringMatching(/4711 belongs to no run/)]);
    expect(existsSync(`${runsDir}/4711`)).toBe(true);
  });
});
