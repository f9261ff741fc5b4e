import type { GitIdentity, ProjectId, Role } from '../model/index.ts';
import type { Clock } from '../platform/clock.ts';
import type { Log } from '../platform/log.ts';
import type { Redactor } from '../platform/redact.ts';

/** How a role's agent is run for one project; configuration is mapped to this. */
export interface AgentSettings {
  /** The agent's command. For another agent than Claude every argument may hold placeholders, see `command-line.ts`. */
  command: string[];
  /** `claude` prints structured events, takes Claude's options and has sessions; anything else is judged by exit status. */
  kind: 'claude' | 'other';
  model: string | null;
  /** Claude's permission rules, such as `Read` or `Bash(git *)`. */
  allowedTools: string[];
  /** Wall clock of an agent run, milliseconds; rounded up to whole seconds. */
  timeoutMs: number;
  /**
   * Longest silence of a streaming agent, milliseconds; null: no such clock. Claude prints nothing while one of its
   * commands runs, and lets that run for 10 minutes at most, so less than that ends healthy runs.
   */
  idleMs: number | null;
  /** How long the process may live on after its result event, milliseconds. */
  graceMs: number;
  /** Names of variables passed through. Orch's own (`ORCH_*`) never are. */
  env: string[];
  /** Further folders and files that the sandbox shows although they are hidden, read-only and writable. */
  readPaths: string[];
  writePaths: string[];
  /** What the role may change: folders (`docs/`), files, `{task}` for the task id; null: the role's own rule. */
  commitPaths: string[] | null;
  sandbox: 'auto' | 'bwrap' | 'none';
  /** What nobody may change, relative to the repository's root. */
  protectedPaths: string[];
}

/** `agent.protectedPaths` when nothing is configured: what would give orders to the next agent (spec 7). */
export const defaultProtectedPaths = ['.openclaw/', '.claude/', '.mcp.json'];

/** `agent.allowedTools` when nothing is configured. */
export const defaultAllowedTools = ['Read', 'Write', 'Edit', 'Bash'];

/** What the launcher is built from. */
export interface LauncherDeps {
  /** Folder of the run folders. */
  runsDir: string;
  /** `projectId` null: the settings that hold where no project says otherwise. */
  settingsOf: (role: Role, projectId: ProjectId | null) => AgentSettings;
  /** Author and committer of everything the agent commits itself. */
  identity: GitIdentity;
  /** Folders and files no agent may see: orch's state, its secrets, its configuration. */
  hide: string[];
  log: Log;
  clock: Clock;
  redactor: Redactor;
  /** Orch's environment, of which agents get an allow-list. */
  env: NodeJS.ProcessEnv;
  /** Time between the request to end and the kill, milliseconds; default 5 s. */
  killGraceMs?: number;
  /** How long a preflight answer holds, milliseconds; `ORCH_PREFLIGHT_CACHE_TTL`, default 45 s. */
  preflightTtlMs?: number;
}
