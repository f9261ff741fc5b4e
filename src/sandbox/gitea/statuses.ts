import type { Reply } from '../http.ts';
import { text } from '../http.ts';
import { resolveCommit } from './git.ts';
import { renderRepo, renderStatus } from './render.ts';
import { bodyOf, notFound, paged, pageOf, Refusal, writer } from './reply.ts';
import type { GiteaCall, GiteaRoute } from './reply.ts';
import { inRepo, repoRoute } from './routes.ts';
import { atLeast, nextId } from './state.ts';
import type { GiteaState, Repo, StatusRow } from './state.ts';

/** Newest row per context of a commit, newest first; of several in one second the highest id is the newest. */
export function newestPerContext(repo: Repo, sha: string): StatusRow[] {
  const newest = new Map<string, StatusRow>();
  for (const row of repo.statuses) if (row.sha === sha) newest.set(row.context, row);
  return [...newest.values()].toSorted((a, b) => b.id - a.id);
}

/** Stores a status; any word is taken as a state. Shared by the API and by the CI robot. */
export function addStatus(
  state: GiteaState,
  repo: Repo,
  status: { sha: string; state: string; context: string; description?: string; targetUrl?: string; creator: string },
): StatusRow {
  const { sha, state: word, context, creator } = status;
  const row: StatusRow = {
    id: nextId(state),
    sha,
    state: word,
    context: context === '' ? 'default' : context,
    description: status.description ?? '',
    targetUrl: status.targetUrl ?? '',
    creator,
    at: state.clock.now(),
  };
  repo.statuses.push(row);
  return row;
}

async function post(call: GiteaCall, repo: Repo, ref: string): Promise<Reply> {
  const body = bodyOf(call);
  const wanted = decodeURIComponent(ref);
  const sha = await resolveCommit(repo.dir, wanted);
  if (sha === null) throw new Refusal(500, `GetCommit[${wanted}]: object does not exist [id: ${wanted}, rel_path: ]`);
  const row = addStatus(call.state, repo, {
    sha,
    state: text(body['state']) ?? '',
    context: text(body['context']) ?? '',
    description: text(body['description']) ?? '',
    targetUrl: text(body['target_url']) ?? '',
    creator: writer(call).login,
  });
  return { status: 201, body: renderStatus(call.state, row) };
}

/** The state over a page of statuses, by the rules of the server's version. */
function aggregate(state: GiteaState, rows: StatusRow[]): string {
  const words = rows.map((row) => row.state);
  if (words.length === 0) return atLeast(state, '1.26') ? 'pending' : '';
  if (!atLeast(state, '1.25')) {
    const worst =
      ['error', 'failure', 'warning', 'pending', 'success'].find((word) => words.includes(word)) ?? words[0] ?? '';
    return worst === 'error' ? 'failure' : worst;
  }
  if (words.includes('error') || words.includes('failure')) return 'failure';
  if (atLeast(state, '1.26') && words.includes('warning')) return 'failure';
  return words.includes('pending') ? 'pending' : 'success';
}

async function combined(call: GiteaCall, repo: Repo, ref: string): Promise<Reply> {
  // A slash in the reference is a path of its own before 1.25; only %2F gets through.
  if (ref.includes('/') && !atLeast(call.state, '1.25')) return { status: 404, body: '404 page not found\n' };
  const wanted = decodeURIComponent(ref);
  const sha = repo.heads.get(wanted) ?? (await resolveCommit(repo.dir, wanted));
  if (sha === null) throw notFound(`object does not exist [id: ${wanted}, rel_path: ]`);
  const rows = newestPerContext(repo, sha);
  const page = pageOf(call, rows);
  const empty = rows.length === 0;
  const old = !atLeast(call.state, '1.25');
  const repoUrl = `${call.state.url}/api/v1/repos/${repo.owner}/${repo.name}`;
  return {
    status: 200,
    headers: { 'x-total-count': String(rows.length) },
    body: {
      state: aggregate(call.state, page),
      sha: empty && old ? '' : sha,
      total_count: page.length,
      statuses: empty ? null : page.map((row) => renderStatus(call.state, row)),
      repository: empty && old ? null : renderRepo(call.state, repo, call.user),
      commit_url: empty && old ? '' : `${repoUrl}/commits/${sha}`,
      url: empty && old ? '' : `${repoUrl}/commits/${sha}/status`,
    },
  };
}

async function history(call: GiteaCall, repo: Repo, ref: string): Promise<Reply> {
  const sha = await resolveCommit(repo.dir, decodeURIComponent(ref));
  if (sha === null) throw notFound();
  const rows = repo.statuses.filter((row) => row.sha === sha).toReversed();
  return paged(call, rows, (row) => renderStatus(call.state, row)).reply;
}

export const statusRoutes: GiteaRoute[] = [
  repoRoute('/statuses/:name', {
    GET: inRepo('read', (call, repo, [ref]) => history(call, repo, ref)),
    POST: inRepo('write', (call, repo, [ref]) => post(call, repo, ref)),
  }),
  repoRoute('/commits/:name/statuses', { GET: inRepo('read', (call, repo, [ref]) => history(call, repo, ref)) }),
  repoRoute('/commits/*/status', { GET: inRepo('read', (call, repo, [ref]) => combined(call, repo, ref)) }),
];
