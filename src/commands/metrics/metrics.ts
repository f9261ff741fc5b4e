import { Command } from '@commander-js/extra-typings';
import type { CommandModule } from '../shared/contract.ts';

export const define: CommandModule['define'] = (context) =>
  new Command('metrics')
    .description('Prints counts, ages and costs as Prometheus text, read from the database.')
    .addHelpText(
      'after',
      `
Examples:
  $ orch metrics
  $ orch metrics > orch.prom.$$ && mv orch.prom.$$ /var/lib/node_exporter/orch.prom     from a timer

Rename, as above: node_exporter's textfile collector must not see half a file.`,
    )
    .action(async () => {
      const [{ withStore }, { readAlive }, { readMetrics, metricsText }, { version }] = await Promise.all([
        import('../shared/open.ts'),
        import('../shared/alive.ts'),
        import('./metrics-text.ts'),
        import('../shared/version.ts'),
      ]);
      await withStore(
        context,
        async (store, config) => {
          const alive = await readAlive(store, config.worker.leaseMs, await store.runningJobs(null));
          const metrics = await readMetrics(store, alive, version());
          if (context.output.asJson) context.output.json({ metrics });
          else context.output.data(metricsText(metrics));
        },
        { readonly: true },
      );
    });
