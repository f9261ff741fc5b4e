import { Command } from '@commander-js/extra-typings';
import type { CommandContext, CommandModule } from '../shared/contract.ts';

export const define: CommandModule['define'] = (context) =>
  new Command('reopen')
    .description(
      'Takes a cancellation back, or an end that somebody set in the work item: the task goes on where it was, whatever the item shows.',
    )
    .argument('<task>', 'task id, such as ET-012')
    .addHelpText(
      'after',
      `
Examples:
  $ orch reopen ET-012`,
    )
    .action(async (text) => reopenTask(context, text));

async function reopenTask(context: CommandContext, text: string): Promise<void> {
  const [{ withApp, operator }, { taskOf }, { followUp }, { taskDocument }, { reopen }, { OrchError }] =
    await Promise.all([
      import('../shared/open.ts'),
      import('../shared/tasks.ts'),
      import('../shared/follow-up.ts'),
      import('../shared/documents.ts'),
      import('../../core/engine/reopen.ts'),
      import('../../core/model/index.ts'),
    ]);
  await withApp(context, 'command', async (app) => {
    const { task } = await taskOf(app.store, text);
    const policy = app.engine.policyOf(task);
    if (policy === null)
      throw new OrchError(`the project of ${task.id} is not configured`, {
        code: 'project_not_registered',
        hint: 'Add it under `projects` of the configuration.',
      });
    await reopen(task, operator(context.env), policy, app);
    await followUp(context, app);
    const [last] = (await app.store.decisions({ taskId: task.id, limit: 20 })).filter(({ why }) =>
      why.rule.startsWith('command.re'),
    );
    if (last?.why.rule === 'command.reopen-refused')
      throw new OrchError(`${task.id}: ${last.why.sentence}`, {
        code: 'task_final',
        hint: `See \`orch why ${task.id}\`.`,
      });
    context.output.line(`${task.id}: ${last?.why.sentence ?? 'noted for the next tick'}`);
    if (context.output.asJson) context.output.json({ task: taskDocument(await taskOf(app.store, task.id)) });
  });
}
