import { existsSync } from 'node:fs';
import path from 'node:path';
import { Command } from '@commander-js/extra-typings';
import type { Config } from '../../core/config/config.ts';
import { OrchError } from '../../core/model/index.ts';
import type { CommandContext, CommandModule } from '../shared/contract.ts';
import type { Given } from './answers.ts';
import type { Asker } from './ask.ts';

interface InitFlags {
  planeUrl?: string | undefined;
  planeWorkspace?: string | undefined;
  planeProject?: string | undefined;
  giteaUrl?: string | undefined;
  repo?: string | undefined;
  prefix?: string | undefined;
  name?: string | undefined;
  baseBranch?: string | undefined;
  approver?: string[] | undefined;
  telegramChat?: string | undefined;
  language?: string | undefined;
  yes?: true | undefined;
  force?: true | undefined;
  createStates?: true | undefined;
}

export const define: CommandModule['define'] = (context) =>
  new Command('init')
    .description(
      'Writes orchestrator.config.json for one project. At a terminal it asks for what is missing; tokens never go into the file.',
    )
    .option('--plane-project <address|id>', 'the Plane project: its address from the browser, or its id')
    .option('--plane-url <url>', 'address of Plane')
    .option('--plane-workspace <slug>', 'short name of the workspace')
    .option('--repo <address|owner/name>', 'the repository')
    .option('--gitea-url <url>', 'address of Gitea or Forgejo')
    .option('--prefix <letters>', 'prefix of task ids; default: the identifier of the Plane project')
    .option('--approver <who...>', 'e-mail address or Plane user id of people who may approve')
    .option('--base-branch <branch>', 'where work starts and is merged; default: the default branch of the repository')
    .option('--name <name>', 'name of the project in messages')
    .option('--telegram-chat <id>', 'chat that gets alerts')
    .option('--language <en|ru>', 'language of comments and messages')
    .option('--create-states', 'create the states that Plane lacks; with an existing file do only that')
    .option('-y, --yes', 'ask nothing')
    .option('--force', 'replace an existing file')
    .addHelpText(
      'after',
      `
Examples:
  $ orch init                                     asks for everything
  $ orch init --yes --approver lead@example.org \\
      --plane-project https://plane.example.org/acme/projects/5884114d-8f5c-4c1e-9d0a-3b8f6f1f2a10/issues/ \\
      --repo https://git.example.org/acme/shop --prefix ET
  $ orch init --create-states                     later: add the missing states in Plane

The tokens come from ORCH_PLANE_API_TOKEN and ORCH_GITEA_TOKEN, their _FILE variants, or systemd credentials.`,
    )
    .action(async (options, command) => {
      const { config } = command.optsWithGlobals() as { config?: string };
      const { configFileName } = await import('../../core/config/file.ts');
      const named = config ?? (context.env['ORCH_CONFIG'] || configFileName);
      await init(context, options, path.resolve(context.cwd, named));
    });

async function init(context: CommandContext, flags: InitFlags, file: string): Promise<void> {
  const only = flags.createStates === true && flags.force !== true && existsSync(file);
  if (!only && flags.force !== true && existsSync(file)) {
    throw new OrchError(`${file} exists and is left as it is`, {
      code: 'init_exists',
      hint: 'Give --force to replace it, --config to write another one, or --create-states for the states alone.',
    });
  }
  const asker = flags.yes !== true && process.stdin.isTTY ? (await import('./ask.ts')).createAsker() : null;
  try {
    if (!only) await write(context, flags, file, asker);
    const created = await states(context, flags, file, asker);
    conclude(context, file, !only, created);
  } finally {
    asker?.close();
  }
}

/** Flags first, then what the servers know, then the person; nothing is written before all of it is right. */
async function write(context: CommandContext, flags: InitFlags, file: string, asker: Asker | null): Promise<void> {
  const [{ contentOf, assertValid }, { assertComplete }, { foundOut }] = await Promise.all([
    import('./answers.ts'),
    import('./ask.ts'),
    import('./peers.ts'),
  ]);
  let given = await foundOut(context, await givenBy(flags));
  if (asker !== null) given = await foundOut(context, await asker.missing(given));
  const content = contentOf(assertComplete(given));
  await assertValid(content);
  const { writeFileAtomic } = await import('../../core/platform/files.ts');
  writeFileAtomic(file, `${JSON.stringify(content, null, 2)}\n`);
  const { trust, workTreeOf } = await import('../../core/config/trust.ts');
  if (workTreeOf(file) !== null) trust(file, context.env);
}

