import { closest } from './closest.ts';
import type { ConfigKey } from './keys.ts';
import { internalVariables, isObsoleteName, legacyVariables, obsoleteVariables, parseProjectsJson } from './legacy.ts';
import { secretVariables } from './secrets.ts';

/** A value that a variable gives to a key. */
interface EnvValue {
  path: string;
  variable: string;
  value: unknown;
}

export interface EnvReading {
  values: EnvValue[];
  problems: { path: string; problem: string }[];
  warnings: string[];
  /** The set variables whose values count. */
  read: string[];
}

const words: Record<string, boolean> = {
  true: true,
  yes: true,
  on: true,
  1: true,
  false: false,
  no: false,
  off: false,
  0: false,
};

/** @throws Error saying what was expected; the text is not quoted, it may be a secret in the wrong variable */
function parseText(text: string, key: ConfigKey, variable: string): unknown {
  if (key.nullable && text === 'null') return null;
  switch (key.type) {
    case 'string':
      return text;
    case 'number':
    case 'integer': {
      const value = Number(text);
      if (!Number.isFinite(value)) throw new Error('expected a number');
      return value;
    }
    case 'boolean': {
      const value = words[text.toLowerCase()];
      if (value === undefined) throw new Error('expected true or false');
      return value;
    }
    case 'list':
      // The old variable is one path, in which a comma is a comma.
      if (variable === 'ORCH_CLAUDE_BIN') return [text];
      if (text.startsWith('[')) return parseJson(text);
      return text.split(',').map((part) => part.trim());
    case 'json':
      return parseJson(text);
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    throw new Error('is not valid JSON');
  }
}

function valueOf(env: NodeJS.ProcessEnv, variable: string): string | null {
  const text = env[variable]?.trim() ?? '';
  return text === '' ? null : text;
}

/** The variable that decides a key: the generated one, else the old name. An empty variable counts as not given. */
function deciding(
  env: NodeJS.ProcessEnv,
  key: ConfigKey,
): { variable: string; text: string; also: string | null } | null {
  const old = [...legacyVariables].find(([, path]) => path === key.path)?.[0] ?? null;
  const names = [key.variable, old].filter((name) => name !== null);
  const given = names.flatMap((variable) => {
    const text = valueOf(env, variable);
    return text === null ? [] : [{ variable, text }];
  });
  const [first, second] = given;
  if (first === undefined) return null;
  return { ...first, also: second !== undefined && second.text !== first.text ? second.variable : null };
}

/** What the environment says about the configuration: values, mistakes and names it does not know. */
export function readEnvironment(env: NodeJS.ProcessEnv, keys: ConfigKey[]): EnvReading {
  const ofKeys = [...keys.flatMap((key) => key.variable ?? []), ...legacyVariables.keys(), 'ORCH_GITEA_OWNER'];
  const read = ofKeys.filter((name) => env[name] !== undefined);
  const reading: EnvReading = { values: [], problems: [], warnings: [], read };
  for (const key of keys) {
    if (key.variable === null) continue;
    const found = deciding(env, key);
    if (found === null) continue;
    const { variable, text } = found;
    if (found.also !== null) reading.warnings.push(`${found.also} is not used, because ${variable} says otherwise`);
    try {
      const value =
        key.path === 'projects' ? parseProjectsJson(text, env['ORCH_GITEA_OWNER']) : parseText(text, key, variable);
      reading.values.push({ path: key.path, variable, value });
      // The old variable always meant Claude, whatever the program is called.
      if (variable === 'ORCH_CLAUDE_BIN') reading.values.push({ path: 'agent.kind', variable, value: 'claude' });
    } catch (error) {
      reading.problems.push({ path: variable, problem: `${(error as Error).message} (${key.path})` });
    }
  }
  reading.warnings.push(...nameWarnings(env, keys));
  return reading;
}

function nameWarnings(env: NodeJS.ProcessEnv, keys: ConfigKey[]): string[] {
  const known = [
    ...keys.flatMap((key) => key.variable ?? []),
    ...legacyVariables.keys(),
    ...internalVariables,
    ...secretVariables,
  ];
  const unknown = Object.keys(env).filter(
    (name) => name.startsWith('ORCH_') && !known.includes(name) && !isObsoleteName(name),
  );
  const warnings = unknown.map((name) => {
    const near = closest(name, known);
    return `the variable ${name} means nothing to orch${near === null ? '' : `; did you mean ${near}?`}`;
  });
  const obsolete = obsoleteVariables(env);
  if (obsolete.length > 0) {
    warnings.push(`nothing in orch corresponds to ${obsolete.join(', ')}; see docs/configuration.md and remove them`);
  }
  return warnings;
}
