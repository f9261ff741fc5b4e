import type { CommandUnknownOpts } from '@commander-js/extra-typings';
import type { CommandContext } from './commands/shared/contract.ts';
import { stopSignal } from './commands/shared/signals.ts';
import type { Settings } from './core/config/schema.ts';
import { createSecrets } from './core/config/secrets.ts';
import type { ExitName } from './core/model/index.ts';
import { build } from './core/platform/build.ts';
import { workingFolder } from './core/platform/files.ts';
import { Redactor } from './core/platform/redact.ts';
import { createOutput, type Output } from './ui/output.ts';
import { createTerminal } from './ui/terminal.ts';

/** Global options, anywhere on the command line: needed to print an error of commander in the form asked for. */
export interface GlobalFlags {
  json: boolean;
  quiet: boolean;
  verbose: boolean;
  color: boolean | undefined;
  /** The words that are no options, in order: the command first. */
  words: string[];
}

/** Scans the arguments after the program's name. Only `--config` of the global options takes a value. */
export function scanArguments(args: readonly string[]): GlobalFlags {
  const flags: GlobalFlags = { json: false, quiet: false, verbose: false, color: undefined, words: [] };
  for (let i = 0; i < args.length; i += 1) {
    const word = args[i] as string;
    if (word === '--') break;
    if (word === '--config') i += 1;
    else if (word === '--json') flags.json = true;
    else if (word === '-q' || word === '--quiet') flags.quiet = true;
    else if (word === '-v' || word === '--verbose') flags.verbose = true;
    else if (word === '--color') flags.color = true;
    else if (word === '--no-color') flags.color = false;
    else if (!word.startsWith('-')) flags.words.push(word);
  }
  return flags;
}

/** One call of the program: what its command gets, and what it leaves. */
export interface Session {
  context: CommandContext;
  exit: ExitName;
  flags: GlobalFlags;
  /** `--config` as commander read it. */
  file: string | undefined;
  output: Output;
}

/** Names of variables that agents get and that hold a secret, going by the name. */
function agentSecrets({ agent, projects }: Settings): string[] {
  const agents = [agent, ...projects.flatMap((project) => project.agent ?? [])];
  const all = agents.flatMap(({ env, roles }) => [env, ...Object.values(roles ?? {}).map((role) => role?.env)]).flat();
  return all.flatMap((name) => name ?? []).filter((name) => /key|token|secret|passw|credential/i.test(name));
}

/** The output that the options ask for. */
export function outputFor(flags: Omit<GlobalFlags, 'words'>, redactor: Redactor): Output {
  const terminal = createTerminal({
    stdout: process.stdout,
    stderr: process.stderr,
    env: process.env,
    colour: flags.color,
  });
  return createOutput({ terminal, redactor, json: flags.json, quiet: flags.quiet, verbose: flags.verbose });
}

/** @param fullProgram makes the tree of all commands for this session */
export function createSession(
  flags: GlobalFlags,
  fullProgram: (session: Session) => Promise<CommandUnknownOpts>,
): Session {
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
      const request = { flags: values, env: process.env, cwd: context.cwd, file: session.file, build };
      const loaded = await loadConfig(request);
      // Texts of agents and servers are printed next; from here on no token gets out, used by this command or not.
      secrets.all();
      for (const name of agentSecrets(loaded.settings)) redactor.add(process.env[name] ?? '');
      if (!warned) for (const warning of loaded.warnings) session.output.warn(warning);
      warned = true;
      return loaded;
    },
    exitWith(name) {
      session.exit = name;
    },
    fullProgram: () => fullProgram(session),
  };
  const session: Session = { context, exit: 'ok', flags, file: undefined, output: outputFor(flags, redactor) };
  return session;
}
