import { Command, CommanderError, type CommandUnknownOpts } from '@commander-js/extra-typings';
import { commands } from './commands/commands.ts';
import { helpCommand } from './commands/help/help.ts';
import { version } from './commands/shared/version.ts';
import { exitCodes, OrchError } from './core/model/index.ts';
import { diskError } from './core/platform/disk-error.ts';
import { createSession, outputFor, scanArguments, type Session } from './session.ts';
import { endQuietlyOnClosedPipe } from './ui/terminal.ts';

function globalOptions(session: Session): CommandUnknownOpts {
  const program = new Command('orch')
    .description(
      'Takes work items from Plane through six agents, with a quality gate between every two stages, to a merged pull request in Gitea.',
    )
    .usage('<command> [options]')
    .version(version(), '-V, --version', 'print the version')
    .option('--config <file>', 'the configuration file; also ORCH_CONFIG')
    .option('--json', 'print one JSON document on stdout')
    .option('-q, --quiet', 'print results only')
    .option('-v, --verbose', 'print more, and the stack of an error')
    .option('--color', 'colour even without a terminal')
    .option('--no-color', 'no colour; also NO_COLOR')
    .helpOption('-h, --help', 'print help')
    .helpCommand(false)
    .exitOverride();
  const { out, err } = session.output.terminal;
  const width = (columns: number): number => (Number.isFinite(columns) ? columns : 100);
  program.configureOutput({
    // Messages of mistakes are printed once, by `main`, in the form the user asked for.
    outputError: () => {},
    getOutHelpWidth: () => width(out.width()),
    getErrHelpWidth: () => width(err.width()),
    getOutHasColors: () => out.chalk.level > 0,
    getErrHasColors: () => err.chalk.level > 0,
  });
  program.configureHelp({ styleTitle: (title) => out.chalk.bold(title) });
  program.hook('preAction', () => {
    const opts = program.opts();
    session.file = opts.config;
    session.output = outputFor(
      { json: opts.json === true, quiet: opts.quiet === true, verbose: opts.verbose === true, color: opts.color },
      session.context.redactor,
    );
  });
  return program;
}

/** exitOverride, output and help settings reach every level: addCommand does not hand them down. */
function inherit(parent: CommandUnknownOpts, child: CommandUnknownOpts): void {
  child.copyInheritedSettings(parent).helpCommand(false);
  for (const inner of child.commands) inherit(child, inner);
}

/** The program with the wanted commands loaded and a line of help for the others. */
async function buildProgram(session: Session, wanted: (name: string) => boolean): Promise<CommandUnknownOpts> {
  const program = globalOptions(session);
  for (const entry of commands) {
    const command = wanted(entry.name) ? (await entry.load()).define(session.context) : new Command(entry.name);
    inherit(program, command);
    program.addCommand(command.summary(entry.summary).helpGroup(entry.group));
  }
  const help = helpCommand(session.context, program);
  inherit(program, help);
  program.addCommand(help.helpGroup('Set up:'));
  program.addHelpText(
    'after',
    `
Examples:
  $ orch config check        look for mistakes in the configuration
  $ orch help exit-codes     what the exit codes mean
  $ orch help environment    every variable orch reads`,
  );
  return program;
}

function fullProgram(session: Session): Promise<CommandUnknownOpts> {
  return buildProgram(session, () => true);
}

/** commander's complaint as an error of orch: exit 2, its suggestion in the hint. */
function usageError(error: CommanderError, words: string[]): OrchError {
  const [first = '', ...rest] = error.message.replace(/^error: /, '').split('\n');
  const known = commands.some((entry) => entry.name === words[0]);
  const more = `Run \`orch help${known ? ` ${words[0] ?? ''}` : ''}\`.`;
  const suggestion = rest.join(' ').replace(/^\((.*)\)$/, '$1');
  return new OrchError(first, {
    code: 'usage',
    hint: suggestion === '' ? more : `${suggestion} ${more}`,
  });
}

async function run(argv: string[], session: Session): Promise<number> {
  const { words } = session.flags;
  const target = words[0] === 'help' ? words[1] : words[0];
  try {
    const program = await buildProgram(session, (name) => name === target);
    // Without a command the help is the answer; an action, so that a wrong flag is still found.
    if (target === undefined && words.length === 0) program.action(() => program.outputHelp());
    await program.parseAsync(argv);
    return exitCodes[session.exit];
  } catch (thrown) {
    if (thrown instanceof CommanderError && thrown.exitCode === 0) return exitCodes.ok;
    // A command that only groups others prints its help by itself.
    if (thrown instanceof CommanderError && thrown.code === 'commander.help') return exitCodes.usage;
    const error = thrown instanceof CommanderError ? usageError(thrown, words) : diskError(thrown);
    session.output.error(error);
    return error instanceof OrchError ? error.exitCode : exitCodes.failed;
  }
}

/** The whole tree of commands, described and not run: what the command reference is made from. */
export function describedProgram(): Promise<CommandUnknownOpts> {
  return fullProgram(createSession(scanArguments([]), fullProgram));
}

/** The program: runs one command and sets the exit code; never throws. */
export async function main(argv: string[]): Promise<void> {
  endQuietlyOnClosedPipe(process.stdout, process.stderr, (code) => process.exit(code));
  const session = createSession(scanArguments(argv.slice(2)), fullProgram);
  process.exitCode = await run(argv, session);
}
