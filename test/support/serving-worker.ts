import type { App } from '../../src/app.ts';
import { sharedRounds } from '../../src/core/engine/rounds.ts';
import { bootId, readProcess } from '../../src/core/platform/processes.ts';
import { createWorker } from '../../src/core/worker/worker.ts';

/**
 * The worker of an app, with an owner of its own, as the two services have. Under one owner they would share their row of
 * the processes table, and the worker's heartbeat would wipe out what the poller says of its last tick. The owner is one
 * that lives: the process that started this one.
 */
export function servingWorker(app: App): ReturnType<typeof createWorker> {
  const deps = app.workerDeps(sharedRounds(app.engine));
  const owner = [deps.host, bootId(), process.ppid, readProcess(process.ppid)?.start ?? '0'].join('|');
  return createWorker({ ...deps, owner });
}
