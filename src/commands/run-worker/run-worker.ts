import { Command } from '@commander-js/extra-typings';
import type { App } from '../../app.ts';
import type { RepairDeps } from '../../core/worker/repairs/repair.ts';
import type { Worker } from '../../core/worker/worker.ts';
import type { CommandContext, CommandModule } from '../shared/contract.ts';
import { numberOption } from '../shared/numbers.ts';

export const define: CommandModule['define'] = (context) =>
  new Command('run-worker')
    .description(
      'Runs agents: claims queued jobs, supervises their runs, publishes their work. Any number of workers may run.',
    )
    .option('--once', 'one job to its end, then end; exit 0 also when there is none')
    .option('--until-empty', 'until nothing is due; delayed jobs are left')
    .option('--concurrency <n>', 'most agents at the same time on this host', numberOption('whole', 1, 64))
    .addHelpText(
      'after',
      `
Examples:
  $ orch run-worker                   until stopped
  $ orch run-worker --until-empty     from cron
  $ orch run-worker --concurrency 2   two agents at a time`,
    )
    .action(async (options) => {
      const flags = { 'worker.maxConcurrency': options.concurrency };
      const { withApp } = await import('../shared/open.ts');
      await withApp(context, 'service', (app) => work(context, app, options), flags);
    });

async function work(
  context: CommandContext,
  app: App,
  options: { once?: true | undefined; untilEmpty?: true | undefined },
): Promise<void> {
  const [{ createWorker }, { recover }, { sharedRounds }, { serviceManager }] = await Promise.all([
    import('../../core/worker/worker.ts'),
    import('../../core/worker/repairs.ts'),
    import('../../core/engine/rounds.ts'),
    import('../../core/platform/sd-notify.ts'),
  ]);
  // What follows from a settled run is decided at once, so that the next job need not wait for the poller.
  const decide = sharedRounds(app.engine, context.signal);
  const deps = app.workerDeps(decide);
  await recover(deps, { dryRun: false });
  await decide();
  const worker = createWorker(deps);
  if (options.once === true || options.untilEmpty === true) {
    await report(app, deps, worker);
    const done =
      options.once === true
        ? { result: await worker.runOnce(context.signal) }
        : { runs: await worker.runUntilEmpty(context.signal) };
    await report(app, deps, worker);
    if (context.output.asJson) context.output.json(done);
    return;
  }
  const manager = serviceManager(context.env);
  await manager.ready('waiting for jobs');
  try {
    await worker.serve(context.signal);
  } finally {
    await manager.stopping('draining');
  }
}

/** Under cron there is no process to see: the last one that ran says that the host is worked on, and what kept it from that. */
async function report(app: App, deps: RepairDeps, worker: Worker): Promise<void> {
  const detail = { concurrency: deps.config.maxConcurrency, runs: [], claiming: worker.claiming() };
  await app.store.heartbeat({ name: `worker@${deps.host}`, owner: app.owner, kind: 'worker', detail });
}
