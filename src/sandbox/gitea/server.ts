import type { ChildProcess } from 'node:child_process';
import { systemClock } from '../../core/platform/clock.ts';
import type { Clock } from '../../core/platform/clock.ts';
import { route, startServer } from '../http.ts';
import type { Call, Reply, RunningServer } from '../http.ts';
import { branchRoutes } from './branches.ts';
import { serveGit } from './git-http.ts';
import { mergeRoutes } from './merge.ts';
import { giteaPeople } from './people.ts';
import type { GiteaPeople } from './people.ts';
import { pullByBranchesRoute, pullRoutes } from './pulls.ts';
import { renderRepo, renderUser } from './render.ts';
import { errorReply, identify, needScope, Refusal } from './reply.ts';
import type { GiteaCall, GiteaRoute } from './reply.ts';
import { reviewRoutes } from './reviews.ts';
import { inRepo, repoRoute } from './routes.ts';
import { newGiteaState } from './state.ts';
import type { GiteaState } from './state.ts';
import { statusRoutes } from './statuses.ts';

export interface GiteaOptions {
  /** Folder for the bare repositories; made when it is missing, never removed. */
  root: string;
  port?: number;
  clock?: Clock;
  /** Behaviours follow it: 1.24, 1.25 and 1.26 differ. Default 1.26.3. */
  version?: string;
  /** Lag of the background work, milliseconds; real servers take 200 to 1500. Default 150. */
  lagMs?: number;
}

export interface SandboxGitea extends GiteaPeople, RunningServer {
  state: GiteaState;
}

/** An embedded Gitea over real bare repositories: API, git over HTTP, merges made with git. Ends with `close()`. */
export async function startGitea(options: GiteaOptions): Promise<SandboxGitea> {
  const state = newGiteaState({
    clock: options.clock ?? systemClock,
    version: options.version ?? '1.26.3',
    root: options.root,
    lagMs: options.lagMs ?? 150,
  });
  const children = new Set<ChildProcess>();
  const server = await startServer({
    port: options.port,
    handle: (call) => answer(state, call),
    raw: (req, res) => serveGit(state, children, req, res),
  });
  state.url = server.url;
  return {
    ...giteaPeople(state),
    ...server,
    state,
    async close() {
      for (const timer of state.timers) clearTimeout(timer);
      for (const child of children) child.kill('SIGKILL');
      await server.close();
      await Promise.allSettled([...state.pending, ...state.repos.map((repo) => repo.mergeQueue)]);
    },
  };
}

const routes: GiteaRoute[] = [
  route('/api/v1/version', { GET: (state) => ({ status: 200, body: { version: state.version } }) }),
  route('/api/v1/user', {
    GET: (state, call) => {
      if (call.user === null) throw new Refusal(401, 'token is required');
      needScope(call, 'user');
      return { status: 200, body: renderUser(state, call.user.login) };
    },
  }),
  repoRoute('', {
    GET: inRepo('read', (call, repo) => ({ status: 200, body: renderRepo(call.state, repo, call.user) })),
  }),
  ...pullRoutes,
  ...mergeRoutes,
  ...reviewRoutes,
  ...statusRoutes,
  ...branchRoutes,
  pullByBranchesRoute,
];

async function answer(state: GiteaState, call: Call): Promise<Reply> {
  const found = routes.filter((candidate) => candidate.pattern.test(call.path));
  if (found.length === 0) return { status: 404, body: '404 page not found\n' };
  const match = found.find((candidate) => candidate.methods[call.method] !== undefined);
  const handler = match?.methods[call.method];
  if (match === undefined || handler === undefined) return { status: 405 };
  // A token nobody has is refused even where none is needed.
  const who = identify(state, call.headers.authorization);
  if (who === 'bad') return errorReply(state, 401, 'invalid username, password or token');
  const known = who === 'none' ? { user: null, token: null } : who;
  const full: GiteaCall = { ...call, ...known, state };
  try {
    return await handler(state, full, match.pattern.exec(call.path)?.slice(1) ?? []);
  } catch (error) {
    if (error instanceof Refusal) return errorReply(state, error.status, error.message);
    throw error;
  }
}
