import type { AgentSettings, GitIdentity, ProjectId, Role } from '../model/index.ts';
import type { Clock } from '../platform/clock.ts';
import type { Log } from '../platform/log.ts';
import type { Redactor } from '../platform/redact.ts';

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
  /** Most that a run may print to its standard output and to its error output, bytes; default 192 MB and 64 MB. */
  maxOutputBytes?: number;
  maxErrorBytes?: number;
  /** How long a preflight answer holds, milliseconds; `ORCH_PREFLIGHT_CACHE_TTL`, default 45 s. */
  preflightTtlMs?: number;
}
