/**
 * Exit codes of the program (spec 8). Where systemd prints a name for a number, the number has that meaning
 * (`systemd-analyze exit-status`): 2 INVALIDARGUMENT, 4 NOPERMISSION, 6 NOTCONFIGURED, 7 NOTRUNNING, 75 TEMPFAIL.
 */
export const exitCodes = {
  ok: 0,
  failed: 1,
  usage: 2,
  notFound: 3,
  authentication: 4,
  notConfigured: 6,
  notRunning: 7,
  pending: 8,
  tryAgain: 75,
} as const;

export type ExitName = keyof typeof exitCodes;

/** Whether the same call may succeed later without anybody's help. */
export type Retry = 'later' | 'never';

/**
 * What another run of the same job can expect, where that is known.
 * - `outage`: no agent was started, because the git server could not be asked, or not with this token, or there is no room
 *   to work. It may last for days, and costs nothing: it is waited for, and spends no budget.
 * - `hopeless`: it meets the same again; another run would only cost.
 */
export type Rerun = 'outage' | 'hopeless';

/**
 * What a failure is about; this, and never the spelling of a code, decides what follows.
 * - `command`: the command asks for what cannot be done, or names what is not there;
 * - `configuration`: orch, or the host it runs on, has to be set up differently;
 * - `authentication`: a token was refused, or its account lacks a right: somebody can give both while the work waits;
 * - `unreachable`: no answer in time; the place is left alone for a while (circuit);
 * - `limit`: the server asked for fewer calls; the moment of the next call is known;
 * - `server`: an answer that shows trouble of the server, or of a proxy in front of it;
 * - `refusal`: a peer answered no. A server that is being upgraded answers 404, 409 or a redirect for a while, too: such
 *   an answer is believed when it is repeated;
 * - `git`: git, a workspace or a rule of the server about pushes; each is a fact about this work;
 * - `agent`: an agent or its run folder;
 * - `host`: the machine (disk, memory);
 * - `database`: the database cannot be used: nothing else fares better, and nothing can be recorded;
 * - `orch`: a defect.
 */
export type ErrorKind =
  | 'command'
  | 'configuration'
  | 'authentication'
  | 'unreachable'
  | 'limit'
  | 'server'
  | 'refusal'
  | 'git'
  | 'agent'
  | 'host'
  | 'database'
  | 'orch';

export interface ErrorAttributes {
  kind: ErrorKind;
  /** The row of the exit-code table a command ends with. */
  exit: ExitName;
  retry: Retry;
  /** What another run can expect after a run that could not start for this. */
  rerun?: Rerun;
}

const usage = { kind: 'command', exit: 'usage', retry: 'never' } as const;
const unknown = { kind: 'command', exit: 'notFound', retry: 'never' } as const;
const impossible = { kind: 'command', exit: 'failed', retry: 'never' } as const;
const setUp = { kind: 'configuration', exit: 'notConfigured', retry: 'never' } as const;
const configured = { kind: 'configuration', exit: 'failed', retry: 'never' } as const;
const token = { kind: 'authentication', exit: 'authentication', retry: 'never' } as const;
const unreachable = { kind: 'unreachable', exit: 'tryAgain', retry: 'later' } as const;
const limit = { kind: 'limit', exit: 'tryAgain', retry: 'later' } as const;
const server = { kind: 'server', exit: 'tryAgain', retry: 'later' } as const;
const refusal = { kind: 'refusal', exit: 'failed', retry: 'never' } as const;
const notFound = { kind: 'refusal', exit: 'notFound', retry: 'never' } as const;
const git = { kind: 'git', exit: 'failed', retry: 'never' } as const;
const agent = { kind: 'agent', exit: 'failed', retry: 'never' } as const;
const host = { kind: 'host', exit: 'tryAgain', retry: 'later' } as const;
const database = { kind: 'database', exit: 'failed', retry: 'never' } as const;
const databaseSetUp = { kind: 'database', exit: 'notConfigured', retry: 'never' } as const;
const databaseLater = { kind: 'database', exit: 'tryAgain', retry: 'later' } as const;
const defect = { kind: 'orch', exit: 'failed', retry: 'never' } as const;

