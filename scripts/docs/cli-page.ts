import type { CommandUnknownOpts } from '@commander-js/extra-typings';
import { describedProgram } from '../../src/cli.ts';
import { exitCodeRows } from '../../src/commands/help/help-topics.ts';
import { errorCodes, exitCodes, type ErrorAttributes } from '../../src/core/model/index.ts';
import { markdownTable } from './markdown.ts';

/** Columns of the help texts in the page. */
const width = 110;

/** Help exactly as the program prints it, without colour and at a fixed width, whatever terminal this runs in. */
function helpOf(command: CommandUnknownOpts): string {
  let text = '';
  command.configureOutput({
    writeOut: (part) => {
      text += part;
    },
    getOutHelpWidth: () => width,
    getOutHasColors: () => false,
  });
  command.outputHelp();
  return text
    .split('\n')
    .map((line) => line.trimEnd())
    .join('\n')
    .trim();
}

function part(command: CommandUnknownOpts, path: string): string[] {
  const own = `## \`${path}\`\n\n\`\`\`text\n${helpOf(command)}\n\`\`\`\n`;
  return [own, ...command.commands.flatMap((child) => part(child, `${path} ${child.name()}`))];
}

/** Codes with the same attributes share a row. */
function errorCodeTable(): string {
  const groups = new Map<string, { attributes: ErrorAttributes; codes: string[] }>();
  for (const [code, attributes] of Object.entries(errorCodes)) {
    const key = [attributes.kind, attributes.exit, attributes.retry].join(' ');
    const group = groups.get(key) ?? { attributes, codes: [] };
    groups.set(key, { attributes, codes: [...group.codes, `\`${code}\``] });
  }
  return markdownTable(
    ['about', 'exit', 'may pass later', 'codes'],
    [...groups.values()].map(({ attributes: { kind, exit, retry }, codes }) => [
      kind,
      String(exitCodes[exit]),
      retry === 'later' ? 'yes' : 'no',
      codes.join(', '),
    ]),
  );
}

/** `docs/cli.md`: the exit codes, the help of every command, and the error codes. */
export async function cliPage(): Promise<string> {
  const codes = markdownTable(
    ['code', 'meaning'],
    exitCodeRows().map((row) => [String(row.code), row.meaning]),
  );
  const intro = `<!-- Made by \`npm run docs\` from the commands themselves. Do not edit. -->

# Commands

stdout is data, stderr is progress and errors. \`--json\` prints one document with a schema version.

${codes}
`;
  const errors = `## Error codes

With \`--json\` an error is \`{"error":{"code","message","hint"}}\` on stderr. Every code, by what it is about:

${errorCodeTable()}
`;
  return [intro, ...part(await describedProgram(), 'orch'), errors].join('\n');
}
