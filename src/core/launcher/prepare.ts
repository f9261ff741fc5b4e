import { randomUUID } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { sessionIdOf, type AgentSettings, type RunSpec } from '../model/index.ts';
import { packageRoot, privateFolder, writeFileAtomic } from '../platform/files.ts';
import { bootId, ticksNow } from '../platform/processes.ts';
import { claudeCommand, fillPlaceholders } from './command-line.ts';
import type { Context } from './context.ts';
import { environmentOf, sandboxAround } from './context.ts';
import { promptText, writeOrders } from './orders.ts';
import { agentGitConfig, gitConfigFile } from './git-config.ts';
import type { RunRecord } from './run-folder.ts';
import { runFiles, writeRecord } from './run-folder.ts';

/**
 * Makes the run folder, with the whole command line in it, and the orders in the workspace. Repeatable until the run has
 * been started; after that it changes nothing. `run.json` comes last, so a folder that has it is complete.
 */
export async function prepareRun(context: Context, given: RunSpec): Promise<{ folder: string }> {
  // The session's id came from an agent, and becomes a word of the command line.
  const spec = { ...given, resumeSession: sessionIdOf(given.resumeSession) };
  const settings = context.settingsOf(spec.role, spec.projectId);
  const folder = privateFolder(path.join(privateFolder(context.runsDir), spec.runId));
  const files = runFiles(folder);
  if (existsSync(files.started)) return { folder };
  const sandbox = await context.sandboxOf(settings);
  const agentKind = spec.kind === 'check' ? 'check' : settings.kind;
  const promptFile = files['system-prompt.md'];
  privateFolder(files.tmp);
  writeTexts(spec, agentKind, files);
  writeFileAtomic(gitConfigFile(files.tmp), agentGitConfig(context.identity, settings.gitConfig));
  writeOrders(spec);
  const session = agentKind === 'claude' ? (spec.resumeSession ?? randomUUID()) : null;
  const command = commandOf(settings, spec, session, promptFile);
  const env = environmentOf(context, settings, sandbox, files.tmp, spec);
  const shown = { workspace: spec.workspace, tmp: files.tmp, readPaths: [promptFile, ...spec.readPaths] };
  const { prompt: _prompt, orders: _orders, ...facts } = spec;
  writeRecord(folder, {
    spec: facts,
    agentKind,
    program: command[0] ?? '',
    argv: sandbox === 'none' ? command : [...sandboxAround(context, settings, agentKind, env, shown), ...command],
    sandbox,
    session,
    timeoutMs: spec.timeoutMs,
    idleMs: agentKind === 'claude' ? settings.idleMs : null,
    graceMs: settings.graceMs,
    killGraceMs: context.killGraceMs ?? 5_000,
    boot: bootId(),
    since: ticksNow(),
  });
  return { folder };
}

/** Role prompt and orders: two files for Claude, both on standard input for another agent, nothing for a check. */
function writeTexts(spec: RunSpec, kind: RunRecord['agentKind'], files: ReturnType<typeof runFiles>): void {
  const rolePrompt = spec.prompt ?? readFileSync(path.join(packageRoot(), 'prompts', `${spec.role}.md`), 'utf8');
  const orders = promptText(spec);
  const input = { check: '', claude: orders, other: `${rolePrompt}\n\n---\n\n${orders}` };
  writeFileAtomic(files['system-prompt.md'], rolePrompt);
  writeFileAtomic(files['prompt.md'], input[kind]);
}

function commandOf(settings: AgentSettings, spec: RunSpec, session: string | null, promptFile: string): string[] {
  if (spec.kind === 'check') return spec.command ?? [];
  if (session !== null) return claudeCommand(settings, spec, session, promptFile);
  return fillPlaceholders(settings.command, {
    task: spec.taskId ?? '',
    role: spec.role,
    repo: spec.repo,
    branch: spec.branch,
    run: spec.runId,
    workspace: spec.workspace,
    orders: path.join(spec.workspace, '.orch', 'task.md'),
    prompt: promptFile,
  });
}
