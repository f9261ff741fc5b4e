import { readFileSync } from 'node:fs';
import { OrchError } from '../model/index.ts';
import { isObject } from '../platform/objects.ts';
import { namesOf, recallChecked, rememberChecked, type Checked, type CheckedFrom } from './checked.ts';
import type { Config } from './config.ts';
import { readEnvironment } from './environment.ts';
import { findConfigFile, readConfigFile } from './file.ts';
import { configKeys } from './keys.ts';
import { crossProblems } from './policies.ts';
import { configInvalid, problemsOf, type Problem } from './problems.ts';
import { resolveConfig, stateDirOf } from './resolve.ts';
import type { Settings } from './schema.ts';
import { literalSecrets } from './secret-literals.ts';
import { secretSource } from './secrets.ts';

export interface LoadRequest {
  /** Values from the command line by dotted path, such as `worker.maxConcurrency`. */
  flags?: Record<string, unknown>;
  env: NodeJS.ProcessEnv;
  cwd: string;
  /** `--config`. */
  file?: string | undefined;
  /** What checks: a configuration that this build found right is not checked again (checked.ts). Null: always checked. */
  build?: string | null;
}

export interface LoadedConfig {
  config: Config;
  /** The same as people write it, defaults filled in: for `config show`. */
  settings: Settings;
  file: string | null;
  /** Nobody named the file: it was found in the working folder, above it, or in /etc. */
  searched: boolean;
  /** Where the value of a key came from: `default`, the file's path, a variable's name, or `flag`. */
  origin(path: string): string;
  /** Trouble that stops nothing: unknown variables, variables without a meaning. */
  warnings: string[];
}

type Values = Record<string, unknown>;

/** Sets a dotted path; what stands in the way and is no object is left for the schema to refuse. */
function setPath(target: Values, path: string, value: unknown): void {
  const parts = path.split('.');
  const last = parts.pop() as string;
  let node = target;
  for (const part of parts) {
    if (!Object.hasOwn(node, part)) node[part] = {};
    const next = node[part];
    if (!isObject(next)) return;
    node = next;
  }
  node[last] = value;
}

function hasPath(values: unknown, path: string): boolean {
  const parts = path.replaceAll('[', '.').replaceAll(']', '').split('.');
  let node = values;
  for (const part of parts) {
    if (typeof node !== 'object' || node === null || !Object.hasOwn(node, part)) return false;
    node = (node as Values)[part];
  }
  return true;
}

async function scheduleProblem(schedule: unknown): Promise<Problem[]> {
  if (typeof schedule !== 'string' || !/^\S+(\s+\S+){4,5}$/.test(schedule)) return [];
  const { validate } = await import('node-cron');
  return validate(schedule) ? [] : [{ path: 'poll.schedule', problem: 'is not a cron expression' }];
}

/** The origin of each key: the longest prefix of its path that a flag or a variable set, else the file, else default. */
function originsOf(file: string | null, fileContent: Values, set: Map<string, string>): (path: string) => string {
  return (path) => {
    for (const [prefix, origin] of set) {
      if (path === prefix || path.startsWith(`${prefix}.`) || path.startsWith(`${prefix}[`)) return origin;
    }
    return file !== null && hasPath(fileContent, path) ? file : 'default';
  };
}

/** A mistake names the variable it comes from and the key. */
function located(problems: Problem[], origin: (path: string) => string): Problem[] {
  return problems.map(({ path, problem }) => {
    const from = origin(path);
    return from.startsWith('ORCH_') ? { path: from, problem: `${problem} (${path})` } : { path, problem };
  });
}

/** A configuration without a mistake, and the variables that it was read from. */
interface Check {
  checked: Checked;
  variables: string[];
}

