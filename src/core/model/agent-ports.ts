import type { CommitSha, ProjectId, RepoSlug, RunId, TaskId } from './ids.ts';
import type { Orders, RunOutcome } from './job.ts';
import type { Role, Stage } from './stages.ts';

/** Everything one run needs, as plain data; written to `run.json` in the run folder. */
export interface RunSpec {
  runId: RunId;
  kind: 'agent' | 'check' | 'adhoc';
  role: Role;
  taskId: TaskId | null;
  /** Whose settings hold; null: those that hold where no project says otherwise. */
  projectId: ProjectId | null;
  repo: RepoSlug;
  branch: string;
  baseBranch: string;
  stage: Stage | null;
  title: string;
  priority: string;
  itemUrl: string | null;
  workspace: string;
  /** Folders outside the workspace that git reads from within it. */
  readPaths: string[];
  baseSha: CommitSha;
  attempt: number;
  maxAttempts: number;
  orders: Orders;
  /** What the agent has to leave, one line each; empty for a run that belongs to no work item. */
  products: string[];
  /** Check jobs: the command itself. */
  command: string[] | null;
  timeoutMs: number;
  budgetMicros: number | null;
  resumeSession: string | null;
  /** Text of the role's prompt: the project's from the base branch, or the default one. */
  prompt: string | null;
}

/** A started process: a pid alone may have been reused, so its start time goes with it. */
export interface ProcessIdentity {
  pid: number;
  /** Field 22 of /proc/<pid>/stat, clock ticks since boot. */
  start: string;
}

export interface FollowHooks {
  /** Called about every `everyMs`; answers whether the run goes on, is stopped, or belongs to another worker now. */
  beat: () => Promise<'go' | 'cancel' | 'lost'>;
  everyMs: number;
  /** Aborted when the worker shuts down. */
  signal: AbortSignal;
  /** What an abort of `signal` does: `leave` (default) ends the following and the agent goes on, `stop` ends the agent. */
  onAbort?: 'leave' | 'stop';
}

/**
 * What the run folder shows of a run: `missing`: nothing was ever started in it, or it was removed; `prepared`: complete
 * up to the start or further, without an end; `ended`: the supervisor has recorded the end.
 */
export type FolderState = 'missing' | 'prepared' | 'ended';

/** Why a run is stopped from outside. `shutdown`: its worker stops and takes its agents along; `output`: too much of it. */
export type StopReason = 'timeout' | 'idle' | 'grace' | 'cancel' | 'orphan' | 'output' | 'shutdown';

/** Supervision of one agent process; works from the run folder alone, so an adopted run is followed by the same code. */
export interface LauncherPort {
  /** Makes the run folder and the orders. Repeatable. */
  prepare(spec: RunSpec): Promise<{ folder: string }>;
  /** Starts the supervisor, detached; throws OrchError when the command cannot be started. */
  start(spec: RunSpec, folder: string): Promise<ProcessIdentity>;
  /**
   * Watches until the process has ended (idle and grace clocks, heartbeat, cancel), `detached` when the signal was aborted
   * and the agent was left running, or `lost` when the lease is gone and the processes were left to its new owner.
   */
  follow(folder: string, hooks: FollowHooks): Promise<'ended' | 'detached' | 'lost'>;
  /** Outcome from the files alone. */
  outcome(folder: string): Promise<RunOutcome>;
  folderState(folder: string): Promise<FolderState>;
  /** Whether any process of the run lives: supervisor, group, marked, or working in the workspace. */
  alive(folder: string): Promise<boolean>;
  /** Ends the run's processes; answers how many are left (0 = all ended). */
  kill(folder: string, why: StopReason): Promise<{ left: number }>;
  /** The very path that will be spawned answers `--version` within 5 s; cached 45 s. */
  preflight(
    role: Role,
    projectId?: ProjectId | null,
  ): Promise<{ ok: true; version: string } | { ok: false; reason: string }>;
  /** Whether the agent's account is logged in; null when that cannot be asked without spending tokens. */
  loggedIn(): Promise<boolean | null>;
  /** Which paths the role may change, relative to the repository's root. */
  scope(role: Role, taskId: TaskId | null, projectId?: ProjectId | null): (path: string) => boolean;
}

/** How a role's agent is run for one project; the configuration is mapped to this. */
export interface AgentSettings {
  /** The agent's command. For another agent than Claude every argument may hold placeholders, see the launcher's `command-line.ts`. */
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
  /** Settings of the agent's git, in addition to orch's own and before the repository's. */
  gitConfig: Record<string, string>;
  /** Further folders and files that the sandbox shows although they are hidden, read-only and writable. */
  readPaths: string[];
  writePaths: string[];
  /** What the role may change: folders, files, `{task}` for the task id; null: the role's own rule. */
  commitPaths: string[] | null;
  sandbox: 'auto' | 'bwrap' | 'none';
  /** What nobody may change, relative to the repository's root. */
  protectedPaths: string[];
}
