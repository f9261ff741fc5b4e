import { Command } from '@commander-js/extra-typings';
import type { CommandModule } from '../shared/contract.ts';
import { numberOption } from '../shared/numbers.ts';

export const define: CommandModule['define'] = (context) =>
  new Command('enqueue')
    .description(
      'Queues work: an agent for a task, a Plane item by its key, or a run that belongs to no work item. Prints the id.',
    )
    .argument('[role]', 'analyst, architect, developer, reviewer, tester or deployer')
    .option('--task <id>', 'run the role for this task, in its stage')
    .option('--work-item <key>', 'bring this Plane item in, such as SHOP-12')
    .option('--pipeline <name>', 'with --work-item: the pipeline it takes')
    .option('--repo <owner/name>', 'ad-hoc run: the repository')
    .option('--project <prefix>', 'ad-hoc run: whose settings hold, where projects share the repository')
    .option('--branch <name>', 'ad-hoc run: the branch it works on and is published to')
    .option('--prompt <file>', 'ad-hoc run: what to do; - reads standard input')
    .option('--idempotency-key <key>', 'the same key is the same job')
    .option(
      '--wait [minutes]',
      'wait for the end: exit 0 done, 1 failed, 8 not finished in time',
      numberOption('any', 0, 100_000, 'minutes'),
    )
    .addHelpText(
      'after',
      `
Examples:
  $ orch enqueue --work-item SHOP-12
  $ orch enqueue developer --task ET-012
  $ echo "Fix the typo in README.md" | orch enqueue developer --repo acme/shop --branch fix/typo --prompt - --wait 30`,
    )
    .action(async (role, options) => (await import('./enqueue-run.ts')).enqueue(context, role, options));
