import type { ServerResponse } from 'node:http';
import { createGitea } from '../../src/core/peers/gitea/gitea.ts';
import type { RepoSlug } from '../../src/core/model/index.ts';
import type { Log, LogFields } from '../../src/core/platform/log.ts';
import { fakeServer, json } from './fake-server.ts';
import type { Handler, Seen } from './fake-server.ts';

export const token = 'gitea-token-aaaaaaaaaaaaaaaa';
export const reviewerToken = 'reviewer-token-bbbbbbbbbbbb';
export const secrets = [token, reviewerToken];
export const slug = 'acme/shop' as RepoSlug;
export const root = '/api/v1/repos/acme/shop';
export const shaA = 'a'.repeat(40);
export const shaB = 'b'.repeat(40);
export const missing = { message: "The target couldn't be found.", errors: [] };

interface Options {
  reviewer?: boolean;
  readMs?: number;
  writeMs?: number;
  mergeTimeoutMs?: number;
}

/** A strict Gitea: one slash between address and path, a known token, and then whatever the test answers. */
export async function againstGitea(handler: Handler, options: Options = {}) {
  const server = await fakeServer((seen, response) => {
    if (seen.path.startsWith('//')) return notFound(response);
    const known = [token, reviewerToken].some((value) => seen.headers.authorization === `token ${value}`);
    if (!known) return json(response, 401, { message: 'user does not exist [uid: 0, name: ]' });
    handler(seen, response);
  });
  const warnings: { message: string; fields: LogFields }[] = [];
  const log: Log = {
    debug: () => {},
    info: () => {},
    error: () => {},
    warn: (message, fields = {}) => warnings.push({ message, fields }),
  };
  const gitea = createGitea({
    url: `${server.url}/`,
    token: () => token,
    reviewerToken: options.reviewer === true ? () => reviewerToken : null,
    timeouts: { readMs: options.readMs ?? 3_000, writeMs: options.writeMs ?? 3_000 },
    ...(options.mergeTimeoutMs === undefined ? {} : { mergeTimeoutMs: options.mergeTimeoutMs }),
    log,
  });
  return { server, gitea, warnings };
}

/** Unknown routes are answered in plain text. */
export function notFound(response: ServerResponse): void {
  response.writeHead(404, { 'content-type': 'text/plain' });
  response.end('404 page not found\n');
}

export function repository(more: Record<string, unknown> = {}) {
  return {
    id: 1,
    full_name: 'acme/shop',
    default_branch: 'main',
    empty: false,
    archived: false,
    mirror: false,
    permissions: { admin: false, push: true, pull: true },
    allow_merge_commits: true,
    allow_rebase: false,
    allow_rebase_explicit: false,
    allow_squash_merge: true,
    ...more,
  };
}

export function pull(number: number, more: Record<string, unknown> = {}) {
  return {
    number,
    state: 'open',
    merged: false,
    merge_commit_sha: null,
    title: `Pull ${number}`,
    user: { login: 'bot' },
    head: { label: `feature/ET-${number}`, ref: `feature/ET-${number}`, sha: shaA, repo_id: 1 },
    base: { label: 'main', ref: 'main', sha: shaB, repo_id: 1 },
    updated_at: new Date(1_000_000_000 - number * 1_000).toISOString(),
    ...more,
  };
}

/** Gitea's paging: 1-based, at most `most` rows whatever is asked for, the count in a header. */
export function paged(
  seen: Seen,
  response: ServerResponse,
  rows: unknown[],
  wrap = (page: unknown[]): unknown => page,
  most = 50,
): void {
  const limit = Math.min(Number(seen.query.get('limit') ?? 30), most);
  const page = Number(seen.query.get('page') ?? 1);
  json(response, 200, wrap(rows.slice((page - 1) * limit, page * limit)), { 'x-total-count': rows.length });
}
