/**
 * Variables of the system orch replaces whose thing still exists (spec 9), with the key they set now.
 * A generated variable of the same key wins.
 */
export const legacyVariables: ReadonlyMap<string, string> = new Map([
  ['ORCH_MAX_CONCURRENCY', 'worker.maxConcurrency'],
  ['ORCH_QUEUE_POLL_INTERVAL', 'worker.pollIntervalSeconds'],
  ['ORCH_PREFLIGHT_CACHE_TTL', 'agent.preflightCacheSeconds'],
  ['ORCH_BACKOFF_BASE_SECONDS', 'worker.backoffBaseSeconds'],
  ['ORCH_BACKOFF_MAX_SECONDS', 'worker.backoffMaxSeconds'],
  ['ORCH_TRANSIENT_MAX_ATTEMPTS', 'worker.transientRetries'],
  ['ORCH_BREAKER_THRESHOLD', 'agent.breakerThreshold'],
  ['ORCH_BREAKER_PAUSE_SECONDS', 'agent.breakerPauseSeconds'],
  ['ORCH_WORKTREES_DIR', 'workspacesDir'],
  ['ORCH_CLAUDE_BIN', 'agent.command'],
  ['ORCH_PLANE_API_URL', 'plane.url'],
  ['ORCH_PLANE_WORKSPACE_SLUG', 'plane.workspace'],
]);

/** Variables of that system that nothing in orch corresponds to: named once in a hint, not passed over in silence. */
const withoutCounterpart = [
  'ORCH_PLANE_WEBHOOK_SECRET',
  'ORCH_GITEA_WEBHOOK_SECRET',
  'ORCH_DEFAULT_REPO',
  'ORCH_HOST_REPOS_DIR',
  'ORCH_PLANE_PROJECT_ID',
];

/** Variables orch reads elsewhere: for one run, for tests, for finding the file. */
export const internalVariables = [
  'ORCH_CONFIG',
  'ORCH_CRASH_AT',
  'ORCH_RUN',
  'ORCH_ROLE',
  'ORCH_TASK',
  'ORCH_AGENT_SCRIPT',
];

/** Old variables that are set and mean nothing now. `ORCH_GITEA_OWNER` means something together with ORCH_PROJECTS_JSON only. */
export function obsoleteVariables(env: NodeJS.ProcessEnv): string[] {
  const set = withoutCounterpart.filter((name) => env[name] !== undefined);
  if (env['ORCH_GITEA_OWNER'] !== undefined && (env['ORCH_PROJECTS_JSON'] ?? '').trim() === '')
    set.push('ORCH_GITEA_OWNER');
  return set;
}

export function isObsoleteName(name: string): boolean {
  return withoutCounterpart.includes(name) || name === 'ORCH_GITEA_OWNER';
}

const oldKeys: Record<string, string> = { plane_project_id: 'planeProject', work_item_prefix: 'prefix' };

/**
 * ORCH_PROJECTS_JSON: a list of projects with today's keys or the old ones (`plane_project_id`, `work_item_prefix`, a
 * bare `repo` below `owner`). Entries are checked by the schema afterwards.
 * @throws Error saying what is wrong, without quoting the text
 */
export function parseProjectsJson(text: string, owner: string | undefined): unknown[] {
  let list: unknown;
  try {
    list = JSON.parse(text);
  } catch {
    throw new Error('is not valid JSON');
  }
  if (!Array.isArray(list)) throw new Error('must be a JSON list of projects');
  return list.map((entry: unknown) => {
    if (typeof entry !== 'object' || entry === null || Array.isArray(entry)) return entry;
    const project = Object.fromEntries(
      Object.entries(entry).map(([key, value]) => [oldKeys[key] ?? key, value as unknown]),
    );
    const repo = project['repo'];
    if (typeof repo === 'string' && !repo.includes('/') && owner !== undefined && owner.trim() !== '') {
      project['repo'] = `${owner.trim()}/${repo}`;
    }
    return project;
  });
}
