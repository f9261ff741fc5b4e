import path from 'node:path';
import { createGit } from '../../src/core/git/git.ts';
import { createWorkspaces } from '../../src/core/git/workspaces.ts';
import type { GitPort, RepoSlug, WorkspacePort } from '../../src/core/model/index.ts';
import { silentLog } from '../../src/core/platform/log.ts';
import { startGitea } from '../../src/sandbox/gitea/server.ts';

export const repo = 'acme/shop' as RepoSlug;

/** A git server over HTTP with one repository, and orch's bare copy and workspaces of it. */
export interface GitWorld {
  git: GitPort;
  workspaces: WorkspacePort;
  /** Head of a branch on the server. */
  head(branch: string): string;
  /** Message of the newest commit of a branch on the server. */
  message(branch: string): Promise<string>;
  /** Somebody else commits to the branch, which begins at the base branch when it is new; answers the new head. */
  pushOther(branch: string, file: string): Promise<string>;
  /** Every connection is reset until `up`. */
  down(): void;
  up(): void;
  /** Git requests that the server has seen. */
  requests(): number;
  stop(): Promise<void>;
}

export async function gitWorld(root: string): Promise<GitWorld> {
  const server = await startGitea({ root: path.join(root, 'server'), lagMs: 0 });
  const owner = server.addUser({ login: 'acme' });
  const bot = server.addUser({ login: 'bot' });
  const shop = await server.addRepo({ owner, name: 'shop', files: { 'README.md': '# Shop\n' } });
  server.grant(shop, bot, 'write');
  const identity = { name: 'orch', email: 'orch@example.org' };
  const git = createGit({
    reposDir: path.join(root, 'repos'),
    remoteUrl: (slug) => `${server.url}/${slug}.git`,
    token: () => bot.tokens[0]?.value ?? '',
    identity,
    timeouts: { gitMs: 20_000, transferMs: 20_000 },
    log: silentLog,
  });
  const head = (branch: string): string => server.head(shop, branch) ?? '';
  return {
    git,
    workspaces: createWorkspaces({
      workspacesDir: path.join(root, 'workspaces'),
      git,
      identity,
      limits: { fileBytes: 10_000_000, totalBytes: 20_000_000 },
      log: silentLog,
    }),
    head,
    message: async (branch) => {
      await git.fetch(repo, ['main', branch]);
      const [base, tip] = [await git.head(repo, 'main'), await git.head(repo, branch)];
      if (base === null || tip === null) throw new Error(`no branch ${branch}`);
      return ((await git.commitsSince(repo, base, tip))[0]?.message ?? '').trim();
    },
    pushOther: (branch, file) => server.pushFile(shop, branch, { [file]: `${file}\n` }, `add ${file}`, owner),
    down: () => void server.faults.push({ match: /./, times: Infinity, action: { kind: 'reset' } }),
    up: () => void server.faults.splice(0),
    requests: () => server.requests.length,
    stop: () => server.close(),
  };
}
