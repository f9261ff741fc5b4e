import { z } from 'zod';

/** A whole number with a default and bounds. */
export function count(standard: number, min: number, max: number) {
  return z.int().min(min).max(max).default(standard);
}

/** A time in the unit its key names; fractions are allowed, the upper bound keeps timers below their 24-day limit. */
export function time(standard: number, min: number, max: number) {
  return z.number().min(min).max(max).default(standard);
}

/** An address of a server: http or https, without a user name or password in it. */
export function address() {
  return z
    .url({ protocol: /^https?$/, error: 'must be an http:// or https:// address' })
    .refine((value) => !/^[a-z]+:\/\/[^/]*@/i.test(value), 'must not hold a user name or password');
}

/** A path: absolute, `~/…`, or relative to the folder of the configuration file. */
export function filePath() {
  return z.string().min(1, 'must not be empty');
}

/** A program and its arguments, never a shell line. */
export function commandLine() {
  return z.array(z.string().min(1, 'must not be empty')).min(1, 'must name a program');
}

/** Names of environment variables; orch's own are refused, because an agent must not get its tokens (spec 7). */
export function variableNames() {
  return z.array(
    z
      .string()
      .regex(/^[A-Za-z_][A-Za-z0-9_]*$/, 'must be the name of an environment variable')
      .refine((name) => !name.startsWith('ORCH_'), 'must not be a variable of orch: agents never get its tokens'),
  );
}

/** Settings of git by name. Those that run a program for git itself belong to whoever writes the configuration. */
export function gitSettings() {
  return z.record(
    z
      .string()
      .regex(
        /^[A-Za-z][A-Za-z0-9-]*\.(?:[^\p{Cc}]*\.)?[A-Za-z][A-Za-z0-9-]*$/u,
        'must be a setting of git, such as core.longpaths',
      ),
    z.string().regex(/^\P{Cc}*$/u, 'must be one line'),
  );
}

/** A path below the root of a repository. */
export function repositoryPaths() {
  return z.array(
    z
      .string()
      .min(1, 'must not be empty')
      .refine((value) => !value.startsWith('/') && !value.split('/').includes('..'), 'must lie inside the repository'),
  );
}

/** A branch name git accepts and no command can mistake for an option. */
export function branchName() {
  return z
    .string()
    .regex(/^(?![-/.])(?!.*(\.\.|@\{|\/\/|\.lock$|[/.]$))[^\s~^:?*[\\\p{Cc}]+$/u, 'must be a valid branch name');
}

/** `owner/name`, the way the server spells it. */
export function repository() {
  return z
    .string()
    .regex(/^[A-Za-z0-9_][A-Za-z0-9._-]*\/[A-Za-z0-9_][A-Za-z0-9._-]*$/, 'must be written as owner/name')
    .refine((value) => !value.includes('..'), 'must be written as owner/name');
}
