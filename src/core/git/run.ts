import { channel } from 'node:diagnostics_channel';
import { lstat, rm } from 'node:fs/promises';
import { OrchError } from '../model/index.ts';
import { runCommand } from '../platform/command.ts';
import { diskFull, hasNoRoom } from '../platform/disk-error.ts';
import { printable } from '../platform/printable.ts';

/** One call of git: arguments as an array, no shell, nothing of the caller's git configuration. */
export interface GitCall {
  args: string[];
  cwd?: string;
  /** Further variables; may hold the credential, never the arguments. */
  env?: Record<string, string>;
  input?: string | Buffer;
  timeoutMs: number;
  /** See `Command`. */
  silentMs?: number;
  /** Exit codes that are an answer and no failure, or which answers are; default only code 0. */
  answers?: number[] | ((answer: GitAnswer) => boolean);
  /** Output beyond this is cut off, bytes. Default: more than `maxOutputBytes` is a failure. */
  cutAt?: number;
  /** The error of a failure that is no lock of another process; default: what git said. */
  explain?: (answer: GitAnswer) => OrchError;
}

export interface GitAnswer {
  code: number;
  /** Bytes as Latin-1, so that paths of any encoding survive; `text` of it is UTF-8. */
  stdout: string;
  stderr: string;
}

/** Where every start of git is told, with its arguments, to whoever counts them: `subscribe('orch:git', …)`. */
export const gitStarts = channel('orch:git');

/** Largest output of one call that is read, bytes. */
const maxOutputBytes = 64 * 1024 * 1024;
/** Between asking git to end and ending it, milliseconds. */
const killAfterMs = 5000;
/** No call lasts as long: a lock this old was left by a process that is dead, milliseconds. */
const staleLockMs = 600_000;

/** What reaches git from orch's own environment: how to get to the server, and whom to trust there. */
const passedOn = [
  ...['http_proxy', 'https_proxy', 'all_proxy', 'no_proxy'].flatMap((name) => [name, name.toUpperCase()]),
  ...['SSL_CERT_FILE', 'SSL_CERT_DIR', 'CURL_CA_BUNDLE', 'GIT_SSL_CAINFO', 'GIT_SSL_CAPATH', 'TMPDIR'],
];

/**
 * Settings every call has, from the environment, where they beat the repository's own: no hooks, no helpers, no other
 * transport than the ones orch uses, no redirects that would carry the token elsewhere.
 */
const settings: [string, string][] = [
  ['safe.directory', '*'],
  ['core.hooksPath', '/dev/null'],
  ['core.fsmonitor', 'false'],
  ['core.attributesFile', '/dev/null'],
  ['core.excludesFile', '/dev/null'],
  ['core.quotePath', 'false'],
  ['core.pager', 'cat'],
  ['core.editor', 'false'],
  ['core.autocrlf', 'false'],
  ['core.sshCommand', 'false'],
  ['credential.helper', ''],
  ['http.followRedirects', 'false'],
  ['protocol.allow', 'never'],
  ['protocol.http.allow', 'always'],
  ['protocol.https.allow', 'always'],
  ['protocol.file.allow', 'always'],
  ['submodule.recurse', 'false'],
  ['gc.auto', '0'],
  ['maintenance.auto', 'false'],
  ['commit.gpgSign', 'false'],
  ['advice.addEmbeddedRepo', 'false'],
  ['init.defaultBranch', 'main'],
];

/** Environment of a call: settings and secrets by `GIT_CONFIG_*`, so that neither shows in arguments or files. */
export function gitEnvironment(more: [string, string][] = []): Record<string, string> {
  const all = [...settings, ...more];
  const env: Record<string, string> = {
    PATH: process.env['PATH'] ?? '/usr/bin:/bin',
    HOME: '/nonexistent',
    LC_ALL: 'C.UTF-8',
    GIT_TERMINAL_PROMPT: '0',
    GIT_ASKPASS: 'false',
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_CONFIG_GLOBAL: '/dev/null',
    GIT_OPTIONAL_LOCKS: '0',
    GIT_NO_REPLACE_OBJECTS: '1',
    GIT_LITERAL_PATHSPECS: '1',
    GIT_CONFIG_COUNT: String(all.length),
  };
  for (const name of passedOn) {
    const value = process.env[name];
    if (value !== undefined) env[name] = value;
  }
  all.forEach(([key, value], index) => {
    env[`GIT_CONFIG_KEY_${index}`] = key;
    env[`GIT_CONFIG_VALUE_${index}`] = value;
  });
  return env;
}

/**
 * Runs git; once more when only a lock stood in the way that a dead process had left.
 * @throws OrchError `git_timeout` (retry), `git_locked` (retry), `git_killed` (retry), `git_missing`, `git_too_large`, `git_failed`
 */
export async function runGit(call: GitCall): Promise<GitAnswer> {
  for (let again = false; ; again = true) {
    const answer = await callGit(call);
    const { answers = [0] } = call;
    if (Array.isArray(answers) ? answers.includes(answer.code) : answers(answer)) return answer;
    if (again || !(await removeStaleLock(answer.stderr))) throw failed(call, answer);
  }
}

