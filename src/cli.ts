import { Command, CommanderError, type CommandUnknownOpts } from '@commander-js/extra-typings';
import { scanArguments, type GlobalFlags } from './commands/shared/arguments.ts';
import type { CommandContext, CommandEntry } from './commands/shared/contract.ts';
import { stopSignal } from './commands/shared/signals.ts';
import { version } from './commands/shared/version.ts';
import { createSecrets } from './core/config/secrets.ts';
import { exitCodes, OrchError, type ExitName } from './core/model/index.ts';
import { diskError } from './core/platform/disk-error.ts';
import { Redactor } from './core/platform/redact.ts';
import { createOutput, type Output } from './ui/output.ts';
import { createTerminal, endQuietlyOnClosedPipe } from './ui/terminal.ts';

/** Every command. A row is all that `orch --help` needs; the file is loaded when its command is asked for. */
export const commands: CommandEntry[] = [
  {
    name: 'demo',
    summary: 'see the whole line work, on a sandbox of its own',
    group: 'Start here:',
    load: () => import('./commands/demo/demo.ts'),
  },
  {
    name: 'status',
    summary: 'is it alive, what runs, what waits on whom, what stands still',
    group: 'Look:',
    load: () => import('./commands/status/status.ts'),
  },
  {
    name: 'why',
    summary: 'why a task is where it is, and the decisions behind it',
    group: 'Look:',
    load: () => import('./commands/why/why.ts'),
  },
  {
    name: 'logs',
    summary: 'what the agent of a run says, while it runs and after',
    group: 'Look:',
    load: () => import('./commands/logs/logs.ts'),
  },
  {
    name: 'report',
    summary: 'the history of a task as Markdown or HTML',
    group: 'Look:',
    load: () => import('./commands/report/report.ts'),
  },
  {
    name: 'metrics',
    summary: 'counts, ages and costs as Prometheus text',
    group: 'Look:',
    load: () => import('./commands/metrics/metrics.ts'),
  },
  {
    name: 'enqueue',
    summary: 'queue an agent, a Plane item or an ad-hoc run',
    group: 'Act:',
    load: () => import('./commands/enqueue/enqueue.ts'),
  },
  {
    name: 'advance',
    summary: "ask a task's gate now, or move it by hand",
    group: 'Act:',
    load: () => import('./commands/advance/advance.ts'),
  },
  {
    name: 'retry',
    summary: 'lift a hold and do again what it asks for',
    group: 'Act:',
    load: () => import('./commands/retry/retry.ts'),
  },
  {
    name: 'pause',
    summary: 'start nothing new for a task',
    group: 'Act:',
    load: () => import('./commands/pause/pause.ts'),
  },
  {
    name: 'resume',
    summary: 'let a paused task go on',
    group: 'Act:',
    load: () => import('./commands/resume/resume.ts'),
  },
  {
    name: 'cancel',
    summary: 'cancel a task and stop its agent',
    group: 'Act:',
    load: () => import('./commands/cancel/cancel.ts'),
  },
  {
    name: 'recover',
    summary: 'mend what crashes and reboots left behind',
    group: 'Act:',
    load: () => import('./commands/recover/recover.ts'),
  },
  {
    name: 'serve-poller',
    summary: 'look at Plane and Gitea on a schedule and decide',
    group: 'Services:',
    load: () => import('./commands/serve-poller/serve-poller.ts'),
  },
  {
    name: 'run-worker',
    summary: 'run agents for queued jobs',
    group: 'Services:',
    load: () => import('./commands/run-worker/run-worker.ts'),
  },
  {
    name: 'init',
    summary: 'write the configuration of a project',
    group: 'Set up:',
    load: () => import('./commands/init/init.ts'),
  },
  {
    name: 'doctor',
    summary: 'check everything orch needs',
    group: 'Set up:',
    load: () => import('./commands/doctor/doctor.ts'),
  },
  {
    name: 'config',
    summary: 'show and check the configuration',
    group: 'Set up:',
    load: () => import('./commands/config/config.ts'),
  },
  {
    name: 'completion',
    summary: 'print a completion script for bash, zsh or fish',
    group: 'Set up:',
    load: () => import('./commands/completion/completion.ts'),
  },
];

