import type { SchemaNode } from './schema.ts';

type KeyType = 'string' | 'number' | 'integer' | 'boolean' | 'list' | 'json';

/** One leaf of the configuration: a key that has a value of its own. */
export interface ConfigKey {
  /** Dotted path, such as `worker.maxConcurrency`; below a list or a free name it goes on with `[]` or `<name>`. */
  path: string;
  /** Generated environment variable; null below `projects`, which is replaced as a whole by ORCH_PROJECTS_JSON. */
  variable: string | null;
  type: KeyType;
  /** What a value of a list must be. */
  choices: string[];
  nullable: boolean;
  required: boolean;
  default: unknown;
  description: string;
}

/** `worker.maxConcurrency` → `ORCH_WORKER_MAX_CONCURRENCY`. */
function variableOf(path: string): string {
  return `ORCH_${path
    .replace(/([a-z0-9])([A-Z])/g, '$1_$2')
    .replaceAll('.', '_')
    .toUpperCase()}`;
}

function typeOf(node: SchemaNode): { type: KeyType; nullable: boolean } {
  const types = (node.anyOf ?? [node]).flatMap((one) => one.type ?? []);
  const nullable = types.includes('null');
  const type = types.find((t) => t !== 'null');
  if (type === 'number' || type === 'integer' || type === 'boolean' || type === 'string') return { type, nullable };
  return { type: type === 'array' && node.items?.type === 'string' ? 'list' : 'json', nullable };
}

function leaf(path: string, node: SchemaNode, required: boolean, variable: string | null): ConfigKey {
  return {
    path,
    variable,
    ...typeOf(node),
    choices: [...(node.enum ?? []), ...(node.items?.enum ?? [])].map(String),
    required,
    default: node.default,
    description: node.description ?? '',
  };
}

function walk(prefix: string, node: SchemaNode, inProjects: boolean): ConfigKey[] {
  return Object.entries(node.properties ?? {}).flatMap(([name, child]) => {
    if (name === '$schema') return [];
    const path = prefix === '' ? name : `${prefix}.${name}`;
    if (child.properties !== undefined) return walk(path, child, inProjects);
    if (typeof child.additionalProperties === 'object') {
      const whole = inProjects ? [] : [leaf(path, child, false, variableOf(`${path}Json`))];
      return [...whole, ...walk(`${path}.<name>`, child.additionalProperties, true)];
    }
    if (child.items?.properties !== undefined) {
      return [leaf(path, child, false, 'ORCH_PROJECTS_JSON'), ...walk(`${path}[]`, child.items, true)];
    }
    const required = node.required?.includes(name) ?? false;
    return [leaf(path, child, required, inProjects ? null : variableOf(path))];
  });
}

/** Every leaf key, in the order of the schema: the one list behind variables, documentation and `config show`. */
export function configKeys(schema: SchemaNode): ConfigKey[] {
  return walk('', schema, false);
}

/** What every section is for, by path, for the documentation. */
export function sectionDescriptions(schema: SchemaNode): Map<string, string> {
  return new Map(Object.entries(schema.properties ?? {}).map(([name, node]) => [name, node.description ?? '']));
}
