import { OrchError } from '../model/index.ts';

/** One call of git: arguments as an array, no shell, nothing of the caller's git configuration. */
export interface GitCall {
  args: string[];
  cwd?: string;
  /** Further variables; may hold the credential, never the arguments. */
  env?: Record<string, string>;
  input?: string | Buffer;
  timeoutMs: number;
  /** Exit codes that are an answer and no failure; default only 0. */
  answers?: number[];
}

export interface GitAnswer {
  code: number;
  /** Bytes as Latin-1, so that paths of any encoding survive; `text` of it is UTF-8. */
  stdout: string;
  stderr: string;
}

/** Largest output of one call that is read, bytes. */
const mostOutput = 64 * 1024 * 1024;

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
    GIT_CONFIG_COUNT: String(all.length),
  };
  all.forEach(([key, value], index) => {
    env[`GIT_CONFIG_KEY_${index}`] = key;
    env[`GIT_CONFIG_VALUE_${index}`] = value;
  });
  return env;
}

/**
 * Runs git.
 * @throws OrchError `git_timeout` (retry), `git_missing`, `git_failed`
 */
export async function runGit(call: GitCall): Promise<GitAnswer> {
  const { execa } = await import('execa');
  const result = await execa('git', call.args, {
    ...(call.cwd === undefined ? {} : { cwd: call.cwd }),
    env: { ...gitEnvironment(), ...call.env },
    extendEnv: false,
    ...(call.input === undefined ? { stdin: 'ignore' as const } : { input: call.input }),
    timeout: call.timeoutMs,
    forceKillAfterDelay: 5000,
    encoding: 'latin1',
    maxBuffer: mostOutput,
    reject: false,
    stripFinalNewline: false,
  });
  const verb = call.args.find((word) => !word.startsWith('-')) ?? 'git';
  if (result.timedOut)
    throw new OrchError(`git ${verb} did not end within ${Math.round(call.timeoutMs / 1000)} s`, {
      code: 'git_timeout',
      retry: 'retry',
    });
  if (result.exitCode === undefined) {
    throw new OrchError(`git cannot be run: ${result.shortMessage}`, {
      code: 'git_missing',
      exit: 'notConfigured',
      hint: 'Install git 2.38 or newer and put it on the PATH.',
    });
  }
  const answer = { code: result.exitCode, stdout: String(result.stdout), stderr: utf8(String(result.stderr)) };
  if (!(call.answers ?? [0]).includes(answer.code)) throw failed(verb, answer);
  return answer;
}

/** Text of Latin-1 bytes that are UTF-8. */
export function utf8(latin1: string): string {
  return Buffer.from(latin1, 'latin1').toString('utf8');
}

function failed(verb: string, answer: GitAnswer): OrchError {
  const lines = answer.stderr.split('\n').filter((line) => /^(fatal|error|remote):/.test(line));
  const said = (lines.slice(0, 3).join('; ') || answer.stderr.trim().split('\n').at(-1) || `exit ${answer.code}`).slice(
    0,
    300,
  );
  // Another process holds a lock of the same repository: it will be gone in a moment.
  const busy = /\.lock'?: File exists|cannot lock ref|Unable to create .*\.lock/i.test(answer.stderr);
  return new OrchError(`git ${verb} failed: ${said}`, {
    code: busy ? 'git_locked' : 'git_failed',
    retry: busy ? 'retry' : 'never',
  });
}

/** What a failed exchange with the server means. */
export function remoteError(error: unknown, repo: string, verb: string): unknown {
  if (!(error instanceof OrchError) || error.code !== 'git_failed') return error;
  const text = error.message;
  if (
    /Authentication failed|HTTP 401|HTTP 403|error: 40[13]|could not read (Username|Password)|terminal prompts disabled/i.test(
      text,
    )
  ) {
    return new OrchError(`Gitea refused the token for ${repo} (git ${verb})`, {
      code: 'git_token_refused',
      exit: 'authentication',
      hint: 'Give a token with the scope write:repository of an account that may push to the repository.',
    });
  }
  if (/not found|HTTP 404|error: 404|does not (appear to be a git repository|exist)/i.test(text)) {
    return new OrchError(`Gitea has no repository ${repo} that the token can see`, {
      code: 'git_repo_missing',
      exit: 'notFound',
      hint: 'Check `repo` of the project and the rights of the token.',
    });
  }
  if (/rejected|non-fast-forward|stale info|protected branch|hook declined/i.test(text)) return error;
  return new OrchError(`Gitea cannot be reached for ${repo}: ${text}`, {
    code: 'git_unreachable',
    exit: 'tryAgain',
    retry: 'retry',
  });
}