interface Session {
  context: CommandContext;
  exit: ExitName;
  flags: GlobalFlags;
  /** `--config` as commander read it. */
  file: string | undefined;
  output: Output;
}

/** The working folder, or the root where it was deleted under the shell: no reason not to print an error properly. */
function workingFolder(): string {
  try {
    return process.cwd();
  } catch {
    return '/';
  }
}

function outputFor(flags: Omit<GlobalFlags, 'words'>, redactor: Redactor): Output {
  const terminal = createTerminal({
    stdout: process.stdout,
    stderr: process.stderr,
    env: process.env,
    colour: flags.color,
  });
  return createOutput({ terminal, redactor, json: flags.json, quiet: flags.quiet, verbose: flags.verbose });
}

function createSession(flags: GlobalFlags): Session {
  const redactor = new Redactor();
  const secrets = createSecrets(process.env, redactor);
  let signal: AbortSignal | null = null;
  let warned = false;
  const context: CommandContext = {
    get output() {
      return session.output;
    },
    env: process.env,
    cwd: workingFolder(),
    redactor,
    secrets,
    get signal() {
      signal ??= stopSignal(() => session.output);
      return signal;
    },
    async loadConfig(values = {}) {
      const { loadConfig } = await import('./core/config/load.ts');
      const request = { flags: values, env: process.env, cwd: context.cwd, file: session.file };
      const loaded = await loadConfig(request);
      if (!warned) for (const warning of loaded.warnings) session.output.warn(warning);
      warned = true;
      return loaded;
    },
    exitWith(name) {
      session.exit = name;
    },
    fullProgram: () => buildProgram(session, () => true),
  };
  const session: Session = { context, exit: 'ok', flags, file: undefined, output: outputFor(flags, redactor) };
  return session;
}

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
  program.addCommand(helpCommand(session, program).helpGroup('Set up:'));
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

function helpCommand(session: Session, program: CommandUnknownOpts): CommandUnknownOpts {
  const help = new Command('help')
    .summary('help for a command, or about exit-codes or environment')
    .argument('[topic...]', 'a command, exit-codes or environment')
    .action(async (words) => {
      const { helpTopics } = await import('./commands/help/help-topics.ts');
      const topic = helpTopics[words[0] ?? ''];
      if (topic !== undefined) return topic.print(session.output);
      let command = program;
      for (const word of words) {
        const inner = command.commands.find((child) => child.name() === word);
        if (inner === undefined) throw unknownTopic(word, Object.keys(helpTopics));
        command = inner;
      }
      command.outputHelp();
    });
  inherit(program, help);
  return help;
}

function unknownTopic(word: string, topics: string[]): OrchError {
  return new OrchError(`there is no help about "${word}"`, {
    code: 'unknown_topic',
    exit: 'usage',
    hint: `Topics: ${topics.join(', ')}; \`orch help\` lists the commands.`,
  });
}

/** commander's complaint as an error of orch: exit 2, its suggestion in the hint. */
function usageError(error: CommanderError, words: string[]): OrchError {
  const [first = '', ...rest] = error.message.replace(/^error: /, '').split('\n');
  const known = commands.some((entry) => entry.name === words[0]);
  const more = `Run \`orch help${known ? ` ${words[0] ?? ''}` : ''}\`.`;
  const suggestion = rest.join(' ').replace(/^\((.*)\)$/, '$1');
  return new OrchError(first, {
    code: 'usage',
    exit: 'usage',
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
  return createSession(scanArguments([])).context.fullProgram();
}

/** The program: runs one command and sets the exit code; never throws. */
export async function main(argv: string[]): Promise<void> {
  endQuietlyOnClosedPipe(process.stdout, process.stderr, (code) => process.exit(code));
  const session = createSession(scanArguments(argv.slice(2)));
  process.exitCode = await run(argv, session);
}
