import type { App } from '../../app.ts';
import type { Store } from '../../core/model/index.ts';
import type { Log } from '../../core/platform/log.ts';
import type { Config } from '../../core/config/config.ts';
import type { CommandContext } from './contract.ts';

/**
 * The database alone, for commands that only look or leave a message; loads nothing else.
 * @param options `readonly`: looking makes no file and writes nothing; a database that is not there is `database_missing`
 */
export async function withStore<T>(
  context: CommandContext,
  work: (store: Store, config: Config) => Promise<T>,
  options: { readonly?: boolean } = {},
): Promise<T> {
  const { config } = await context.loadConfig();
  const [{ openStore }, { databaseOf }, { systemClock }] = await Promise.all([
    import('../../core/store/open.ts'),
    import('../../core/config/database.ts'),
    import('../../core/platform/clock.ts'),
  ]);
  const store = await openStore({ database: databaseOf(config), clock: systemClock, mode: 'command', ...options });
  try {
    return await work(store, config);
  } finally {
    await store.close();
  }
}

/** The whole program, for commands that decide, deliver or run agents. */
export async function withApp<T>(
  context: CommandContext,
  mode: 'service' | 'command',
  work: (app: App) => Promise<T>,
  flags?: Record<string, unknown>,
): Promise<T> {
  const { config, file, searched } = await context.loadConfig(flags);
  // Tokens go to the servers that this file names; a person sees it, a log is not filled with it.
  if (searched && context.output.terminal.err.isTty) context.output.note(`configuration: ${file}`);
  const [{ openApp }, { systemClock }] = await Promise.all([
    import('../../app.ts'),
    import('../../core/platform/clock.ts'),
  ]);
  const app = await openApp({
    config,
    secrets: context.secrets,
    redactor: context.redactor,
    env: context.env,
    clock: systemClock,
    log: await logFor(context, mode),
    mode,
  });
  try {
    return await work(app);
  } finally {
    await app.close();
  }
}

/** JSON lines for services that nobody watches, readable lines at a terminal; one-shot commands only speak of trouble. */
async function logFor(context: CommandContext, mode: 'service' | 'command'): Promise<Log> {
  const level = context.output.verbose ? 'debug' : mode === 'service' ? 'info' : 'warn';
  if (mode === 'service' && !context.output.terminal.err.isTty) {
    const { jsonLog } = await import('../../core/platform/json-log.ts');
    return jsonLog(level, context.redactor);
  }
  const { lineLog } = await import('../../core/platform/log.ts');
  return lineLog(level, context.redactor, (line) => context.output.logLine(line));
}

/** Who gives a command, for the journal: the login name of the person at the terminal. */
export function operator(env: NodeJS.ProcessEnv): string {
  return env['SUDO_USER'] ?? env['USER'] ?? env['LOGNAME'] ?? 'operator';
}