async function callGit(call: GitCall): Promise<GitAnswer> {
  gitStarts.publish(call.args);
  const end = await runCommand({
    file: 'git',
    args: call.args,
    ...(call.cwd === undefined ? {} : { cwd: call.cwd }),
    ...(call.input === undefined ? {} : { input: call.input }),
    env: { ...gitEnvironment(), ...call.env },
    timeoutMs: call.timeoutMs,
    ...(call.silentMs === undefined ? {} : { silentMs: call.silentMs }),
    killAfterMs,
    maxBytes: call.cutAt ?? maxOutputBytes,
    encoding: 'latin1',
  });
  const verb = verbOf(call.args);
  if (end.timedOut) throw timedOut(verb, call.timeoutMs);
  if (end.tooLarge) {
    if (call.cutAt !== undefined) return { code: 0, stdout: end.stdout, stderr: '' };
    throw new OrchError(`git ${verb} answered more than ${maxOutputBytes} bytes`, { code: 'git_too_large' });
  }
  if (end.signal !== null) throw killed(verb, `by ${end.signal}`);
  if (end.status === null) throw missing(end.notStarted);
  return { code: end.status, stdout: end.stdout, stderr: utf8(end.stderr) };
}

export function timedOut(verb: string, ms: number): OrchError {
  return new OrchError(`git ${verb} did not end within ${Math.round(ms / 1000)} s`, { code: 'git_timeout' });
}

export function missing(why: string | null | undefined): OrchError {
  return new OrchError(`git cannot be run: ${why ?? 'unknown reason'}`, {
    code: 'git_missing',
    hint: 'Install git 2.38 or newer and put it on the PATH.',
  });
}

/** Somebody killed git, or what it works with (out of memory, an operator, a service manager): nothing was refused. */
export function killed(verb: string, how: string): OrchError {
  return new OrchError(`git ${verb} was killed ${how}`, {
    code: 'git_killed',
    hint: 'Look whether the system ran out of memory, then try again.',
  });
}

/** What git says when the program at its other end was killed. */
const cutOff = /died of signal|early EOF|hung up unexpectedly|unexpected disconnect/i;

/** The command's name: the first word that is neither an option nor an option's value. */
function verbOf(args: string[]): string {
  const withValue = ['--git-dir', '--work-tree', '-c', '-C'];
  return args.find((word, at) => !word.startsWith('-') && !withValue.includes(args[at - 1] ?? '')) ?? '';
}

/**
 * Takes away the lock that git names, when it is older than any call lasts: after a power cut it would stand in the way
 * forever. The holder of a young one is at work.
 */
async function removeStaleLock(stderr: string): Promise<boolean> {
  const lock = /Unable to create '([^'\n]+\.lock)': File exists/.exec(ownWords(stderr))?.[1];
  if (lock === undefined) return false;
  const found = await lstat(lock).catch(() => null);
  if (found === null) return true;
  if (!found.isFile() || Date.now() - found.mtimeMs < staleLockMs) return false;
  await rm(lock, { force: true });
  return true;
}

/** What git itself said: the server's words (`remote:`) may name any file, and must not have it removed. */
function ownWords(stderr: string): string {
  const lines = stderr.split(/[\r\n]+/);
  return lines.filter((line) => !line.startsWith('remote:')).join('\n');
}

/** The bytes of a text in UTF-8, as Latin-1. */
export function latin1(text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1');
}

/** Text of Latin-1 bytes that are UTF-8. */
export function utf8(latin1: string): string {
  return Buffer.from(latin1, 'latin1').toString('utf8');
}

/** What git says of a full disk, with and without the system's words. */
const fullDisk = /No space left on device|Disk quota exceeded|Out of diskspace|failed to write new configuration file/i;
/** What it says of anything that it could not write, and of helpers of its own that ended for that. */
const writing = /unable to|could not|cannot|failed to|write error|index-pack|pack-objects|unpack/i;

type FailedCall = Pick<GitCall, 'args' | 'cwd' | 'env' | 'explain'>;

/** Where a call writes: the folder itself may have no room while git's words name no reason. */
function placesOf({ args, cwd, env }: FailedCall): string[] {
  const named = args.filter((_word, at) => ['--git-dir', '-C'].includes(args[at - 1] ?? ''));
  return [...named, ...[cwd, env?.['GIT_INDEX_FILE']].flatMap((place) => place ?? [])];
}

/** The error of an answer that is a failure, in git's own words. */
export function failed(call: FailedCall, answer: GitAnswer): OrchError {
  // Another process holds a lock of the same repository: it will be gone in a moment.
  const own = ownWords(answer.stderr);
  const busy = /\.lock'?: File exists|cannot lock ref(?!.*exists; cannot create)|Unable to create .*\.lock/i.test(own);
  if (fullDisk.test(own) || (writing.test(own) && placesOf(call).some(hasNoRoom)))
    return diskFull(`git ${verbOf(call.args)} failed: no space left on the disk of the repositories or workspaces.`);
  if (!busy && call.explain !== undefined) return call.explain(answer);
  if (!busy && cutOff.test(answer.stderr)) return killed(verbOf(call.args), 'or cut off');
  const lines = answer.stderr.split('\n').filter((line) => /^(fatal|error|remote):/.test(line));
  const said = (lines.slice(0, 3).join('; ') || answer.stderr.trim().split('\n').at(-1) || `exit ${answer.code}`).slice(
    0,
    300,
  );
  return new OrchError(`git ${verbOf(call.args)} failed: ${printable(said)}`, {
    code: busy ? 'git_locked' : 'git_failed',
  });
}
