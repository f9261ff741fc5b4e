import path from 'node:path';
import type { GitIdentity } from '../model/index.ts';
import { homeFolder } from '../platform/files.ts';
import { gitConfigFile } from './git-config.ts';

/** Passed on from orch's own environment. Nothing that pays (`ANTHROPIC_*`), nothing of an outer Claude session. */
const inherited = ['PATH', 'HOME', 'USER', 'LOGNAME', 'SHELL', 'LANG', 'LANGUAGE', 'TZ', 'CLAUDE_CONFIG_DIR'];
const inheritedPrefixes = ['LC_', 'XDG_'];

/** Claude's switches for a run without a person (research: CLI 4.6): no update, no work that outlives the result. */
const claudeSwitches = {
  DISABLE_AUTOUPDATER: '1',
  CLAUDE_CODE_DISABLE_BACKGROUND_TASKS: '1',
  CLAUDE_CODE_DISABLE_AUTO_MEMORY: '1',
  CLAUDE_CODE_DISABLE_CRON: '1',
  CLAUDE_CODE_DISABLE_TERMINAL_TITLE: '1',
};

export interface EnvironmentRequest {
  /** Orch's own environment. */
  env: NodeJS.ProcessEnv;
  /** Names the configuration passes through. */
  passThrough: string[];
  identity: GitIdentity;
  /** Private temporary folder. */
  tmp: string;
  /** Whether the home folder is read-only for the agent: then caches go to the temporary folder. */
  readOnlyHome: boolean;
  run: { id: string; role: string; taskId: string | null };
}

/**
 * The whole environment of an agent: an allow-list (spec 7), the bot's git identity, and the mark by which the processes
 * of the run are found. The service user's git configuration does not act on an agent, and stored credentials are switched
 * off, so that only orch pushes.
 */
export function agentEnvironment(request: EnvironmentRequest): Record<string, string> {
  const { env, identity, tmp, run } = request;
  const result: Record<string, string> = { PATH: '/usr/local/bin:/usr/bin:/bin', HOME: homeFolder(env) };
  for (const [name, value] of Object.entries(env)) {
    if (value === undefined || (name === 'HOME' && value === '')) continue;
    if (inherited.includes(name) || inheritedPrefixes.some((prefix) => name.startsWith(prefix))) result[name] = value;
  }
  Object.assign(result, claudeSwitches, {
    TERM: 'dumb',
    TMPDIR: tmp,
    CLAUDE_CODE_TMPDIR: tmp,
    GIT_AUTHOR_NAME: identity.name,
    GIT_AUTHOR_EMAIL: identity.email,
    GIT_COMMITTER_NAME: identity.name,
    GIT_COMMITTER_EMAIL: identity.email,
    GIT_CONFIG_GLOBAL: gitConfigFile(tmp),
    GIT_TERMINAL_PROMPT: '0',
    GIT_CONFIG_COUNT: '1',
    GIT_CONFIG_KEY_0: 'credential.helper',
    GIT_CONFIG_VALUE_0: '',
  });
  if (request.readOnlyHome) {
    Object.assign(result, { XDG_CACHE_HOME: path.join(tmp, 'cache'), npm_config_cache: path.join(tmp, 'npm') });
  }
  for (const name of request.passThrough) {
    const value = env[name];
    if (value !== undefined && !name.startsWith('ORCH_')) result[name] = value;
  }
  return {
    ...result,
    ORCH_RUN: run.id,
    ORCH_ROLE: run.role,
    ...(run.taskId === null ? {} : { ORCH_TASK: run.taskId }),
  };
}