async function givenBy(flags: InitFlags): Promise<Given> {
  const { planeAddress, repoAddress } = await import('./answers.ts');
  const given: Given = {
    ...(flags.planeProject === undefined ? {} : planeAddress(flags.planeProject)),
    ...(flags.repo === undefined ? {} : repoAddress(flags.repo)),
  };
  const { planeUrl, planeWorkspace, giteaUrl, prefix, name, baseBranch, telegramChat, language } = flags;
  const named = { planeUrl, planeWorkspace, giteaUrl, prefix, name, baseBranch, telegramChat, language };
  const all = { ...named, approvers: flags.approver };
  return { ...given, ...(Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined)) as Given) };
}

interface States {
  /** Null: Plane was not asked. */
  missing: string[] | null;
  created: string[];
}

/** Creates the states Plane lacks, where that is wanted; without a token nothing can be said about them. */
async function states(context: CommandContext, flags: InitFlags, file: string, asker: Asker | null): Promise<States> {
  if (!context.secrets.has('plane')) {
    if (flags.createStates === true) context.secrets.read('plane');
    return { missing: null, created: [] };
  }
  const [{ missingStates, createStates }, { connectParts }, { systemClock }, { silentLog }] = await Promise.all([
    import('./peers.ts'),
    import('../../parts.ts'),
    import('../../core/platform/clock.ts'),
    import('../../core/platform/log.ts'),
  ]);
  const config = await written(context, file);
  const { secrets, redactor, env } = context;
  const parts = connectParts({ config, secrets, redactor, env, clock: systemClock, log: silentLog });
  try {
    const missing = await missingStates(parts.tracker, config);
    const names = missing.map(({ policy, name }) => (config.projects.length === 1 ? name : `${policy.name}: ${name}`));
    const text = `Plane has no state ${names.join(', ')}. Create ${names.length === 1 ? 'it' : 'them'}?`;
    const wanted = flags.createStates === true || (missing.length > 0 && asker !== null && (await asker.confirm(text)));
    if (!wanted) return { missing: names, created: [] };
    await createStates(parts, missing);
    return { missing: [], created: names };
  } catch (error) {
    if (!(error instanceof OrchError) || flags.createStates === true) throw error;
    context.output.warn(error.message);
    return { missing: null, created: [] };
  }
}

/** The file as the program reads it. */
async function written(context: CommandContext, file: string): Promise<Config> {
  const { loadConfig } = await import('../../core/config/load.ts');
  return (await loadConfig({ env: context.env, cwd: context.cwd, file })).config;
}

function conclude({ output, secrets }: CommandContext, file: string, wrote: boolean, states: States): void {
  if (output.asJson) {
    return output.json({ file, written: wrote, missing_states: states.missing, created_states: states.created });
  }
  const { symbols } = output.terminal;
  const done = (text: string): void => output.line({ text: symbols.good, style: 'good' }, ` ${text}`);
  if (wrote) done(`${file} is written`);
  if (states.created.length > 0) done(`created in Plane: ${states.created.join(', ')}`);
  else if (states.missing?.length === 0) done('Plane has every state');
  else if (states.missing !== null)
    output.warn(`Plane has no state ${states.missing.join(', ')}; \`orch init --create-states\` creates them`);
  const tokens: [name: 'plane' | 'gitea', variable: string][] = [
    ['plane', 'ORCH_PLANE_API_TOKEN'],
    ['gitea', 'ORCH_GITEA_TOKEN'],
  ];
  const unset = tokens.filter(([name]) => !secrets.has(name)).map(([, variable]) => variable);
  output.line('');
  output.line({ text: 'Next', style: 'bold' });
  if (unset.length > 0) output.line(`  set ${unset.join(' and ')}`);
  for (const [command, what] of [
    ['orch doctor', 'is everything there'],
    ['orch serve-poller', 'looks at Plane and Gitea'],
    ['orch run-worker', 'runs the agents'],
  ])
    output.line('  ', { text: (command ?? '').padEnd(19), style: 'accent' }, what ?? '');
}
