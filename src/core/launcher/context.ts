import { OrchError } from '../model/index.ts';
import type { AgentSettings, RunSpec } from '../model/index.ts';
import { agentEnvironment } from './environment.ts';
import type { RunRecord } from './run-folder.ts';
import { claudeFolder } from './claude-folder.ts';
import { probeSandbox, sandboxPrefix, waysOut } from './sandbox.ts';
import type { LauncherDeps } from './settings.ts';

/** What every operation shares: the dependencies, and whether the sandbox works here, asked once. */
export interface Context extends LauncherDeps {
  sandboxOf: (settings: AgentSettings) => Promise<'bwrap' | 'none'>;
}

export function createContext(deps: LauncherDeps): Context {
  return { ...deps, sandboxOf: sandboxChoice(deps) };
}

/** `auto` falls back with a warning, once; `bwrap` that does not work is an error, because isolation was asked for. */
function sandboxChoice(deps: LauncherDeps): Context['sandboxOf'] {
  let probe: Promise<string | null> | null = null;
  let warned = false;
  return async (settings) => {
    if (settings.sandbox === 'none') return 'none';
    const trouble = await (probe ??= probeSandbox(deps.env));
    if (trouble === null) return 'bwrap';
    if (settings.sandbox === 'bwrap') {
      throw new OrchError(`the sandbox does not work here: ${trouble}`, {
        code: 'sandbox_unavailable',
        hint: 'Install bubblewrap and allow user namespaces, or set agent.sandbox to "auto".',
      });
    }
    if (!warned) deps.log.warn('agents run without a sandbox: bubblewrap does not work here', { reason: trouble });
    warned = true;
    return 'none';
  };
}

/** The environment of a run with these settings. */
export function environmentOf(
  context: Context,
  settings: AgentSettings,
  sandbox: 'bwrap' | 'none',
  tmp: string,
  run: Pick<RunSpec, 'role' | 'taskId'> & { runId: string },
): Record<string, string> {
  return agentEnvironment({
    env: context.env,
    passThrough: settings.env,
    identity: context.identity,
    tmp,
    readOnlyHome: sandbox === 'bwrap',
    run: { id: run.runId, role: run.role, taskId: run.taskId },
  });
}

/**
 * The sandbox around a command: all run folders and what orch hides are covered, the workspace, the temporary folder
 * and `readPaths` are shown. Claude gets a configuration folder of its own, a check none: it runs the branch's code.
 */
export function sandboxAround(
  context: Context,
  settings: AgentSettings,
  kind: RunRecord['agentKind'],
  env: Record<string, string>,
  shown: { workspace: string; tmp: string; readPaths: string[] },
): string[] {
  const laid = kind === 'claude' ? claudeFolder(env, shown.tmp, context.runsDir, shown.workspace) : [];
  return sandboxPrefix({
    workspace: shown.workspace,
    hide: [context.runsDir, ...context.hide, ...waysOut],
    readPaths: [...settings.readPaths, ...shown.readPaths],
    writePaths: [...settings.writePaths, shown.tmp],
    laid,
  });
}
