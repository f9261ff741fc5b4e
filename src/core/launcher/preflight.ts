import { accessSync, constants, statSync } from 'node:fs';
import path from 'node:path';
import type { Clock } from '../platform/clock.ts';
import { runCommand, type CommandEnd } from '../platform/command.ts';
import { oneLine } from './orders.ts';

/** Longest wait for `--version` (spec 7). */
const versionMs = 5_000;
const loginMs = 15_000;
const maxAnswerBytes = 1024 * 1024;

export type PreflightAnswer = { ok: true; version: string } | { ok: false; reason: string };

/**
 * Where a command will be found: a path as it is (relative ones from `folder`), a name in PATH. Null when there is no
 * executable file.
 */
export function findExecutable(command: string, searchPath: string, folder: string): string | null {
  const candidates = command.includes('/')
    ? [path.resolve(folder, command)]
    : searchPath.split(':').map((part) => path.resolve(folder, part, command));
  return candidates.find(isExecutable) ?? null;
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return statSync(file).isFile();
  } catch {
    return false;
  }
}

/** Runs a command that answers at once; never rejects. */
async function ask(
  argv: string[],
  env: Record<string, string>,
  timeoutMs: number,
): Promise<{ status: number | null; out: string; error: string }> {
  const [file = '', ...args] = argv;
  const end = await runCommand({ file, args, env, cwd: '/', timeoutMs, maxBytes: maxAnswerBytes, encoding: 'utf8' });
  return {
    status: end.timedOut ? null : end.status,
    out: end.stdout,
    error: end.stderr.trim() || reasonOf(end, timeoutMs),
  };
}

/** Why a command that printed no error failed. */
function reasonOf(end: CommandEnd, timeoutMs: number): string {
  if (end.timedOut) return `no answer within ${timeoutMs / 1000} s`;
  if (end.notStarted !== null) return end.notStarted;
  if (end.signal !== null) return `ended by ${end.signal}`;
  return end.stdout.trim() || `exit status ${end.status ?? 'unknown'}`;
}

/** bubblewrap's own words for a program that is on this host and not in its sandbox. */
const notInside = /^bwrap: execvp (.+): No such file or directory/m;

export function isHidden(error: string): boolean {
  return notInside.test(error);
}

/** What to do about a program that the sandbox hides, such as everything below /tmp. */
export function hiddenText(error: string): string {
  const program = notInside.exec(error)?.[1] ?? '';
  return `${program} is here, but the sandbox hides where it lies (/tmp, orch's own folders): name that folder in readPaths, or move it`;
}

/** Asks the very command that will be spawned, sandbox included, for its version. No tokens are spent. */
export async function askVersion(argv: string[], env: Record<string, string>): Promise<PreflightAnswer> {
  const answer = await ask([...argv, '--version'], env, versionMs);
  const line = (text: string): string => oneLine(text).slice(0, 200);
  if (isHidden(answer.error)) return { ok: false, reason: line(hiddenText(answer.error)) };
  if (answer.status === 0) return { ok: true, version: line(answer.out.trim().split('\n')[0] ?? '') };
  return { ok: false, reason: line(answer.error) };
}

/**
 * `claude auth status`: exit status 0 when logged in, 1 when not; null when it could not be asked. bubblewrap's own trouble,
 * such as a program that is not there inside, ends with 1 as well, and says so under its name.
 */
export async function askLogin(argv: string[], env: Record<string, string>): Promise<boolean | null> {
  const { status, error } = await ask([...argv, 'auth', 'status'], env, loginMs);
  if (status === 1 && error.startsWith('bwrap: ')) return null;
  return status === 0 ? true : status === 1 ? false : null;
}

/** Keeps answers for a while; two questions at once share one answer. */
export function cachedFor<T>(ttlMs: number, clock: Clock): (key: string, make: () => Promise<T>) => Promise<T> {
  const kept = new Map<string, { at: number; answer: Promise<T> }>();
  return (key, make) => {
    const now = clock.now();
    const old = kept.get(key);
    // A clock that was set back makes the age negative: then the answer is asked for again.
    if (old !== undefined && now >= old.at && now - old.at < ttlMs) return old.answer;
    const answer = make();
    kept.set(key, { at: now, answer });
    return answer;
  };
}
