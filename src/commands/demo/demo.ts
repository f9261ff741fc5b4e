import { Command } from '@commander-js/extra-typings';
import type { App } from '../../app.ts';
import { OrchError } from '../../core/model/index.ts';
import type { DemoEnd } from '../../sandbox/demo/drive.ts';
import type { DemoSite } from '../../sandbox/demo/site.ts';
import type { Progress } from '../../ui/output.ts';
import type { CommandContext, CommandModule } from '../shared/contract.ts';
import { numberOption } from '../shared/numbers.ts';

interface DemoFlags {
  keep?: true | undefined;
  dir?: string | undefined;
  limit: number;
}

export const define: CommandModule['define'] = (context) =>
  new Command('demo')
    .description(
      'Takes a work item through all stages on a sandbox of its own: Plane, Gitea, CI, Telegram and six scripted agents, on this machine only. Nothing to configure, no account, no cost; everything else is the real program.',
    )
    .option('--keep', 'leave the sandbox up at the end, to be explored, until Ctrl-C')
    .option('--dir <folder>', 'keep everything in this new or empty folder')
    .option('--limit <seconds>', 'give up after this long', numberOption('any', 1, 3600, 'seconds'), 60)
    .addHelpText(
      'after',
      `
Examples:
  $ orch demo                  see the whole line work, under a minute
  $ orch demo --keep           and look around in it with the other commands
  $ orch demo --json | jq .pull_request`,
    )
    .action((options) => demo(context, options));

async function demo(context: CommandContext, flags: DemoFlags): Promise<void> {
  const [{ demoFolder }, { stopSignal }, { buildDemo }] = await Promise.all([
    import('./folder.ts'),
    import('../shared/signals.ts'),
    import('../../sandbox/demo/site.ts'),
  ]);
  const folder = demoFolder(flags.dir, context.cwd);
  const signal = stopSignal(() => context.output, 'stopping and cleaning up; a second signal ends the demo at once');
  try {
    const site = await buildDemo(folder.root, context.env);
    try {
      await perform(context, site, flags, signal);
    } finally {
      await site.close();
    }
  } finally {
    folder.remove();
  }
  if (folder.named) context.output.note(`everything is still in ${folder.root}`);
}

async function perform(context: CommandContext, site: DemoSite, flags: DemoFlags, signal: AbortSignal): Promise<void> {
  const { output } = context;
  const app = await openDemo(context, site);
  try {
    const startedAt = app.store.now();
    const end = await drive(context, app, site, flags, signal);
    if (end.end === 'stopped') {
      output.note('stopped; nothing of the demo is left running');
      return context.exitWith('failed');
    }
    const [{ collectReport }, print] = await Promise.all([import('./report.ts'), import('./print.ts')]);
    if (end.end === 'late') throw await tooLate(context, app, end, flags);
    const report = await collectReport(app, site, end, startedAt);
    const kept = flags.keep === true;
    if (output.asJson) output.json(print.reportDocument(report, kept ? site : null));
    else await print.printReport(output, report, kept);
    if (!kept) return;
    print.printKept(output, site, report);
    if (!signal.aborted)
      await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
  } finally {
    await app.close();
  }
}

/** The real program on the sandbox's configuration; its log shows with `--verbose` only. */
async function openDemo(context: CommandContext, site: DemoSite): Promise<App> {
  const [{ loadConfig }, { createSecrets }, { openApp }, { systemClock }, { silentLog, lineLog }, { Redactor }] =
    await Promise.all([
      import('../../core/config/load.ts'),
      import('../../core/config/secrets.ts'),
      import('../../app.ts'),
      import('../../core/platform/clock.ts'),
      import('../../core/platform/log.ts'),
      import('../../core/platform/redact.ts'),
    ]);
  // The tokens are the sandbox's own and are shown by --keep, so the program's own redactor does not learn them.
  const redactor = new Redactor();
  const env = { ...site.env };
  const { config } = await loadConfig({ env, cwd: site.root, file: site.file });
  const log = context.output.verbose ? lineLog('debug', redactor, (line) => context.output.logLine(line)) : silentLog;
  const secrets = createSecrets(env, redactor);
  return openApp({ config, secrets, redactor, env, clock: systemClock, log, mode: 'service' });
}

async function drive(
  context: CommandContext,
  app: App,
  site: DemoSite,
  flags: DemoFlags,
  signal: AbortSignal,
): Promise<DemoEnd> {
  const { output } = context;
  const [{ driveDemo }, { eventLine, nowDoing }, { systemClock }] = await Promise.all([
    import('../../sandbox/demo/drive.ts'),
    import('./lines.ts'),
    import('../../core/platform/clock.ts'),
  ]);
  const startedAt = app.store.now();
  const progress: Progress = await output.progress('the sandbox is up: Plane, Gitea, CI, Telegram');
  try {
    return await driveDemo(app, site, {
      clock: systemClock,
      limitMs: flags.limit * 1000,
      signal,
      report: (event) => {
        progress.log(...eventLine(event, startedAt, output.terminal));
        progress.update(nowDoing(event));
      },
    });
  } finally {
    progress.stop();
  }
}

/** The demonstration did not get there in time: where it stands, and why. */
async function tooLate(context: CommandContext, app: App, end: DemoEnd, flags: DemoFlags): Promise<OrchError> {
  const row = await app.store.task(end.taskId);
  const [last] = await app.store.decisions({ taskId: end.taskId, limit: 1 });
  const where = row === null ? 'orch has not seen the work item yet' : `it stands in ${row.task.stage}`;
  const why = row?.task.hold?.text ?? last?.why.sentence ?? 'no decision was made';
  return new OrchError(`${end.taskId} was not done within ${flags.limit} s: ${where}: ${why}`, {
    code: 'demo_late',
    hint: 'On a slow machine give it more time: `orch demo --limit 300`; --verbose shows what it does.',
  });
}
