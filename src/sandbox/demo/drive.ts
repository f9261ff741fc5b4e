import { runRounds } from '../../core/engine/rounds.ts';
import type { LauncherPort, Store, TaskId } from '../../core/model/index.ts';
import { isFinal, taskIdOf } from '../../core/model/index.ts';
import type { Clock } from '../../core/platform/clock.ts';
import type { RepairDeps } from '../../core/worker/repairs/repair.ts';
import { createWorker } from '../../core/worker/worker.ts';
import type { PollerParts } from '../../pollers/poll-once.ts';
import { createPoller, type PollerConfig } from '../../pollers/schedule.ts';
import type { WorkItem } from '../plane/state.ts';
import { createSpectator, type DemoEvent } from './events.ts';
import type { DemoSite } from './site.ts';

/** The program put together, as far as the demonstration drives it. */
export interface DemoProgram {
  store: Store;
  launcher: LauncherPort;
  engine: PollerParts;
  config: PollerConfig;
  workerDeps(onTask: RepairDeps['onTask']): RepairDeps;
}

export interface DemoOptions {
  clock: Clock;
  /** Longest time until the task must be done, milliseconds. */
  limitMs: number;
  signal: AbortSignal;
  report: (event: DemoEvent) => void;
}

export interface DemoEnd {
  end: 'done' | 'stopped' | 'late';
  taskId: TaskId;
  item: WorkItem;
}

/** Pause between two ticks, milliseconds: what is waited for is a server's background work of a few milliseconds. */
const pauseMs = 15;

/**
 * Takes a work item from Plane to the merge: the poller's ticks and the worker of the real program in turn, in this
 * process, agents as processes of their own, and a person's answer when orch asks for it.
 */
export async function driveDemo(program: DemoProgram, site: DemoSite, options: DemoOptions): Promise<DemoEnd> {
  const { engine, config, store } = program;
  const { clock, report } = options;
  const late = AbortSignal.timeout(options.limitMs);
  const signal = AbortSignal.any([options.signal, late]);
  const rounds = { decisions: 0, delivered: 0, problems: [] };
  const poller = createPoller(engine, config, async () => {});
  const worker = createWorker(program.workerDeps(() => runRounds(rounds, engine, signal)));
  // First contact starts nothing: only items made after it enter (spec 4.1).
  await poller.tick(signal);
  const item = site.writeItem();
  const taskId = taskIdOf(site.world.project.identifier, item.sequence);
  const spectator = createSpectator(store, taskId, report);
  const unwatch = store.onChange(() => void spectator.look().catch(() => undefined));
  let answered = false;
  try {
    while (!signal.aborted) {
      await poller.tick(signal);
      await worker.runUntilEmpty(signal);
      await spectator.look();
      const task = (await store.task(taskId))?.task;
      if (task !== undefined && isFinal(task.stage)) return { end: 'done', taskId, item };
      if (task?.hold?.cause === 'approval' && !answered) {
        answered = true;
        const text = site.approve(item);
        report({ at: clock.now(), kind: 'answered', by: site.world.people.lead.displayName, text });
      }
      await clock.sleep(pauseMs, signal);
    }
    return { end: options.signal.aborted ? 'stopped' : 'late', taskId, item };
  } finally {
    unwatch();
    await poller.release();
    await spectator.look();
    await endRuns(program);
  }
}

/** Agents outlive the program on purpose; those of a demonstration that ends early are ended with it. */
async function endRuns({ store, launcher }: DemoProgram): Promise<void> {
  for (const { run } of await store.runningJobs(null)) if (run.folder !== '') await launcher.kill(run.folder, 'cancel');
}
