import { Command } from '@commander-js/extra-typings';
import type { Config } from '../../core/config/config.ts';
import type { ExitName, Store } from '../../core/model/index.ts';
import { isFinal, OrchError } from '../../core/model/index.ts';
import type { Output } from '../../ui/output.ts';
import type { CommandContext, CommandModule } from '../shared/contract.ts';
import { numberOption } from '../shared/numbers.ts';
import { eventDocument } from '../shared/documents.ts';

interface StatusOptions {
  queue?: true | undefined;
  events?: true | undefined;
  watch?: true | undefined;
  exitCode?: true | undefined;
  all?: true | undefined;
  interval: number;
}

/** What one look found out in addition to what it printed. */
interface Look {
  exit: ExitName;
  /** Nothing more will change: a watch may end. */
  over: boolean;
}

export const define: CommandModule['define'] = (context) =>
  new Command('status')
    .description(
      'Shows whether orch is alive, what runs, what waits for whom, and what is stuck, with the command that continues it.',
    )
    .argument('[task]', 'one task, such as ET-012: its stages, runs, cost and budgets')
    .option('--queue', 'jobs by state, concurrency, the circuit breaker, what is not delivered')
    .option('--events', 'the last decisions')
    .option('--all', 'finished tasks too')
    .option('--watch', 'look again and again until stopped; of one task until it is finished')
    .option('--interval <seconds>', 'how often --watch looks', numberOption('any', 0.2, 3600, 'seconds'), 2)
    .option(
      '--exit-code',
      'exit 7 when poller or worker was not seen within its lease, 8 when something is not finished',
    )
    .addHelpText(
      'after',
      `
Examples:
  $ orch status
  $ orch status ET-012 --watch
  $ orch status --queue --json | jq .agent_breaker
  $ orch status --exit-code >/dev/null || echo "look at orch"

Through a pipe every row begins with its kind (poller, worker, task …); fields are tab separated and never cut.`,
    )
    .action((task, options) => status(context, task, options));

async function status(context: CommandContext, text: string | undefined, options: StatusOptions): Promise<void> {
  if (options.queue === true && (options.events === true || text !== undefined))
    throw new OrchError('--queue stands alone', {
      code: 'usage',
      hint: 'The queue belongs to no task; ask for one view at a time.',
    });
  const { withStore } = await import('../shared/open.ts');
  await withStore(
    context,
    async (store, config) => {
      const found = { exit: 'ok' as ExitName };
      const frame = async (output: Output): Promise<'more' | 'done'> => {
        const look = await show(output, store, config, text, options);
        found.exit = look.exit;
        return look.over ? 'done' : 'more';
      };
      if (options.watch === true) await watchWith(context, options.interval, frame);
      else await frame(context.output);
      if (options.exitCode === true) context.exitWith(found.exit);
    },
    { readonly: true },
  );
}

async function watchWith(
  context: CommandContext,
  interval: number,
  frame: (output: Output) => Promise<'more' | 'done'>,
): Promise<void> {
  const [{ watch }, { systemClock }] = await Promise.all([
    import('../../ui/watch.ts'),
    import('../../core/platform/clock.ts'),
  ]);
  await watch({
    output: context.output,
    intervalMs: interval * 1000,
    signal: context.signal,
    clock: systemClock,
    frame,
  });
}

async function show(
  output: Output,
  store: Store,
  config: Config,
  text: string | undefined,
  options: StatusOptions,
): Promise<Look> {
  if (options.queue === true) return showQueue(output, store, config);
  if (options.events === true) return showEvents(output, store, config, text);
  if (text !== undefined) return showTask(output, store, config, text);
  const [{ readOverview, overviewDocument }, { printOverview }] = await Promise.all([
    import('../shared/overview.ts'),
    import('./status-view.ts'),
  ]);
  const overview = await readOverview(store, config, options.all === true);
  if (output.asJson) output.json(overviewDocument(overview));
  else await printOverview(output, overview, options.all === true);
  return lookOf(store, config);
}

async function showTask(output: Output, store: Store, config: Config, text: string): Promise<Look> {
  const [{ taskOf }, { readTaskFacts, taskFactsDocument }, { printTask }] = await Promise.all([
    import('../shared/tasks.ts'),
    import('../shared/task-facts.ts'),
    import('./status-task.ts'),
  ]);
  const row = await taskOf(store, text);
  const facts = await readTaskFacts(store, config, row);
  if (output.asJson) output.json(taskFactsDocument(facts));
  else await printTask(output, facts);
  const over = isFinal(row.task.stage) && row.liveJob === null && row.pendingEffects === 0;
  const { exit } = await lookOf(store, config);
  return { exit: exit === 'notRunning' ? exit : over ? 'ok' : 'pending', over };
}

async function showQueue(output: Output, store: Store, config: Config): Promise<Look> {
  const { readQueue, queueDocument, printQueue } = await import('./status-queue.ts');
  const queue = await readQueue(store, config);
  if (output.asJson) output.json(queueDocument(queue));
  else await printQueue(output, queue);
  return lookOf(store, config);
}

/** Decisions that `--events` shows. */
const lastEvents = 20;

async function showEvents(output: Output, store: Store, config: Config, text: string | undefined): Promise<Look> {
  const [{ printEvents }, { taskOf }] = await Promise.all([import('./status-events.ts'), import('../shared/tasks.ts')]);
  const one = text === undefined ? {} : { taskId: (await taskOf(store, text)).task.id };
  const rows = await store.decisions({ ...one, limit: lastEvents });
  if (output.asJson) output.json({ decisions: rows.map(eventDocument) });
  else await printEvents(output, rows, store.now());
  return lookOf(store, config);
}

async function lookOf(store: Store, config: Config): Promise<Look> {
  const [{ isPending, isRunning }, { readAlive }] = await Promise.all([
    import('../shared/overview.ts'),
    import('../shared/alive.ts'),
  ]);
  const [running, totals, queue] = await Promise.all([store.runningJobs(null), store.totals(), store.queueCounts()]);
  const alive = await readAlive(store, config.worker.leaseMs, running);
  return { exit: !isRunning(alive) ? 'notRunning' : isPending({ totals, queue }) ? 'pending' : 'ok', over: false };
}
