import { Command } from '@commander-js/extra-typings';
import type { CommandModule } from '../shared/contract.ts';

export const define: CommandModule['define'] = (context) =>
  new Command('cancel')
    .description('Cancels a task: its jobs are cancelled, a running agent is stopped, branch and workspace are kept.')
    .argument('<task>', 'task id, such as ET-012')
    .addHelpText(
      'after',
      `
Examples:
  $ orch cancel ET-012`,
    )
    .action(async (text) => {
      const { orderTask } = await import('../shared/order-task.ts');
      await orderTask(context, text, 'cancel');
    });
