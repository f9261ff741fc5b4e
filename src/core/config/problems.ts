import type { core } from 'zod';
import { OrchError } from '../model/index.ts';
import { closest } from './closest.ts';
import type { SchemaNode } from './schema.ts';

/** One mistake in the configuration: where it is, as people write it, and what is wrong. */
export interface Problem {
  path: string;
  problem: string;
}

/** `['projects', 0, 'repo']` → `projects[0].repo`. */
function pathText(path: readonly PropertyKey[]): string {
  return path.reduce<string>((text, part) => {
    if (typeof part === 'number') return `${text}[${part}]`;
    return text === '' ? String(part) : `${text}.${String(part)}`;
  }, '');
}

/** The keys that may stand at a path, for a suggestion. */
function allowedKeys(schema: SchemaNode, path: readonly PropertyKey[]): string[] {
  let node: SchemaNode | undefined = schema;
  for (const part of path) {
    const next: SchemaNode | undefined = typeof part === 'number' ? node.items : node.properties?.[String(part)];
    node = next ?? (typeof node.additionalProperties === 'object' ? node.additionalProperties : undefined);
    if (node === undefined) return [];
  }
  return Object.keys(node.properties ?? {});
}

function sentence(issue: core.$ZodIssue, given: boolean): string {
  if (issue.code === 'invalid_type') {
    // The value itself is never repeated: a token may stand in the wrong place.
    return given ? `must be of type ${issue.expected}` : `is required (${issue.expected})`;
  }
  if (issue.code === 'too_small' && typeof issue.minimum === 'number' && issue.origin !== 'array') {
    return issue.origin === 'string'
      ? 'must not be empty'
      : `must be ${issue.inclusive === true ? 'at least' : 'more than'} ${issue.minimum}`;
  }
  if (issue.code === 'too_big' && issue.origin !== 'string') return `must be at most ${issue.maximum}`;
  if (issue.code === 'invalid_value') return `must be one of ${issue.values.map(String).join(', ')}`;
  if (issue.code === 'invalid_key') return issue.issues.map((inner) => inner.message).join(', ');
  return issue.message;
}

/**
 * Every issue of the schema as a problem; an unknown key becomes one problem each, with the key it may have meant.
 * @param given whether a path has a value at all
 */
export function problemsOf(issues: core.$ZodIssue[], schema: SchemaNode, given: (path: string) => boolean): Problem[] {
  return issues.flatMap((issue) => {
    if (issue.code !== 'unrecognized_keys') {
      const path = pathText(issue.path);
      return [{ path, problem: sentence(issue, given(path)) }];
    }
    const allowed = allowedKeys(schema, issue.path);
    return issue.keys.map((key) => {
      const near = closest(key, allowed);
      return {
        path: pathText([...issue.path, key]),
        problem: `unknown key${near === null ? '' : `; did you mean "${near}"?`}`,
      };
    });
  });
}

/** One error for all problems (spec 9: all reported at once, with their paths); warnings may name the reason. */
export function configInvalid(problems: Problem[], source: string, warnings: string[]): OrchError {
  const lines = problems.map(({ path, problem }) => `  ${path === '' ? '(the whole)' : path}: ${problem}`);
  lines.push(...warnings.map((warning) => `  also: ${warning}`));
  const count = problems.length === 1 ? 'one mistake' : `${problems.length} mistakes`;
  return new OrchError(`the configuration has ${count} (${source}):\n${lines.join('\n')}`, {
    code: 'config_invalid',
    hint: 'Correct them, then run `orch config check`; docs/configuration.md lists every key.',
  });
}
