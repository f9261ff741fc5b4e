import { existsSync, readFileSync } from 'node:fs';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { JobId, Run, TaskId } from '../../src/core/model/index.ts';
import { createWorker } from '../../src/core/worker/worker.ts';
import { until } from '../support/until.ts';
import { workerWorld, type WorkerWorld } from '../support/worker-world.ts';

const session = '11111111-2222-4333-8444-555555555555';

let world: WorkerWorld;
let task: TaskId;
beforeEach(async () => {
  world = await workerWorld('claude');
  task = await world.addTask(12);
  const init = JSON.stringify({ type: 'system', subtype: 'init', session_id: session });
  const result = JSON.stringify({ type: 'result', subtype: 'success', session_id: session, result: 'done' });
  world.agent(
    `echo "$@" >> ${world.path('arguments')}; echo '${init}'; echo half >> half.txt
     case "$*" in *--resume*) echo '${result}'; exit;; esac
     sleep 600 & wait`,
  );
});
afterEach(() => world.remove());

/** A worker that serves until the agent has begun and is stopped then. */
async function stopped(onStop: 'leave' | 'stop'): Promise<{ job: JobId; run: Run }> {
  const job = await world.addJob(task);
  const stop = new AbortController();
  const serving = createWorker(world.deps({ config: { onStop } })).serve(stop.signal);
  const begun = async (): Promise<boolean> => {
    const [run] = await world.runsOf(job);
    const output = `${run?.folder}/stdout.ndjson`;
    return run?.phase === 'running' && existsSync(output) && readFileSync(output, 'utf8').includes(session);
  };
  await until(async () => `the agent: ${JSON.stringify([await world.job(job), await world.runsOf(job)])}`, begun);
  stop.abort();
  await serving;
  const [run] = await world.runsOf(job);
  if (run === undefined) throw new Error('no run');
  return { job, run };
}

it('onStop stop: the agent is ended, the run counts as interrupted, and the next one resumes its session', async () => {
  const { job, run } = await stopped('stop');
  expect(await world.deps().launcher.alive(run.folder)).toBe(false);
  expect(run).toMatchObject({ phase: 'settled', outcome: { kind: 'interrupted', cause: 'shutdown', exitCode: -9 } });
  expect(await world.job(job)).toMatchObject({ state: 'queued', attempts: 0, interruptions: 1 });
  expect(await world.finished(task)).toBeNull();

  expect(await createWorker(world.deps()).runOnce()).toBe('ran');
  expect(readFileSync(world.path('arguments'), 'utf8').split('\n')[1]).toContain(`--resume ${session}`);
  expect(await world.job(job)).toMatchObject({ state: 'done', interruptions: 1 });
  // What the stopped run had done is still there.
  expect(await world.finished(task)).toMatchObject({ outcome: { kind: 'success' }, published: { committed: true } });
});

it('onStop leave: the agent goes on under its supervisor, and the run stays open for the next worker', async () => {
  const { job, run } = await stopped('leave');
  expect(run.phase).toBe('running');
  expect(await world.deps().launcher.alive(run.folder)).toBe(true);
  expect(await world.job(job)).toMatchObject({ state: 'running', interruptions: 0 });
});
