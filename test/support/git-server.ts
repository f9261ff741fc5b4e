import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createGit } from '../../src/core/git/git.ts';
import { createWorkspaces } from '../../src/core/git/workspaces.ts';
import {
  parseCommitSha,
  type CommitSha,
  type Published,
  type RepoSlug,
  type WorkspacePort,
} from '../../src/core/model/index.ts';
import { silentLog } from '../../src/core/platform/log.ts';
import { startGitea, type SandboxGitea } from '../../src/sandbox/gitea/server.ts';

export const slug = 'acme/shop' as RepoSlug;
const identity = { name: 'orch bot', email: 'orch@example.org' };

/** A smart HTTP server over one real repository, and everything the git room makes of it. */
export interface GitBench {
  root: string;
  server: SandboxGitea;
  token: string;
  git: ReturnType<typeof createGit>;
  workspaces: ReturnType<typeof createWorkspaces>;
  /** The same folders for somebody with another token, address or time limit. */
  gitAs(change: { token?: string; url?: string; gitMs?: number; transferMs?: number }): ReturnType<typeof createGit>;
  /** Brings every branch of the server into the bare copy. */
  fetch(): Promise<void>;
  /** Somebody commits to a branch on the server, which begins at main when it is new. */
  push(branch: string, files: Record<string, string>): Promise<CommitSha>;
  serverHead(branch: string): CommitSha | null;
  /** git in a folder as an ordinary person or agent runs it; answers what it printed, trimmed. */
  inFolder(folder: string, ...args: string[]): string;
  bare(...args: string[]): string;
  /** Publishes a workspace as a role that may change everything, unless it is said otherwise. */
  commit(request: Pick<CommitRequest, 'branch' | 'base'> & Partial<CommitRequest>): Promise<Published>;
  stop(): Promise<void>;
}

type CommitRequest = Parameters<WorkspacePort['commit']>[0];

export async function gitBench(): Promise<GitBench> {
  const root = mkdtempSync(path.join(tmpdir(), 'orch-git-'));
  const server = await startGitea({ root: path.join(root, 'server'), lagMs: 0 });
  const owner = server.addUser({ login: 'acme' });
  const bot = server.addUser({ login: 'bot' });
  const token = bot.tokens[0]?.value ?? '';
  const files = { 'README.md': '# Shop\n', 'src/a.txt': 'one\ntwo\nthree\n', '.claude/rules.md': 'be good\n' };
  const shop = await server.addRepo({ owner, name: 'shop', files, private: true });
  server.grant(shop, bot, 'write');
  const reposDir = path.join(root, 'repos');
  const gitAs: GitBench['gitAs'] = (change) =>
    createGit({
      reposDir,
      remoteUrl: (repo) => `${change.url ?? server.url}/${repo}.git`,
      token: () => change.token ?? token,
      identity,
      timeouts: { gitMs: change.gitMs ?? 20_000, transferMs: change.transferMs ?? 20_000 },
      log: silentLog,
    });
  const git = gitAs({});
  const inFolder: GitBench['inFolder'] = (folder, ...args) =>
    execFileSync('git', ['-C', folder, ...args], { encoding: 'utf8', env: agentEnv(root), stdio: 'pipe' }).trim();
  const workspaces = createWorkspaces({
    workspacesDir: path.join(root, 'workspaces'),
    git,
    identity,
    limits: { fileBytes: 1_000_000, totalBytes: 2_500_000 },
    log: silentLog,
  });
  const patchFile = path.join(root, 'run', 'out.patch');
  const usual = { repo: slug, baseBranch: 'main', allowed: () => true, message: 'feat: x', patchFile };
  return {
    root,
    server,
    token,
    git,
    workspaces,
    commit: (request) => workspaces.commit({ ...usual, ...request }),
    gitAs,
    fetch: async () => git.fetch(slug, [...(await git.lsRemoteHeads(slug)).keys()]),
    push: async (branch, changed) =>
      parseCommitSha(await server.pushFile(shop, branch, changed, `change ${branch}`, owner)),
    serverHead: (branch) => {
      const head = server.head(shop, branch);
      return head === undefined ? null : parseCommitSha(head);
    },
    inFolder,
    bare: (...args) => inFolder(path.join(reposDir, `${slug}.git`), ...args),
    async stop() {
      await server.close();
      rmSync(root, { recursive: true, force: true });
    },
  };
}

/** An agent's surroundings: a name to commit under, and nothing of this machine's configuration. */
function agentEnv(home: string): NodeJS.ProcessEnv {
  return {
    PATH: process.env['PATH'],
    HOME: home,
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_AUTHOR_NAME: 'agent',
    GIT_AUTHOR_EMAIL: 'agent@example.org',
    GIT_COMMITTER_NAME: 'agent',
    GIT_COMMITTER_EMAIL: 'agent@example.org',
    GIT_MERGE_AUTOEDIT: 'no',
  };
}

/** Every regular file below a folder whose bytes hold one of the texts. */
export function filesWith(folder: string, texts: string[]): { searched: number; hits: string[] } {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => path.join(entry.parentPath, entry.name));
  const hits = files.filter((file) => {
    const content = readFileSync(file, 'latin1');
    return texts.some((text) => content.includes(text));
  });
  return { searched: files.length, hits };
}
