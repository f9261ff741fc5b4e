import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { CommitSha, RepoSlug } from '../../src/core/model/index.ts';
import { type Team, type TeamOptions, teamScript } from './agent-team.ts';
import { bubblewrap, claudeCli, claudeEnv, cliReadPaths, cliVariables } from './claude-cli.ts';
import { type MessagesApi, startMessagesApi } from './messages-api.ts';
import { type RealGitea, startRealGitea } from './real-gitea.ts';

/** Everything real that a whole-line test needs, with one repository and a scripted team behind the real CLI. */
export interface RealWorld {
  gitea: RealGitea;
  repo: RepoSlug;
  /** Head of `main`. */
  sha: CommitSha;
  api: MessagesApi;
  team: Team;
  /** Path of the CLI, for `agent.command`. */
  claude: string;
  /** Whether bubblewrap works here, for `agent.sandbox`. */
  sandbox: 'bwrap' | 'none';
  /** For `agent.readPaths`: where the CLI lies. */
  readPaths: string[];
  /** Environment of orch and, through `agent.env`, of the agents; the API key is in it, Gitea's tokens are not. */
  env: Record<string, string>;
  /** Names in `env` that agents need. */
  agentEnv: string[];
  /** An empty folder for state, workspaces and configuration. */
  folder: string;
  stop(): Promise<void>;
}

/** Starts Gitea, the scripted Messages API and makes `acme/shop`, or says which program cannot be had. */
export async function startRealWorld(options: TeamOptions = {}): Promise<RealWorld | { missing: string }> {
  const cli = claudeCli();
  if ('missing' in cli) return cli;
  const gitea = await startRealGitea();
  if ('missing' in gitea) return gitea;
  const team = teamScript(options);
  const api = await startMessagesApi(team.script);
  const folder = mkdtempSync(path.join(tmpdir(), 'orch-world-'));
  const stop = async (): Promise<void> => {
    await api.stop();
    await gitea.stop();
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  };
  try {
    const env = claudeEnv(path.join(folder, 'agent'), api.url);
    const made = await gitea.createRepo('shop', { 'README.md': '# Shop\n', 'src/totals.txt': 'totals\n' });
    mkdirSync(path.join(folder, 'state'));
    return {
      gitea,
      repo: made.slug,
      sha: made.sha,
      api,
      team,
      claude: cli.binary,
      sandbox: 'missing' in bubblewrap() ? 'none' : 'bwrap',
      readPaths: cliReadPaths,
      env,
      agentEnv: cliVariables,
      folder,
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}
