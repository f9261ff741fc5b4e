import { closeSync, mkdirSync, openSync, readFileSync, writeFileSync, writeSync } from 'node:fs';
import path from 'node:path';

/** What one call of the scripted agent does, by name. */
export type Act =
  | 'work'
  | 'nothing'
  | 'nothing-to-do'
  | 'ask'
  | 'conflict'
  | 'request-changes'
  | 'garbled'
  | 'fail-tests'
  | 'break-build'
  | 'fail-deploy'
  | 'rate-limit'
  | 'overloaded'
  | 'usage-limit'
  | 'auth'
  | 'max-turns'
  | 'no-result';

/** One call. Texts may hold `{{task}}`, `{{docs}}`, `{{head}}`, `{{role}}` and `{{n}}` (which call of the role this is). */
export interface AgentStep {
  /** Default `work`, or `nothing` when there are `files`. */
  act?: Act;
  /** Written below the workspace; null deletes. */
  files?: Record<string, string | null>;
  /** Content of `.orch/result.json` instead of what the act says; null: none is written. */
  result?: Record<string, unknown> | null;
  /** Commits everything itself, as an agent may, with this message. */
  commit?: string;
  /** Merges this ref first and resolves conflicts in favour of the branch. */
  merge?: string;
  /** Waits before it works: a time in milliseconds, or until a file exists. */
  sleepMs?: number;
  waitFor?: string;
  /** After the work: never ends. */
  hang?: boolean;
  /** After the work, before the result: ends itself with this signal. */
  crash?: NodeJS.Signals;
  exit?: number;
  /** Printed as they are before the result. */
  print?: string[];
  /** Lays over the result event. */
  event?: Record<string, unknown>;
  /** Dollars of the run. */
  cost?: number;
  /** Leaves a process of its own session behind that outlives this one; its pid is in the call's record. */
  grandchild?: boolean;
  /** Epoch seconds at which a usage limit resets. */
  resetsAt?: number;
}

/** Steps per role, taken in order per task; a role without a step left does its plain work. */
export interface AgentScript {
  roles: Record<string, AgentStep[]>;
  /** The last step of a role is repeated without end instead. */
  repeatLast?: boolean;
}

/** The demonstration: one round of changes, everything else goes well. */
export const demoScript: AgentScript = { roles: { reviewer: [{ act: 'request-changes' }] } };

/** Writes a script for `--agent-script` or `ORCH_AGENT_SCRIPT`; the calls are counted in a file next to it. Returns the file. */
export function writeAgentScript(folder: string, script: AgentScript): string {
  mkdirSync(folder, { recursive: true });
  const file = path.join(folder, 'script.json');
  writeFileSync(file, JSON.stringify(script, null, 2));
  return file;
}

/** What is kept of a call, for tests that ask how often and with what the agent was started. */
export interface AgentCall {
  role: string;
  task: string;
  n: number;
  pid: number;
  cwd: string;
  argv: string[];
  /** Names only: a secret that got here must not be spread further. */
  environment: string[];
  orders: string;
  prompt: string;
  grandchild: number | null;
}

/**
 * Takes the number of this call. The file is made with "must not exist", so two agents started at once get two numbers.
 */
export function numberCall(scriptFile: string, role: string, task: string): { n: number; file: string } {
  const folder = path.join(path.dirname(scriptFile), 'calls');
  mkdirSync(folder, { recursive: true });
  for (let n = 1; ; n++) {
    const file = path.join(folder, `${task === '' ? 'adhoc' : task}.${role}.${n}.json`);
    try {
      closeSync(openSync(file, 'wx'));
      return { n, file };
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
  }
}

export function recordCall(file: string, call: AgentCall): void {
  const handle = openSync(file, 'w');
  writeSync(handle, JSON.stringify(call, null, 2));
  closeSync(handle);
}

/** The step of the n-th call of a role. */
export function stepOf(scriptFile: string | undefined, role: string, n: number): AgentStep {
  if (scriptFile === undefined) return {};
  const script = JSON.parse(readFileSync(scriptFile, 'utf8')) as AgentScript;
  const steps = script.roles[role] ?? script.roles['*'] ?? [];
  return steps[n - 1] ?? (script.repeatLast === true ? steps.at(-1) : undefined) ?? {};
}
