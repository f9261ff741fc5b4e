import type { Config } from './core/config/config.ts';
import { hiddenPaths } from './core/config/hidden-paths.ts';
import type { Secrets } from './core/config/secrets.ts';
import { createGit } from './core/git/git.ts';
import { createWorkspaces } from './core/git/workspaces.ts';
import { createLauncher } from './core/launcher/launcher.ts';
import type {
  GitPort,
  Forge,
  LauncherPort,
  Tracker,
  ProjectId,
  ProjectPolicy,
  RequestLedger,
  WorkspacePort,
} from './core/model/index.ts';
import { createGitea } from './core/peers/gitea/gitea.ts';
import { createPlane } from './core/peers/plane/plane.ts';
import type { Clock } from './core/platform/clock.ts';
import { createNetwork, type Network } from './core/platform/network.ts';
import type { Log } from './core/platform/log.ts';
import type { Redactor } from './core/platform/redact.ts';

/** What the parts are made from. */
export interface PartOptions {
  config: Config;
  secrets: Secrets;
  redactor: Redactor;
  env: NodeJS.ProcessEnv;
  clock: Clock;
  log: Log;
  /** The tracker's budget of all processes; left out where there is no database: requests are counted in this process. */
  ledger?: RequestLedger;
}

/** What `connectParts` makes. */
export interface Parts {
  git: GitPort;
  workspaces: WorkspacePort;
  tracker: Tracker;
  forge: Forge;
  launcher: LauncherPort;
  /** How servers are reached. */
  network: Network;
}

/**
 * The parts that work without the database: peers, git and the launcher. Tokens are read when they are first used, so
 * that a command that needs none asks for none.
 */
export function connectParts(options: PartOptions): Parts {
  const { config, secrets, clock, log, redactor, env } = options;
  // Known to the redactor before the first line is written, whichever of them is needed first.
  secrets.all();
  const network = networkOf(options);
  // Named by `agent.env` it reaches agents, too.
  const agentEnv = config.tls.caFile === null ? env : { NODE_EXTRA_CA_CERTS: config.tls.caFile, ...env };
  return {
    network,
    ...gitParts(options, network),
    tracker: createPlane({
      url: config.plane.url,
      workspace: config.plane.workspace,
      token: () => secrets.read('plane'),
      secrets: () => secrets.all(),
      network,
      requestsPerMinute: config.plane.requestsPerMinute,
      ...(options.ledger === undefined ? {} : { ledger: options.ledger }),
      clock,
      timeouts: config.timeouts,
      log,
    }),
    forge: createGitea({
      url: config.gitea.url,
      token: () => secrets.read('gitea'),
      secrets: () => secrets.all(),
      network,
      reviewerToken: config.gitea.reviewer ? () => secrets.read('gitea-reviewer') : null,
      timeouts: config.timeouts,
      mergeTimeoutMs: config.timeouts.mergeMs,
      clock,
      log,
    }),
    launcher: createLauncher({
      runsDir: config.runsDir,
      settingsOf: (role, projectId) => config.agent.roleSettings(role, projectOf(config, projectId)),
      identity: config.identity,
      hide: hiddenPaths(config, env),
      log,
      clock,
      redactor,
      env: agentEnv,
      preflightTtlMs: config.agent.preflightCacheMs,
    }),
  };
}

/** How servers are reached, for everything that orch itself talks with. */
function networkOf({ config, env, redactor }: Pick<PartOptions, 'config' | 'env' | 'redactor'>): Network {
  const network = createNetwork({ env, caFile: config.tls.caFile, folder: config.stateDir });
  for (const secret of network.secrets()) redactor.add(secret);
  return network;
}

function gitParts(
  { config, secrets, clock, log }: Pick<PartOptions, 'config' | 'secrets' | 'clock' | 'log'>,
  network: Network,
): { git: GitPort; workspaces: WorkspacePort } {
  const git = createGit({
    reposDir: config.reposDir,
    remoteUrl: (repo) => `${config.gitea.cloneUrl}/${repo}.git`,
    token: () => secrets.read('gitea'),
    secrets: () => [...secrets.all(), ...network.secrets()],
    network,
    identity: config.identity,
    timeouts: config.timeouts,
    clock,
    log,
  });
  return {
    git,
    workspaces: createWorkspaces({
      workspacesDir: config.workspacesDir,
      git,
      identity: config.identity,
      limits: config.commitLimits,
      log,
    }),
  };
}

/** The project with this Plane id; null when it is not configured. */
export function projectOf(config: Config, projectId: ProjectId | null): ProjectPolicy | null {
  return config.projects.find((project) => project.projectId === projectId) ?? null;
}
