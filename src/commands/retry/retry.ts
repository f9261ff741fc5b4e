import { Command } from '@commander-js/extra-typings';
import type { App } from '../../app.ts';
import type { JobId, Store } from '../../core/model/index.ts';
import { counted, OrchError } from '../../core/model/index.ts';
import type { CommandContext, CommandModule } from '../shared/contract.ts';
import { taskDocument } from '../shared/documents.ts';

export const define: CommandModule['define'] = (context) =>
  new Command('retry')
    .description('Lifts the hold of tasks and does again what its cause asks for. Says which budget starts again.')
    .argument('<tasks...>', 'task ids, such as ET-012, or numbers of jobs')
    .option('--dry-run', 'only say what would happen')
    .addHelpText(
      'after',
      `
Examples:
  $ orch retry ET-012             lift the hold of ET-012
  $ orch retry ET-012 ET-013      lift the holds of both
  $ orch retry ET-012 --dry-run   what it would do`,
    )
    .action(async (texts, options) => retry(context, texts, options.dryRun === true));

/** One task after the other: what is wrong with one does not keep the others. Ends with the first one's error. */
async function retry(context: CommandContext, texts: string[], dryRun: boolean): Promise<void> {
  const { withApp } = await import('../shared/open.ts');
  await withApp(context, 'command', async (app) => {
    const documents: Record<string, unknown>[] = [];
    const errors: OrchError[] = [];
    for (const text of [...new Set(texts)]) {
      try {
        documents.push(await retryOne(context, app, text, dryRun));
      } catch (error) {
        if (!(error instanceof OrchError)) throw error;
        errors.push(error);
      }
    }
    const [first, ...others] = errors;
    for (const { message, hint } of others) context.output.warn(hint === undefined ? message : `${message}. ${hint}`);
    // One task is one document, as it always was.
    if (context.output.asJson && documents.length > 0)
      context.output.json(texts.length === 1 ? (documents[0] ?? {}) : { tasks: documents });
    if (first !== undefined) throw first;
  });
}

/** @throws OrchError `task_unknown`, `job_unknown`, `not_held` */
async function retryOne(
  context: CommandContext,
  app: App,
  text: string,
  dryRun: boolean,
): Promise<Record<string, unknown>> {
  const [{ operator }, { taskOf, order }, { followUp }] = await Promise.all([
    import('../shared/open.ts'),
    import('../shared/tasks.ts'),
    import('../shared/follow-up.ts'),
  ]);
  const row = await taskOf(app.store, await taskTextOf(app.store, text));
  const { task } = row;
  if (task.hold === null) {
    // Not held, but something of it may wait for a right that was given meanwhile, or was refused.
    const deliveries = dryRun ? 0 : await app.store.reviveEffects(task.id);
    if (deliveries > 0) {
      await followUp(context, app);
      context.output.line(
        `${task.id}: ${counted(deliveries, 'effect')} ${deliveries === 1 ? 'is' : 'are'} delivered again`,
      );
      return { task: taskDocument(await taskOf(app.store, task.id)), deliveries };
    }
    throw new OrchError(`${task.id} is not held: there is nothing to retry`, {
      code: 'not_held',
      hint: `\`orch why ${task.id}\` says what it does.`,
    });
  }
  if (dryRun) {
    context.output.line(`${task.id} is held: ${task.hold.text}`);
    context.output.line(`a retry would: ${lifts[task.hold.lift]}`);
    return { dry_run: true, task: taskDocument(row), lift: task.hold.lift };
  }
  await app.store.reviveEffects(task.id);
  await order(app.store, task.id, { kind: 'command', name: 'retry', by: operator(context.env) });
  await followUp(context, app);
  const [decision] = (await app.store.decisions({ taskId: task.id, limit: 20 })).filter((row) =>
    row.why.rule.startsWith('command.retry'),
  );
  context.output.line(`${task.id}: ${decision?.why.sentence ?? 'the hold is lifted at the next tick'}`);
  if (decision?.why.rule === 'command.retry-refused') context.exitWith('failed');
  return { task: taskDocument(await taskOf(app.store, task.id)), decision: decision?.why.sentence ?? null };
}

const lifts = {
  rerun: 'lift the hold and run the stage\u2019s agent again',
  rejudge: 'lift the hold and ask the gate again',
  redeliver: 'lift the hold and deliver again what was refused',
} as const;

/** A job's number stands for its task. */
async function taskTextOf(store: Store, text: string): Promise<string> {
  if (!/^\d+$/.test(text)) return text;
  const job = await store.job(text as JobId);
  if (job?.taskId != null) return job.taskId;
  throw new OrchError(`there is no job ${text} of a task`, {
    code: 'job_unknown',
    hint: '`orch status --queue` lists the last jobs.',
  });
}
