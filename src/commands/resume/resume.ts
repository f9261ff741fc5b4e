import { Command } from '@commander-js/extra-typings';
import type { CommandModule } from '../shared/contract.ts';

export const define: CommandModule['define'] = (context) =>
  new Command('resume')
    .description('Resumes a paused task.')
    .argument('<task>', 'task id, such as ET-012')
    .addHelpText(
      'after',
      `
Examples:
  $ orch resume ET-012`,
    )
    .action(async (text) => {
      const { orderTask } = await import('../shared/order-task.ts');
      await orderTask(context, text, 'resume');
    });
