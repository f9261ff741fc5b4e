import path from 'node:path';
import { Command, type CommandUnknownOpts } from '@commander-js/extra-typings';
import { OrchError } from '../../core/model/index.ts';
import type { CommandContext } from '../shared/contract.ts';

interface Leaf {
  key: string;
  value: string;
  origin: string;
}

/** Every value with the path of its key; a list of plain values is one value. */
function leaves(value: unknown, path: string, origin: (path: string) => string): Leaf[] {
  if (Array.isArray(value) && value.some((entry) => typeof entry === 'object' && entry !== null)) {
    return value.flatMap((entry, i) => leaves(entry, `${path}[${i}]`, origin));
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
    return Object.entries(value).flatMap(([key, inner]) => leaves(inner, path === '' ? key : `${path}.${key}`, origin));
  }
  if (value === undefined) return [];
  return [{ key: path, value: typeof value === 'string' ? value : JSON.stringify(value), origin: origin(path) }];
}

async function show(context: CommandContext, options: { origin?: true | undefined }): Promise<void> {
  const { output } = context;
  const { settings, file, origin } = await context.loadConfig();
  const rows = leaves(settings, '', origin);
  if (output.asJson) {
    output.json({ file, settings, origins: Object.fromEntries(rows.map((row) => [row.key, row.origin])) });
    return;
  }
  output.note(file === null ? 'no configuration file: defaults and environment' : `file: ${file}`);
  await output.table(rows, [
    { title: 'key', value: (row) => row.key },
    { title: 'value', value: (row) => row.value, min: 12 },
    ...(options.origin === true
      ? [{ title: 'origin', value: (row: Leaf) => (row.origin === file ? 'file' : row.origin), min: 8 }]
      : []),
  ]);
}

async function check(context: CommandContext): Promise<void> {
  const { output } = context;
  const { config, file, warnings } = await context.loadConfig();
  const open = context.secrets.warnings();
  if (output.asJson) {
    output.json({ valid: true, file, projects: config.projects.length, warnings: [...warnings, ...open] });
    return;
  }
  for (const warning of open) output.warn(warning);
  const count = config.projects.length;
  const projects = count === 0 ? 'no project' : count === 1 ? 'one project' : `${count} projects`;
  output.line(
    { text: output.terminal.symbols.good, style: 'good' },
    ` ${file ?? 'no configuration file'}: no mistakes, ${projects}`,
  );
}

async function schema(context: CommandContext): Promise<void> {
  const { settingsJsonSchema } = await import('../../core/config/schema.ts');
  if (context.output.asJson) context.output.json({ schema: settingsJsonSchema() });
  else context.output.data(JSON.stringify(settingsJsonSchema(), null, 2));
}

async function trustFile(context: CommandContext, named: string | undefined): Promise<void> {
  const [{ searchConfigFile, readConfigFile }, { trust }] = await Promise.all([
    import('../../core/config/file.ts'),
    import('../../core/config/trust.ts'),
  ]);
  const { env, cwd, output } = context;
  const file = named === undefined ? searchConfigFile({ env, cwd }) : path.resolve(cwd, named);
  if (file === null)
    throw new OrchError('there is no configuration file here or above', {
      code: 'config_not_found',
      hint: 'Name one, or run `orch init`.',
    });
  await readConfigFile(file);
  const list = trust(file, env);
  if (output.asJson) output.json({ file, list });
  else output.line({ text: output.terminal.symbols.good, style: 'good' }, ` ${file} is trusted as it is now (${list})`);
}

/** `orch config show|check|schema|trust`. */
export function define(context: CommandContext): CommandUnknownOpts {
  const command = new Command('config').description('Show and check the configuration.').addHelpText(
    'after',
    `
Examples:
  $ orch config check                 every mistake at once; exit 6 if there is one
  $ orch config show --origin         every value and where it came from
  $ orch config schema > orch.schema.json
  $ orch config trust                 use the file in this git repository, as it is now

Flags win over ORCH_* variables, these over the file, the file over the defaults.`,
  );
  command
    .command('show')
    .description('Print every value, defaults included.')
    .option('--origin', 'say where each value came from')
    .action((options) => show(context, options));
  command
    .command('check')
    .description('Check file and environment and report every mistake.')
    .action(() => check(context));
  command
    .command('schema')
    .description('Print the JSON Schema of the file.')
    .action(() => schema(context));
  command
    .command('trust')
    .argument('[file]', 'default: the one that is found here or above')
    .description(
      'Let the search use a file in a git repository. Without it, such a file has to be named with --config; a change of the file ends the trust.',
    )
    .action((file) => trustFile(context, file));
  return command;
}
