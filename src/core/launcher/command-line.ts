import type { AgentSettings, RunSpec } from '../model/index.ts';

/** Values that stand for `{name}` in the arguments of another agent than Claude. */
export type Placeholders = Record<
  'task' | 'role' | 'repo' | 'branch' | 'run' | 'workspace' | 'orders' | 'prompt',
  string
>;

/**
 * Replaces placeholders in every argument by itself: a value stays inside its argument whatever it holds, and a value
 * that looks like a placeholder is not replaced again. Unknown names are left as they are.
 */
export function fillPlaceholders(command: string[], values: Placeholders): string[] {
  return command.map((argument) =>
    argument.replace(/\{([a-z]+)\}/g, (whole, name: string) =>
      Object.hasOwn(values, name) ? values[name as keyof Placeholders] : whole,
    ),
  );
}

/**
 * Claude's command line; the prompt goes to its standard input, because one argument holds 128 KiB at most and the list
 * options swallow a prompt that follows them. `--setting-sources user --strict-mcp-config` keeps hooks, servers and
 * memory files of the branch under work from running, `--tools` takes every other tool out of the model's sight (such as
 * those that ask a person or wake up later), and `dontAsk` refuses what is not allowed whatever mode the user's own
 * settings name. Checked against Claude Code 2.1.197; `--system-prompt-file` works although its help does not list it.
 */
export function claudeCommand(
  settings: AgentSettings,
  spec: Pick<RunSpec, 'budgetMicros' | 'resumeSession'>,
  session: string,
  systemPromptFile: string,
): string[] {
  const tools = [...new Set(settings.allowedTools.map((rule) => rule.replace(/\(.*$/s, '').trim()))];
  return [
    ...settings.command,
    '--print',
    '--output-format',
    'stream-json',
    '--verbose',
    '--setting-sources',
    'user',
    '--strict-mcp-config',
    '--system-prompt-file',
    systemPromptFile,
    '--tools',
    tools.join(','),
    '--allowedTools',
    settings.allowedTools.join(','),
    '--permission-mode',
    'dontAsk',
    ...(settings.model === null ? [] : ['--model', settings.model]),
    ...(spec.budgetMicros === null ? [] : ['--max-budget-usd', (Math.max(spec.budgetMicros, 100) / 1e6).toFixed(4)]),
    ...(spec.resumeSession === null ? ['--session-id', session] : ['--resume', spec.resumeSession]),
  ];
}
