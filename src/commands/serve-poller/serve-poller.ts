import { Command } from '@commander-js/extra-typings';
import type { App } from '../../app.ts';
import type { TickReport } from '../../pollers/poll-once.ts';
import type { CommandContext, CommandModule } from '../shared/contract.ts';

export const define: CommandModule['define'] = (context) =>
  new Command('serve-poller')
    .description(
      'Looks at Plane and Gitea on a schedule, decides what follows, and delivers it. One poller leads; others wait.',
    )
    .option('--once', 'one tick, then end: for cron')
    .option('--schedule <cron>', 'when to look, with seconds, such as "*/30 * * * * *"')
    .addHelpText(
      'after',
      `
Examples:
  $ orch serve-poller                     look every 30 seconds until stopped
  $ orch serve-poller --once              one tick from cron
  $ orch serve-poller --schedule "0 * * * * *"   every full minute`,
    )
    .action(async (options) => {
      const flags = { 'poll.schedule': options.schedule };
      const { withApp } = await import('../shared/open.ts');
      await withApp(
        context,
        'service',
        (app) => (options.once === true ? once(context, app) : serve(context, app)),
        flags,
      );
    });

/** One tick. Ends with the first problem's exit code, after everything else of the tick was done. */
async function once(context: CommandContext, app: App): Promise<void> {
  const { createPoller } = await import('../../pollers/schedule.ts');
  const report = await createPoller(app.engine, app.config, repairOf(app)).tick(context.signal);
  if (report === null) {
    if (context.output.asJson) context.output.json({ leading: false });
    return context.output.note('another poller leads; nothing to do');
  }
  if (context.output.asJson) context.output.json(document(report));
  const first = report.problems[0];
  if (first !== undefined) {
    for (const { what, error } of report.problems.slice(1)) context.output.warn(`${what}: ${error.message}`);
    throw first.error;
  }
}

function document(report: TickReport): Record<string, unknown> {
  return {
    leading: true,
    decisions: report.decisions,
    delivered: report.delivered,
    behind: report.behind,
    problems: report.problems.map(({ what, error }) => ({ what, code: error.code, message: error.message })),
  };
}

async function serve(context: CommandContext, app: App): Promise<void> {
  const [{ createPoller }, { serviceManager }] = await Promise.all([
    import('../../pollers/schedule.ts'),
    import('../../core/platform/sd-notify.ts'),
  ]);
  const manager = serviceManager(context.env);
  await createPoller(app.engine, app.config, repairOf(app)).serve(context.signal, manager);
}

/** What a tick repairs before it looks, and once a day removes and packs. */
function repairOf(app: App): () => Promise<void> {
  return async () => {
    const [{ recover }, { retain }] = await Promise.all([
      import('../../core/worker/repairs.ts'),
      import('../../core/worker/retention.ts'),
    ]);
    const deps = app.workerDeps(async () => {});
    await recover(deps, { dryRun: false });
    await retain(deps, { dryRun: false, when: 'due' });
  };
}