/** Every error code there is, with what follows from it. Codes are printed in `--json` errors and stored with runs. */
export const errorCodes = {
  usage,
  unknown_topic: usage,
  bad_key: usage,
  bad_task_id: usage,
  bad_repo: usage,
  bad_branch: usage,
  project_unknown: usage,
  project_ambiguous: usage,
  pipeline_unknown: usage,
  stage_not_in_pipeline: usage,
  prompt_unreadable: usage,
  demo_folder: usage,
  init_exists: usage,
  init_incomplete: usage,
  init_invalid: usage,
  work_item_unknown: unknown,
  task_unknown: unknown,
  job_unknown: unknown,
  run_unknown: unknown,
  no_run: unknown,
  run_folder_missing: unknown,
  bad_sha: impossible,
  bad_path: impossible,
  task_final: impossible,
  task_id_taken: impossible,
  project_configured: impossible,
  task_created: impossible,
  not_held: impossible,
  role_not_in_stage: impossible,
  init_stopped: impossible,
  report_unwritable: impossible,
  demo_late: impossible,
  not_queued: { kind: 'command', exit: 'tryAgain', retry: 'never' },

  not_configured: setUp,
  config_not_found: setUp,
  config_unreadable: setUp,
  config_invalid: setUp,
  config_untrusted: setUp,
  missing_token: setUp,
  unreadable_token: setUp,
  ca_unreadable: setUp,
  proxy_unsupported: setUp,
  project_not_registered: setUp,
  repo_unknown: setUp,
  base_missing: setUp,
  no_access: setUp,
  git_missing: setUp,
  repos_foreign: setUp,
  sandbox_unavailable: setUp,
  plane_state_missing: configured,

  plane_unreachable: unreachable,
  plane_rate_limited: limit,
  plane_server_error: server,
  plane_garbage: server,
  plane_too_large: server,
  plane_token_refused: token,
  plane_forbidden: token,
  plane_not_found: notFound,
  plane_refused: refusal,
  plane_ids_taken: configured,

  gitea_unreachable: unreachable,
  gitea_rate_limited: limit,
  gitea_server_error: server,
  gitea_garbage: server,
  gitea_too_large: server,
  gitea_token_refused: token,
  gitea_forbidden: token,
  gitea_not_found: notFound,
  gitea_refused: refusal,

  telegram_unreachable: unreachable,
  telegram_rate_limited: limit,
  telegram_server_error: server,
  telegram_garbage: server,
  telegram_too_large: server,
  telegram_token_refused: token,
  telegram_not_found: notFound,
  telegram_refused: refusal,

  git_unreachable: { ...unreachable, rerun: 'outage' },
  git_timeout: { ...unreachable, rerun: 'outage' },
  git_token_refused: { ...token, rerun: 'outage' },
  git_repo_missing: notFound,
  git_redirected: { kind: 'refusal', exit: 'notConfigured', retry: 'never' },
  git_refused: refusal,
  git_read_only: git,
  git_branch_in_way: git,
  git_sha256: { ...setUp, rerun: 'hopeless' },
  git_listed_nothing: { ...server, rerun: 'outage' },
  git_push_lost: server,
  git_push_failed: server,
  git_push_refused: git,
  git_failed: git,
  git_locked: { kind: 'git', exit: 'tryAgain', retry: 'later' },
  git_too_large: git,
  git_killed: host,
  branch_missing: git,
  commit_missing: git,
  workspace_diverged: { ...git, rerun: 'hopeless' },
  workspace_foreign: git,

  agent_not_startable: agent,
  run_folder: agent,

  disk_full: { ...host, rerun: 'outage' },

  database_missing: databaseSetUp,
  database_foreign: databaseSetUp,
  database_older: databaseSetUp,
  database_newer: databaseSetUp,
  database_unwritable: databaseSetUp,
  database_busy: databaseLater,
  database_full: databaseLater,
  database_corrupt: database,
  database_io: database,
  database_references: database,

  no_base: defect,
  reconcile_failed: defect,
  unexpected: defect,
  defect,
} as const satisfies Record<string, ErrorAttributes>;

/** Stable machine name of an expected failure, `snake_case`. */
export type ErrorCode = keyof typeof errorCodes;
