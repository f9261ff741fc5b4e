import { Command, type CommandUnknownOpts } from '@commander-js/extra-typings';
import { OrchError } from '../../core/model/index.ts';
import type { CommandContext } from '../shared/contract.ts';

/**
 * `orch help`, which needs the program it belongs to.
 * @param program whose commands it describes; the wanted one has been loaded
 */
export function helpCommand(context: CommandContext, program: CommandUnknownOpts): CommandUnknownOpts {
  return new Command('help')
    .summary('help for a command, or about exit-codes or environment')
    .argument('[topic...]', 'a command, exit-codes or environment')
    .action(async (words) => {
      const { helpTopics } = await import('./help-topics.ts');
      const word = words[0] ?? '';
      const topic = Object.hasOwn(helpTopics, word) ? helpTopics[word] : undefined;
      if (topic !== undefined) return topic.print(context.output);
      let command = program;
      for (const word of words) {
        const inner = command.commands.find((child) => child.name() === word);
        if (inner === undefined) throw unknownTopic(word, Object.keys(helpTopics));
        command = inner;
      }
      command.outputHelp();
    });
}

function unknownTopic(word: string, topics: string[]): OrchError {
  return new OrchError(`there is no help about "${word}"`, {
    code: 'unknown_topic',
    hint: `Topics: ${topics.join(', ')}; \`orch help\` lists the commands.`,
  });
}
