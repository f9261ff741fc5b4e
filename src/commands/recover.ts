import { Command } from '@commander-js/extra-typings';
import type { CommandModule } from './contract.ts';

export const define: CommandModule['define'] = (context) =>
  new Command('recover')
    .description(
      'Mends what crashes, reboots and hands left behind, and names what only a person can decide. Safe at any time.',
    )
    .option('--dry-run', 'only say what would be done')
    .addHelpText(
      'after',
      `
Examples:
  $ orch recover --dry-run
  $ orch recover --json`,
    )
    .action(async (options) => {
      const dryRun = options.dryRun === true;
      const [{ withApp }, { recover }, { followUp }] = await Promise.all([
        import('./open.ts'),
        import('../core/worker/repairs.ts'),
        import('./follow-up.ts'),
      ]);
      await withApp(context, 'command', async (app) => {
        const report = await recover(
          app.workerDeps(async () => {}),
          { dryRun },
        );
        if (!dryRun && report.fixed.length > 0) {
          const lines = report.fixed.slice(0, 20);
          const notice = { taskId: null, title: '', body: { event: 'recovered' as const, lines }, links: {} };
          await app.store.announce([
            {
              key: `recovered/${app.store.now()}`,
              lane: 'telegram',
              body: { kind: 'telegram.message', notice, alert: true },
            },
          ]);
          await followUp(context, app);
        }
        const { output } = context;
        if (output.asJson)
          return output.json({
            dry_run: dryRun,
            found: report.found,
            fixed: report.fixed,
            needs_person: report.needsPerson,
          });
        if (report.found.length === 0 && report.needsPerson.length === 0) return output.line('nothing to recover');
        for (const line of dryRun ? report.found : report.fixed)
          output.line(dryRun ? 'would mend: ' : 'mended: ', line);
        for (const line of report.needsPerson) output.line({ text: 'needs a person: ', style: 'warning' }, line);
      });
    });
