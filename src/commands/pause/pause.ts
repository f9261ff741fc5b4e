import { Command } from '@commander-js/extra-typings';
import type { CommandModule } from '../shared/contract.ts';

export const define: CommandModule['define'] = (context) =>
  new Command('pause')
    .description('Pauses a task: nothing new is started for it until it is resumed; a running agent goes on.')
    .argument('<task>', 'task id, such as ET-012')
    .addHelpText(
      'after',
      `
Examples:
  $ orch pause ET-012`,
    )
    .action(async (text) => {
      const { orderTask } = await import('../shared/order-task.ts');
      await orderTask(context, text, 'pause');
    });