/** @throws OrchError `config_invalid` with every problem at once, `config_not_found` */
async function check(name: string | null, { env, flags = {} }: LoadRequest): Promise<Check> {
  const [{ settingsSchema, settingsJsonSchema }, file] = await Promise.all([
    import('./schema.ts'),
    name === null ? null : readConfigFile(name),
  ]);
  const schema = settingsJsonSchema();
  const fileContent = file?.content ?? {};
  const environment = readEnvironment(env, configKeys(schema));
  const set = new Map<string, string>();
  const values = structuredClone(fileContent);
  for (const { path, value, variable } of environment.values) {
    setPath(values, path, value);
    set.set(path, variable);
  }
  for (const [path, value] of Object.entries(flags)) {
    if (value === undefined) continue;
    setPath(values, path, value);
    set.set(path, 'flag');
  }
  const origin = originsOf(name, fileContent, set);
  const secrets = literalSecrets(fileContent);
  const result = settingsSchema.safeParse(values);
  const issues = problemsOf(result.success ? [] : result.error.issues, schema, (path) => hasPath(values, path));
  const problems = [
    ...environment.problems,
    ...secrets,
    ...located(
      [
        ...issues,
        ...crossProblems(values),
        ...(await scheduleProblem((values['poll'] as Values | undefined)?.['schedule'])),
      ],
      origin,
    ).filter(({ path }) => !secrets.some((secret) => secret.path === path)),
  ];
  if (problems.length > 0) throw configInvalid(problems, name ?? 'no file', environment.warnings);
  if (!result.success)
    throw new OrchError('the configuration was refused without a reason', { code: 'config_invalid' });
  return {
    checked: { settings: result.data, set: [...set], warnings: environment.warnings },
    variables: environment.read,
  };
}

/** Text and content of a file that can be read; what is wrong with another is said by the check. */
function readWhole(name: string | null): { text: string | null; content: Values } {
  try {
    const text = name === null ? null : readFileSync(name, 'utf8');
    const content: unknown = text === null ? {} : JSON.parse(text.replace(/^\uFEFF/, ''));
    return { text, content: isObject(content) ? content : {} };
  } catch {
    return { text: null, content: {} };
  }
}

/** Where the state folder will be, before anything is checked; null where the values are none it can be told from. */
function stateDirBefore(content: Values, name: string | null, { env, cwd }: LoadRequest): string | null {
  const variable = env['ORCH_STATE_DIR']?.trim() ?? '';
  const given = variable === '' ? content['stateDir'] : variable;
  if (given !== undefined && typeof given !== 'string') return null;
  return stateDirOf(given, { file: name, env, cwd, fromFile: () => variable === '' });
}

/**
 * Brings flags, environment, file and defaults together, in that order, and checks the whole (spec 9).
 * @throws OrchError `config_invalid` (exit `notConfigured`) with every problem at once, `config_not_found`
 */
export async function loadConfig(request: LoadRequest): Promise<LoadedConfig> {
  const { env, cwd, flags = {}, build = null } = request;
  const found = findConfigFile({ file: request.file, env, cwd });
  const name = found?.file ?? null;
  const { text, content } = readWhole(name);
  const stateDir = build === null || (name !== null && text === null) ? null : stateDirBefore(content, name, request);
  const from: CheckedFrom | null =
    build === null
      ? null
      : { build, file: name === null ? null : { path: name, text: text ?? '' }, flags, names: namesOf(env) };
  const done = (checked: Checked): LoadedConfig => {
    const origin = originsOf(name, content, new Map(checked.set));
    const config = resolveConfig(checked.settings, {
      file: name,
      env,
      cwd,
      hasReviewerToken: secretSource('gitea-reviewer', env) !== null,
      fromFile: (path) => origin(path) === name,
    });
    const { settings, warnings } = checked;
    return { config, settings, file: name, searched: found?.searched ?? false, origin, warnings };
  };
  if (stateDir === null || from === null) return done((await check(name, request)).checked);
  const known = recallChecked(stateDir, from, env);
  if (known !== null) {
    try {
      return done(known);
    } catch {
      // The note is damaged.
    }
  }
  const { checked, variables } = await check(name, request);
  rememberChecked(stateDir, from, checked, env, variables);
  return done(checked);
}
