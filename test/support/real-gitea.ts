import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { appendFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir, userInfo } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { ensureGitea } from '../../scripts/real-gitea.js';
import type { CommitSha, RepoSlug } from '../../src/core/model/index.ts';
import { type GiteaUser, type PushedChange, pushChange } from './gitea-push.ts';
import { until } from './until.ts';

const exec = promisify(execFile);

interface ApiAnswer<T> {
  status: number;
  body: T;
}

export interface RealGitea {
  url: string;
  /** Its work folder, with the log. */
  folder: string;
  adminToken: string;
  /** Author of branches and pull requests; second account for reviews; a person who owns the repositories. */
  users: { bot: GiteaUser; reviewer: GiteaUser; lead: GiteaUser };
  createUser(name: string, scopes?: string[]): Promise<GiteaUser>;
  /** One API call below `/api/v1`; the administrator's token unless another is given. Never throws for a status. */
  api<T = Record<string, unknown>>(
    method: string,
    route: string,
    body?: unknown,
    token?: string,
  ): Promise<ApiAnswer<T>>;
  /** A repository `acme/<name>` with these files on `main`; bot and reviewer may push, lead is its administrator. */
  createRepo(name: string, files: Record<string, string>): Promise<{ slug: RepoSlug; sha: CommitSha }>;
  /** Commits files on a branch with git and pushes it; made from `from` when it is new. A null removes the file. */
  push(slug: RepoSlug, change: PushedChange): Promise<CommitSha>;
  protect(slug: RepoSlug, rule: Record<string, unknown>): Promise<void>;
  setStatus(
    slug: RepoSlug,
    sha: string,
    status: { context: string; state: string; target_url?: string },
  ): Promise<void>;
  stop(): Promise<void>;
}

/** A fresh Gitea server on loopback with its own folder and SQLite file, or the reason why there is none. */
export async function startRealGitea(): Promise<RealGitea | { missing: string }> {
  const built = await ensureGitea();
  if ('missing' in built) return built;
  const folder = mkdtempSync(path.join(tmpdir(), 'orch-gitea-'));
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  writeSettings(folder, built.staticRoot, port);
  // Gitea refuses to run as root; a throw-away server on loopback may.
  const env = {
    PATH: process.env['PATH'] ?? '',
    HOME: folder,
    USER: userInfo().username,
    GITEA_WORK_DIR: folder,
    GITEA_I_AM_BEING_UNSAFE_RUNNING_AS_ROOT: 'true',
  };
  const gitea = (...args: string[]): Promise<{ stdout: string }> =>
    exec(built.binary, args, { env, cwd: folder, timeout: 60_000 });
  let server: ChildProcess | undefined;
  const stop = async (): Promise<void> => {
    if (server !== undefined) await stopServer(server);
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    await gitea('migrate');
    const account = ['--username', 'admin1', '--password', password('admin1'), '--email', 'admin1@example.org'];
    await gitea('admin', 'user', 'create', ...account, '--admin', '--must-change-password=false');
    const scope = ['--username', 'admin1', '--token-name', 'tests', '--scopes', 'all', '--raw'];
    const printed = await gitea('admin', 'user', 'generate-access-token', ...scope);
    const adminToken = printed.stdout.trim().split('\n').at(-1) ?? '';
    server = spawn(built.binary, ['web'], { env, cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] });
    const log = path.join(folder, 'web.log');
    for (const stream of [server.stdout, server.stderr])
      stream?.on('data', (chunk: Buffer) => appendFileSync(log, chunk));
    await answers(url, server, log);
    return await furnish({ url, folder, adminToken, stop });
  } catch (error) {
    await stop();
    throw error;
  }
}

/** What docs/operations.md asks an administrator to grant. */
const minScopes = ['write:repository', 'read:user'];

