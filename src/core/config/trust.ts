import { createHash } from 'node:crypto';
import { existsSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { OrchError } from '../model/index.ts';
import { homeFolder, writeFileAtomic } from '../platform/files.ts';

/**
 * A configuration says where tokens are sent and which programs run. One that a search comes across may be somebody else's:
 * part of a cloned repository, or left in a shared folder above the working folder. Such a file is refused, never skipped:
 * the next one up may name other servers.
 * @throws OrchError `config_untrusted`
 */
export function assertTrusted(file: string, env: NodeJS.ProcessEnv): void {
  for (const checked of [file, path.dirname(file)]) {
    const problem = ownershipProblem(checked);
    if (problem !== null)
      throw untrusted(file, `${checked} ${problem}`, `Correct that, or name the file with --config.`);
  }
  const repository = workTreeOf(file);
  if (repository === null) return;
  const known = trusted(env).get(file);
  if (known === hashOf(file)) return;
  throw untrusted(
    file,
    known === undefined ? `it is part of the git repository ${repository}` : 'it has changed since it was trusted',
    'Read it, then run `orch config trust`, or name it with --config or ORCH_CONFIG.',
  );
}

function untrusted(file: string, why: string, hint: string): OrchError {
  return new OrchError(`the configuration file ${file} was found by searching and is not used: ${why}`, {
    code: 'config_untrusted',
    hint,
  });
}

/** Why others than this user and root could have written it; null when they could not. */
function ownershipProblem(file: string): string | null {
  const { uid, gid, mode } = statSync(file);
  const me = process.getuid?.() ?? 0;
  if (uid !== me && uid !== 0) return `belongs to another user (${uid})`;
  // A group of the user's own name and number has no other member (Debian, Fedora: user private groups).
  const privateGroup = gid === 0 || gid === me;
  const others = (mode & 0o002) !== 0 || ((mode & 0o020) !== 0 && !privateGroup);
  return others ? `can be written by others (mode ${(mode & 0o777).toString(8)})` : null;
}

/** The nearest folder upward that git takes for a repository; null outside of any. */
export function workTreeOf(file: string): string | null {
  for (let folder = path.dirname(file); ; folder = path.dirname(folder)) {
    if (existsSync(path.join(folder, '.git'))) return folder;
    if (folder === path.dirname(folder)) return null;
  }
}

function hashOf(file: string): string {
  return createHash('sha256').update(readFileSync(file)).digest('hex');
}

function trustList(env: NodeJS.ProcessEnv): string {
  const base = env['XDG_CONFIG_HOME'] ?? '';
  return path.join(path.isAbsolute(base) ? base : path.join(homeFolder(env), '.config'), 'orch', 'trusted');
}

/** Content hash by path, in the format of `sha256sum`. */
function trusted(env: NodeJS.ProcessEnv): Map<string, string> {
  const list = trustList(env);
  const lines = existsSync(list) ? readFileSync(list, 'utf8').split('\n') : [];
  return new Map(
    lines.flatMap((line) => {
      const [, hash, file] = /^([0-9a-f]{64}) {2}(\/.*)$/.exec(line) ?? [];
      return hash === undefined || file === undefined ? [] : [[file, hash] as const];
    }),
  );
}

/**
 * Lets the search use this file as it is now; a change of its content ends the trust.
 * @returns the list that was written
 */
export function trust(file: string, env: NodeJS.ProcessEnv): string {
  const list = trustList(env);
  const all = trusted(env).set(file, hashOf(file));
  writeFileAtomic(list, [...all].map(([name, hash]) => `${hash}  ${name}\n`).join(''));
  return list;
}
