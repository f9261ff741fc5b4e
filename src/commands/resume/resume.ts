import { Command } from '@commander-js/extra-typings';
import { OrchError } from '../../core/model/index.ts';
import type { CommandContext, CommandModule } from '../shared/contract.ts';

export const define: CommandModule['define'] = (context) =>
  new Command('resume')
    .description('Resumes a paused task, or all agents when the circuit breaker has paused them.')
    .argument('[task]', 'task id, such as ET-012')
    .option('--agents', 'close the circuit breaker: agents start again at once, whatever it waits for')
    .addHelpText(
      'after',
      `
Examples:
  $ orch resume ET-012
  $ orch resume --agents   a limit was raised, a login renewed`,
    )
    .action(async (text, options) => {
      const agents = options.agents === true;
      if (agents === (text !== undefined))
        throw new OrchError('name a task, or give --agents', {
          code: 'usage',
          hint: '`orch status` lists the tasks, and says whether the agents are paused.',
        });
      if (text === undefined) return resumeAgents(context);
      const { orderTask } = await import('../shared/order-task.ts');
      await orderTask(context, text, 'resume');
    });

async function resumeAgents(context: CommandContext): Promise<void> {
  const [{ withApp }, { followUp }, breaker] = await Promise.all([
    import('../shared/open.ts'),
    import('../shared/follow-up.ts'),
    import('../../core/worker/breaker.ts'),
  ]);
  await withApp(context, 'command', async (app) => {
    const before = await breaker.resumeAgents(app.workerDeps(async () => {}));
    if (before !== null) await followUp(context, app);
    context.output.line(
      before === null ? 'agents may start already' : `agents may start again; they were paused: ${before.detail}`,
    );
    context.output.json({ resumed: before !== null, reason: before?.reason ?? null });
  });
}
