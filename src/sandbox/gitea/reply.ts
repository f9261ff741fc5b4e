import { jsonObject } from '../http.ts';
import type { Call, Handler, Reply, Route } from '../http.ts';
import { accessOf } from './state.ts';
import type { Access, GiteaState, GiteaToken, GiteaUser, Repo } from './state.ts';

export interface GiteaCall extends Call {
  user: GiteaUser | null;
  token: GiteaToken | null;
  state: GiteaState;
}

export type GiteaRoute = Route<GiteaState, GiteaCall>;
export type GiteaHandler = Handler<GiteaState, GiteaCall>;

/** Thrown by handlers, turned into Gitea's error body by the server. */
export class Refusal extends Error {
  readonly status: number;
  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

export function errorReply(state: GiteaState, status: number, message: string): Reply {
  return {
    status,
    body: { message, url: `${state.url}/api/swagger`, ...(status === 404 ? { errors: [] } : {}) },
  };
}

export const notFound = (message = "The target couldn't be found."): Refusal => new Refusal(404, message);

const tokenPrefix = /^(?:token|bearer)\s+(\S+)$/i;

/** Who asks: a token in the header, or Basic with the token as password or as user name. `bad` for a token nobody has. */
export function identify(
  state: GiteaState,
  header: string | undefined,
): { user: GiteaUser; token: GiteaToken } | 'none' | 'bad' {
  if (header === undefined || header === '') return 'none';
  const candidates: string[] = [];
  const direct = tokenPrefix.exec(header);
  if (direct?.[1] !== undefined) candidates.push(direct[1]);
  else if (/^basic\s/i.test(header)) {
    const [name = '', ...rest] = Buffer.from(header.slice(6).trim(), 'base64').toString('utf8').split(':');
    candidates.push(rest.join(':'), name);
  }
  for (const value of candidates) {
    for (const user of state.users) {
      const token = user.tokens.find((candidate) => candidate.value === value);
      if (token !== undefined) return { user, token };
    }
  }
  return 'bad';
}

export function needScope(call: GiteaCall, category: string): void {
  const level = call.method === 'GET' ? 'read' : 'write';
  const scopes = call.token?.scopes ?? ['all'];
  const wanted = level === 'read' ? [`read:${category}`, `write:${category}`, 'all'] : [`write:${category}`, 'all'];
  if (wanted.some((scope) => scopes.includes(scope))) return;
  throw new Refusal(
    403,
    `token does not have at least one of required scope(s), required=[${level}:${category}], token scope=${scopes.join(',')}`,
  );
}

/** The repository of a path. What the caller may not see does not exist; writing without a login is 401. */
export function repoOf(call: GiteaCall, owner: string, name: string, need: Access = 'read'): Repo {
  needScope(call, 'repository');
  const repo = findRepo(call.state, decodeURIComponent(owner), decodeURIComponent(name));
  const access = repo === undefined ? null : accessOf(repo, call.user?.login ?? '');
  if (repo === undefined || access === null) throw notFound();
  if (call.method !== 'GET') {
    if (call.user === null) throw new Refusal(401, 'token is required');
    if (repo.archived) throw new Refusal(423, 'This repo is archived. You cannot modify it.');
  }
  const ranks: Access[] = ['read', 'write', 'admin'];
  if (ranks.indexOf(access) < ranks.indexOf(need)) {
    throw new Refusal(
      403,
      need === 'admin'
        ? 'user should be an owner or a collaborator with admin write of a repository'
        : 'user should have a permission to write to the target branch',
    );
  }
  return repo;
}

export function findRepo(state: GiteaState, owner: string, name: string): Repo | undefined {
  return state.repos.find(
    (repo) => repo.owner.toLowerCase() === owner.toLowerCase() && repo.name.toLowerCase() === name.toLowerCase(),
  );
}

export function bodyOf(call: GiteaCall): Record<string, unknown> {
  const body = jsonObject(call.body);
  if (body === null) throw new Refusal(422, 'invalid character in the request body');
  return body;
}

/** The author of a write; routes that write have checked that there is one. */
export function writer(call: GiteaCall): GiteaUser {
  if (call.user === null) throw new Refusal(401, 'token is required');
  return call.user;
}

const defaultPage = 30;
const maxPage = 50;

/** One page of a list: more than 50 a page is cut to 50 without a word; `X-Total-Count` has the true number. */
export function paged<T, R>(call: GiteaCall, rows: T[], render: (row: T) => R): { reply: Reply; shown: R[] } {
  const shown = pageOf(call, rows).map(render);
  return { reply: { status: 200, body: shown, headers: { 'x-total-count': String(rows.length) } }, shown };
}

export function pageOf<T>(call: GiteaCall, rows: T[]): T[] {
  const limit = Math.min(maxPage, Number(call.query.get('limit')) || defaultPage);
  const page = Math.max(1, Number(call.query.get('page')) || 1);
  return rows.slice((page - 1) * limit, page * limit);
}
