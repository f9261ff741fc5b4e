import type { CommandUnknownOpts } from '@commander-js/extra-typings';
import type { LoadedConfig } from '../../core/config/load.ts';
import type { Secrets } from '../../core/config/secrets.ts';
import type { ExitName } from '../../core/model/index.ts';
import type { Redactor } from '../../core/platform/redact.ts';
import type { Output } from '../../ui/output.ts';

/**
 * What a command gets from the program. Everything expensive to load is behind a function: `orch help` must not load the
 * database, the HTTP client or the schema.
 */
export interface CommandContext {
  /** The only way to print. Valid inside an action: the global options have been read by then. */
  readonly output: Output;
  readonly env: NodeJS.ProcessEnv;
  readonly cwd: string;
  /** Knows every secret that was read; pass it to whatever logs. */
  readonly redactor: Redactor;
  /** The tokens of the peers, read when asked for. */
  readonly secrets: Secrets;
  /**
   * Aborted by the first SIGINT or SIGTERM. Asking for it takes over the signals: from then on, only the second signal ends
   * the process (exit 130 or 143), so only commands that stop by themselves may ask.
   */
  readonly signal: AbortSignal;
  /**
   * Flags over environment over file over defaults; warnings are printed once.
   * @param flags values of the command line by dotted key, such as `{ 'worker.maxConcurrency': 3 }`; undefined ones are left out
   * @throws OrchError `config_invalid`, `config_not_found` (exit `notConfigured`)
   */
  loadConfig(flags?: Record<string, unknown>): Promise<LoadedConfig>;
  /** Ends the command with another code than 0 although nothing was thrown (`advance`: pending, `status --exit-code`). */
  exitWith(name: ExitName): void;
  /** The whole program with every command loaded, for completion and the command reference. */
  fullProgram(): Promise<CommandUnknownOpts>;
}

/**
 * A file `src/commands/<name>/<name>.ts`. `define` only describes: options, arguments, help with examples (`addHelpText`); what
 * its action needs is imported inside the action.
 */
export interface CommandModule {
  define(context: CommandContext): CommandUnknownOpts;
}

/** A row of the table in `commands/commands.ts`: enough for `orch --help` without loading the command. */
export interface CommandEntry {
  name: string;
  /** One line, no full stop: what the command does for its user. */
  summary: string;
  /** Its heading in `orch --help`. */
  group: string;
  load: () => Promise<CommandModule>;
}
