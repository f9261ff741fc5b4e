import { systemClock } from '../../core/platform/clock.ts';
import type { Clock } from '../../core/platform/clock.ts';
import { startServer } from '../http.ts';
import type { Call, Reply, RunningServer } from '../http.ts';
import { catalogRoutes, searchRoute } from './catalog.ts';
import { commentRoutes } from './comments.ts';
import { itemRoutes } from './items.ts';
import { planePeople } from './people.ts';
import type { PlanePeople } from './people.ts';
import { pageNotFound, Refusal } from './reply.ts';
import type { PlaneCall, PlaneRoute } from './reply.ts';
import { newPlaneState } from './state.ts';
import type { PlaneState } from './state.ts';

export interface PlaneOptions {
  port?: number;
  clock?: Clock;
  workspace?: string;
  /** Default 60, Plane's own. */
  rateLimitPerMinute?: number;
  /** A server before 1.1: `/work-items/` does not exist. */
  legacy?: boolean;
  /** How long the background worker takes, milliseconds; default 60, seen are 50 to 100. */
  workerDelayMs?: number;
}

export interface SandboxPlane extends PlanePeople, RunningServer {
  state: PlaneState;
}

/** An embedded Plane Community Edition, as strict as the real one; ends with `close()`. */
export async function startPlane(options: PlaneOptions = {}): Promise<SandboxPlane> {
  const state = newPlaneState(options.clock ?? systemClock, {
    workspace: options.workspace ?? 'acme',
    rateLimitPerMinute: options.rateLimitPerMinute ?? 60,
    legacy: options.legacy ?? false,
    workerDelayMs: options.workerDelayMs ?? 60,
  });
  const routes = routeTable(state.legacy);
  const server = await startServer({
    port: options.port,
    handle: (call) => answer(state, routes, call),
  });
  return {
    ...planePeople(state),
    ...server,
    state,
    async close() {
      for (const timer of state.worker.timers) clearTimeout(timer);
      await server.close();
    },
  };
}

function routeTable(legacy: boolean): PlaneRoute[] {
  const names = legacy ? ['issues'] : ['work-items', 'issues'];
  return [
    ...catalogRoutes,
    ...names.flatMap((name) => [searchRoute(name), ...itemRoutes(name), ...commentRoutes(name)]),
  ];
}

async function answer(state: PlaneState, routes: PlaneRoute[], call: Call): Promise<Reply> {
  if (call.path === '/') return { status: 200, body: { status: 'OK' } };
  if (call.path === '/api/instances/') return { status: 200, body: instance(state) };
  const found = routes.find((candidate) => candidate.pattern.test(call.path));
  if (found === undefined) return lost(routes, call);
  try {
    const plane = authenticated(state, call);
    const headers = throttle(state, plane);
    const handler = found.methods[call.method];
    if (handler === undefined) throw new Refusal(405, { detail: `Method "${call.method}" not allowed.` });
    const reply = await handler(state, plane, found.pattern.exec(call.path)?.slice(1) ?? []);
    return { ...reply, headers: { ...reply.headers, ...headers } };
  } catch (error) {
    if (error instanceof Refusal) return error.reply;
    throw error;
  }
}

/** A path without its slash is sent on with HTML, whatever the verb; anything else is not found, without a look at the key. */
function lost(routes: PlaneRoute[], call: Call): Reply {
  if (!call.path.endsWith('/') && routes.some((candidate) => candidate.pattern.test(`${call.path}/`))) {
    const query = call.query.size > 0 ? `?${call.query.toString()}` : '';
    return {
      status: 301,
      body: '',
      headers: { location: `${call.path}/${query}`, 'content-type': 'text/html; charset=utf-8' },
    };
  }
  return { status: 404, body: pageNotFound, headers: { 'content-type': 'application/json' } };
}

function authenticated(state: PlaneState, call: Call): PlaneCall {
  const key = call.headers['x-api-key'];
  if (typeof key !== 'string' || key === '') {
    throw new Refusal(401, { detail: 'Authentication credentials were not provided.' });
  }
  const user = state.users.find((candidate) => candidate.token === key);
  if (user === undefined) throw new Refusal(403, { detail: 'Given API token is not valid' });
  return { ...call, user };
}

const windowMs = 60_000;

/** Sliding window per key. Refused requests do not count; allowed ones say what is left. */
function throttle(state: PlaneState, call: PlaneCall): Record<string, string> {
  const now = state.clock.now();
  const recent = (state.history.get(call.user.token) ?? []).filter((at) => at > now - windowMs);
  state.history.set(call.user.token, recent);
  if (recent.length >= state.rateLimitPerMinute) {
    const refusal = new Refusal(429, { error_code: 5900, error_message: 'RATE_LIMIT_EXCEEDED' });
    // When the limit was lowered below what was already spent, the real server leaves the header out.
    if (recent.length === state.rateLimitPerMinute) {
      const wait = Math.max(1, Math.ceil(((recent[0] ?? now) + windowMs - now) / 1000));
      refusal.reply.headers = { 'retry-after': String(wait) };
    }
    throw refusal;
  }
  recent.push(now);
  return {
    'x-ratelimit-remaining': String(state.rateLimitPerMinute - recent.length),
    'x-ratelimit-reset': String(Math.floor(now / 1000) + 60),
  };
}

function instance(state: PlaneState): Record<string, unknown> {
  return {
    config: {},
    instance: {
      current_version: state.version,
      edition: 'PLANE_COMMUNITY',
      is_setup_done: true,
      instance_name: 'Sandbox',
    },
  };
}