/** Users and the organisation, and the handle with its helpers. */
async function furnish(base: {
  url: string;
  folder: string;
  adminToken: string;
  stop: () => Promise<void>;
}): Promise<RealGitea> {
  const { url, folder, adminToken } = base;
  const api = <T>(method: string, route: string, body?: unknown, token?: string): Promise<ApiAnswer<T>> =>
    call<T>(url, method, route, body, `token ${token ?? adminToken}`);
  const must = async <T>(method: string, route: string, body?: unknown, token?: string): Promise<T> => {
    const answer = await api<T>(method, route, body, token);
    if (answer.status < 200 || answer.status > 299)
      throw new Error(`${method} ${route}: ${answer.status} ${JSON.stringify(answer.body)}`);
    return answer.body;
  };
  const createUser = async (name: string, scopes = ['all']): Promise<GiteaUser> => {
    const user = { name, email: `${name}@example.org`, password: password(name) };
    await must('POST', '/admin/users', {
      username: name,
      email: user.email,
      password: user.password,
      must_change_password: false,
    });
    const basic = `Basic ${Buffer.from(`${name}:${user.password}`).toString('base64')}`;
    const made = await call<{ sha1: string }>(url, 'POST', `/users/${name}/tokens`, { name: 'tests', scopes }, basic);
    return { ...user, token: made.body.sha1 };
  };
  const users = {
    bot: await createUser('orch-bot', minScopes),
    reviewer: await createUser('orch-reviewer', minScopes),
    lead: await createUser('lead'),
  };
  await must('POST', '/orgs', { username: 'acme' }, users.lead.token);
  const push = async (slug: RepoSlug, change: PushedChange): Promise<CommitSha> => {
    const sha = await pushChange(url, slug, change, change.user ?? users.lead, folder);
    // The server learns of a push from a queue: until then the API has the old head, or takes the repository for empty.
    await until(`${slug} to know ${change.branch}`, async () => {
      const answer = await api<{ name: string; commit: { id: string } }[] | null>(
        'GET',
        `/repos/${slug}/branches?limit=50`,
      );
      const known = Array.isArray(answer.body)
        ? answer.body.find((branch) => branch.name === change.branch)
        : undefined;
      return known?.commit.id === sha;
    });
    return sha;
  };
  return {
    url,
    folder,
    adminToken,
    users,
    createUser,
    api,
    push,
    async createRepo(name, files) {
      const slug = `acme/${name}` as RepoSlug;
      await must('POST', '/orgs/acme/repos', { name, default_branch: 'main' }, users.lead.token);
      for (const user of [users.bot, users.reviewer])
        await must('PUT', `/repos/${slug}/collaborators/${user.name}`, { permission: 'write' });
      return { slug, sha: await push(slug, { branch: 'main', files, message: 'chore: first commit' }) };
    },
    async protect(slug, rule) {
      await must('POST', `/repos/${slug}/branch_protections`, { rule_name: 'main', enable_push: true, ...rule });
    },
    async setStatus(slug, sha, status) {
      await must('POST', `/repos/${slug}/statuses/${sha}`, { description: '', ...status });
    },
    stop: base.stop,
  };
}

async function call<T>(
  url: string,
  method: string,
  route: string,
  body: unknown,
  authorization: string,
): Promise<ApiAnswer<T>> {
  const response = await fetch(`${url}/api/v1${route}`, {
    method,
    headers: { authorization, 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  let parsed: unknown = text;
  try {
    parsed = JSON.parse(text);
  } catch {
    // Merges and deletions answer nothing, unknown routes answer plain text.
  }
  return { status: response.status, body: parsed as T };
}

function password(name: string): string {
  return `long-enough-${name}`;
}

function writeSettings(folder: string, staticRoot: string, port: number): void {
  const settings = `RUN_MODE = prod
WORK_PATH = ${folder}
[server]
HTTP_ADDR = 127.0.0.1
HTTP_PORT = ${port}
ROOT_URL = http://127.0.0.1:${port}/
STATIC_ROOT_PATH = ${staticRoot}
DISABLE_SSH = true
OFFLINE_MODE = true
[database]
DB_TYPE = sqlite3
PATH = ${path.join(folder, 'gitea.db')}
[repository]
ROOT = ${path.join(folder, 'repositories')}
[security]
INSTALL_LOCK = true
[service]
DISABLE_REGISTRATION = true
[log]
MODE = console
LEVEL = warn
`;
  mkdirSync(path.join(folder, 'custom', 'conf'), { recursive: true });
  writeFileSync(path.join(folder, 'custom', 'conf', 'app.ini'), settings);
}

async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((resolve) => probe.listen(0, '127.0.0.1', resolve));
  const { port } = probe.address() as AddressInfo;
  await new Promise((resolve) => probe.close(resolve));
  return port;
}

async function answers(url: string, server: ChildProcess, log: string): Promise<void> {
  await until('Gitea to answer', async () => {
    if (server.exitCode !== null)
      throw new Error(`Gitea ended: ${readFileSync(log, { encoding: 'utf8', flag: 'a+' }).slice(-2000)}`);
    return await fetch(`${url}/api/v1/version`).then(
      (response) => response.ok,
      () => false,
    );
  });
}

/** SIGTERM and up to 15 s for a clean end, then SIGKILL. */
async function stopServer(server: ChildProcess): Promise<void> {
  if (server.exitCode !== null || server.signalCode !== null) return;
  const ended = new Promise<void>((resolve) => server.once('exit', () => resolve()));
  server.kill('SIGTERM');
  const hard = setTimeout(() => server.kill('SIGKILL'), 15_000);
  await ended;
  clearTimeout(hard);
}
