import { Command, InvalidArgumentError } from '@commander-js/extra-typings';
import type { App } from '../../app.ts';
import type { Stage, TaskRow } from '../../core/model/index.ts';
import { OrchError, isFinal } from '../../core/model/index.ts';
import type { CommandContext, CommandModule } from '../shared/contract.ts';
import { taskDocument } from '../shared/documents.ts';

/** Any stage that a pipeline may name; whether the task's has it is known later. */
function stage(text: string): Stage {
  if (!/^[a-z][a-z0-9-]*$/.test(text) || text === 'created' || text === 'cancelled')
    throw new InvalidArgumentError('the name of a stage, such as testing, or done');
  return text;
}

interface Options {
  to?: Stage | undefined;
  force?: true | undefined;
  dryRun?: true | undefined;
}

export const define: CommandModule['define'] = (context) =>
  new Command('advance')
    .description(
      'Asks the gate of a task now and moves it on if the gate passes. Exit 8 when it is pending, 1 when it failed.',
    )
    .argument('<task>', 'task id, such as ET-012')
    .option('--to <stage>', 'with --force: the stage to move to', stage)
    .option('--force', 'move without asking the gate; the journal and the work item say who did')
    .option('--dry-run', 'only say what the gate answers')
    .addHelpText(
      'after',
      `
Examples:
  $ orch advance ET-012                         ask the gate, move on if it passes
  $ orch advance ET-012 --dry-run               what the gate says
  $ orch advance ET-012 --to testing --force    move it by hand`,
    )
    .action(async (text, options) => {
      if (options.to !== undefined && options.force !== true) {
        throw new OrchError('--to needs --force', {
          code: 'usage',
          hint: 'Without --force a task only moves to its next stage, when its gate passes.',
        });
      }
      const [{ withApp }, { taskOf }] = await Promise.all([import('../shared/open.ts'), import('../shared/tasks.ts')]);
      await withApp(context, 'command', async (app) => {
        const row = await taskOf(app.store, text);
        if (isFinal(row.task.stage))
          throw new OrchError(`${row.task.id} is ${row.task.stage}`, {
            code: 'task_final',
            hint: 'A task that has ended cannot be advanced.',
          });
        const { task } = row;
        if (
          options.to !== undefined &&
          options.to !== 'done' &&
          !(task.pipelineStages as Stage[]).includes(options.to)
        ) {
          throw new OrchError(`the pipeline ${task.pipeline} of ${task.id} has no stage ${options.to}`, {
            code: 'stage_not_in_pipeline',
            hint: `Its stages: ${task.pipelineStages.join(', ')}, done.`,
          });
        }
        if (options.force === true && options.dryRun !== true) return force(context, app, row, options);
        return ask(context, app, row, options);
      });
    });

async function force(context: CommandContext, app: App, row: TaskRow, options: Options): Promise<void> {
  const [{ operator }, { order, taskOf }, { followUp }] = await Promise.all([
    import('../shared/open.ts'),
    import('../shared/tasks.ts'),
    import('../shared/follow-up.ts'),
  ]);
  if (row.task.stage === 'created')
    throw new OrchError(`${row.task.id} has no branch yet`, {
      code: 'task_created',
      hint: 'Correct the work item; the task then starts without a command.',
    });
  await order(app.store, row.task.id, {
    kind: 'command',
    name: 'advance',
    by: operator(context.env),
    to: options.to ?? null,
    force: true,
  });
  await followUp(context, app);
  const after = await taskOf(app.store, row.task.id);
  context.output.line(
    after.task.stage === row.task.stage
      ? `${row.task.id}: ordered; it moves when its agent has stopped`
      : `${row.task.id}: ${row.task.stage} → ${after.task.stage} (forced)`,
  );
  if (context.output.asJson) context.output.json({ task: taskDocument(after), forced: true });
}

/** Judges the gate with fresh evidence; moving on is the engine's own decision, not this command's. */
async function ask(context: CommandContext, app: App, row: TaskRow, options: Options): Promise<void> {
  const [{ judge }, { reconcile }, { followUp }, { taskOf }] = await Promise.all([
    import('../../core/engine/judge.ts'),
    import('../../core/engine/reconcile.ts'),
    import('../shared/follow-up.ts'),
    import('../shared/tasks.ts'),
  ]);
  const answer = await judge(row.task.id, app.engine);
  if (options.dryRun !== true && answer.status === 'pass') {
    await reconcile(row.task.id, app.engine);
    await followUp(context, app);
  }
  const after = await taskOf(app.store, row.task.id);
  const moved = after.task.stage !== row.task.stage;
  context.output.line(
    moved
      ? `${row.task.id}: ${row.task.stage} → ${after.task.stage}`
      : `${row.task.id}: ${answer.status}: ${answer.reason}`,
  );
  if (context.output.asJson) context.output.json({ task: taskDocument(after), gate: answer, moved });
  if (answer.status === 'pending') context.exitWith('pending');
  if (answer.status === 'fail') context.exitWith('failed');
}
