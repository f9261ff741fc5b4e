import { Command } from '@commander-js/extra-typings';
import type { App } from '../../app.ts';
import { chatLane } from '../../core/pipeline/channels.ts';
import type { Recovery } from '../../core/worker/repairs.ts';
import type { CommandContext, CommandModule } from '../shared/contract.ts';

export const define: CommandModule['define'] = (context) =>
  new Command('recover')
    .description(
      'Repairs what crashes, reboots and manual changes left behind, and names what only a person can decide. Safe at any time.',
    )
    .option('--dry-run', 'only say what would be done')
    .option('--retention', 'also remove and pack now what is older than `retention` says, instead of once a day')
    .addHelpText(
      'after',
      `
Examples:
  $ orch recover --dry-run
  $ orch recover --retention
  $ orch recover --json`,
    )
    .action(async (options) => {
      const dryRun = options.dryRun === true;
      const [{ withApp }, { recover }, { retain }, { followUp }] = await Promise.all([
        import('../shared/open.ts'),
        import('../../core/worker/repairs.ts'),
        import('../../core/worker/retention.ts'),
        import('../shared/follow-up.ts'),
      ]);
      // Looking makes nothing: without a database nothing can have been left behind.
      if (dryRun && !(await hasDatabase(context))) return print(context, nothing, dryRun);
      await withApp(context, 'command', async (app) => {
        const deps = app.workerDeps(async () => {});
        const repaired = await recover(deps, { dryRun });
        if (repaired.fixed.length > 0) {
          await announce(app, repaired.fixed);
          await followUp(context, app);
        }
        const retained = await retain(deps, { dryRun, when: options.retention === true || dryRun ? 'now' : 'due' });
        print(context, together(repaired, retained), dryRun);
      });
    });

async function hasDatabase(context: CommandContext): Promise<boolean> {
  const [{ isDatabaseMade }, { databaseOf }] = await Promise.all([
    import('../../core/store/open.ts'),
    import('../../core/config/database.ts'),
  ]);
  return isDatabaseMade(databaseOf((await context.loadConfig()).config));
}

function together(a: Recovery, b: Recovery): Recovery {
  return {
    found: [...a.found, ...b.found],
    fixed: [...a.fixed, ...b.fixed],
    left: [...a.left, ...b.left],
    needsPerson: [...a.needsPerson, ...b.needsPerson],
  };
}

const nothing: Recovery = { found: [], fixed: [], left: [], needsPerson: [] };

/** One alert for what was repaired; a line each would flood the chat. */
async function announce(app: App, fixed: string[]): Promise<void> {
  const lines = fixed.slice(0, 20);
  const notice = { taskId: null, title: '', body: { event: 'recovered' as const, lines }, links: {} };
  const body = { kind: 'chat.message' as const, notice, alert: true };
  await app.store.announce([{ key: `recovered/${app.store.now()}`, lane: chatLane, body }]);
}

function print({ output }: CommandContext, report: Recovery, dryRun: boolean): void {
  if (output.asJson)
    return output.json({
      dry_run: dryRun,
      found: report.found,
      fixed: report.fixed,
      left: report.left,
      needs_person: report.needsPerson,
    });
  if (report.found.length === 0 && report.needsPerson.length === 0) return output.line('nothing to recover');
  const asIs = new Set([...report.left, ...report.needsPerson]);
  for (const line of dryRun ? report.found.filter((one) => !asIs.has(one)) : report.fixed)
    output.line(dryRun ? 'would repair: ' : 'repaired: ', line);
  for (const line of report.left) output.line('goes on: ', line);
  for (const line of report.needsPerson) output.line({ text: 'needs a person: ', style: 'warning' }, line);
}
