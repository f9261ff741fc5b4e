import { setTimeout as sleep } from 'node:timers/promises';
import type { Reply } from '../http.ts';
import { text } from '../http.ts';
import { git } from './git.ts';
import { headSha, renderPull } from './render.ts';
import { closePull, keepPullRef } from './refs.ts';
import { bodyOf, notFound, paged, pageOf, Refusal, writer } from './reply.ts';
import type { GiteaCall, GiteaRoute } from './reply.ts';
import { inPull, inRepo, repoRoute } from './routes.ts';
import { nextId } from './state.ts';
import type { GiteaState, Pull, Repo } from './state.ts';

const sorts: Record<string, (a: Pull, b: Pull) => number> = {
  oldest: (a, b) => a.createdAt - b.createdAt || a.id - b.id,
  recentupdate: (a, b) => b.updatedAt - a.updatedAt || b.createdAt - a.createdAt || b.id - a.id,
  leastupdate: (a, b) => a.updatedAt - b.updatedAt || a.id - b.id,
  newest: (a, b) => b.createdAt - a.createdAt || b.id - a.id,
};

async function list(call: GiteaCall, repo: Repo): Promise<Reply> {
  if (repo.heads.size === 0) throw notFound();
  const wanted = call.query.get('state') ?? 'open';
  const sort = sorts[call.query.get('sort') ?? 'newest'] ?? sorts['newest'];
  const rows = repo.pulls
    .filter((pull) => wanted === 'all' || pull.state === (wanted === 'closed' ? 'closed' : 'open'))
    .toSorted(sort);
  const shown = await Promise.all(pageOf(call, rows).map((pull) => renderPull(call.state, repo, pull, call.user)));
  return { status: 200, body: shown, headers: { 'x-total-count': String(rows.length) } };
}

/** Stores a pull request; shared by the API and by the people of the tests. */
export async function addPull(
  state: GiteaState,
  repo: Repo,
  wanted: Pick<Pull, 'title' | 'body' | 'user' | 'head' | 'base' | 'labels' | 'fork' | 'headSha'>,
): Promise<Pull> {
  const now = state.clock.now();
  const pull: Pull = {
    ...wanted,
    id: nextId(state),
    number: repo.pulls.length + 1,
    title: wanted.title.slice(0, 253),
    state: 'open',
    merged: null,
    reviews: [],
    comments: [],
    createdAt: now,
    updatedAt: now,
    closedAt: null,
    checkingUntil: 0,
  };
  repo.pulls.push(pull);
  await keepPullRef(repo, pull);
  return pull;
}

/** The conflict check of a new pull request takes this long, and the uniqueness check lies before it. */
const createMs = 20;

async function create(call: GiteaCall, repo: Repo): Promise<Reply> {
  const body = bodyOf(call);
  for (const key of ['title', 'head', 'base']) {
    if (text(body[key]) === undefined || body[key] === '')
      throw new Refusal(422, `[${key[0]?.toUpperCase()}${key.slice(1)}]: Required`);
  }
  const base = String(body['base']);
  const head = String(body['head']).replace(new RegExp(`^${repo.owner}:`), '');
  if (head === base) throw new Refusal(422, `Invalid PullRequest: There are no changes between the head and the base`);
  const headSha = repo.heads.get(head);
  if (headSha === undefined || !repo.heads.has(base)) throw notFound();
  const open = repo.pulls.find(
    (pull) => pull.state === 'open' && pull.fork === null && pull.head === head && pull.base === base,
  );
  if (open !== undefined) {
    throw new Refusal(
      409,
      `pull request already exists for these targets [id: ${open.id}, issue_id: ${open.number}, head_repo_id: ${repo.id}, base_repo_id: ${repo.id}, head_branch: ${head}, base_branch: ${base}]`,
    );
  }
  await sleep(createMs);
  const pull = await addPull(call.state, repo, {
    title: String(body['title']),
    body: text(body['body']) ?? '',
    user: writer(call).login,
    head,
    base,
    labels: labelIds(repo, body['labels']),
    fork: null,
    headSha,
  });
  return { status: 201, body: await renderPull(call.state, repo, pull, call.user) };
}

function labelIds(repo: Repo, wanted: unknown): number[] {
  if (!Array.isArray(wanted)) return [];
  return repo.labels
    .filter((label) => wanted.includes(label.id) || wanted.includes(label.name))
    .map((label) => label.id);
}

function patch(call: GiteaCall, pull: Pull): void {
  const body = bodyOf(call);
  if (typeof body['title'] === 'string') pull.title = body['title'].slice(0, 253);
  if (typeof body['body'] === 'string') pull.body = body['body'];
  if (body['state'] === 'closed' && pull.state === 'open') closePull(call.state, pull);
  if (body['state'] === 'open' && pull.state === 'closed') {
    if (pull.merged !== null) throw new Refusal(412, 'cannot change state of this pull request, it was already merged');
    pull.state = 'open';
    pull.closedAt = null;
  }
  pull.updatedAt = call.state.clock.now();
}

/** What the pull request brings or has brought into its base, newest first. */
async function commits(call: GiteaCall, repo: Repo, pull: Pull): Promise<Reply> {
  const base = pull.merged === null ? `refs/heads/${pull.base}` : `${pull.merged.sha}^1`;
  const shas = (await git(repo.dir, ['rev-list', headSha(repo, pull), '--not', base])).split('\n');
  return paged(
    call,
    shas.filter((sha) => sha !== ''),
    (sha) => ({ sha }),
  ).reply;
}

/** By branches: without a look at the state and in no order, so an old closed one may be the answer. */
async function byBranches(call: GiteaCall, repo: Repo, base: string, head: string): Promise<Reply> {
  const [wantedBase, wantedHead] = [decodeURIComponent(base), decodeURIComponent(head)];
  const pull = repo.pulls.find((candidate) => candidate.base === wantedBase && candidate.head === wantedHead);
  if (pull === undefined) throw notFound();
  return { status: 200, body: await renderPull(call.state, repo, pull, call.user) };
}

/** Pull requests, and the labels that hang on them. */
export const pullRoutes: GiteaRoute[] = [
  repoRoute('/pulls', { GET: inRepo('read', list), POST: inRepo('read', create) }),
  repoRoute('/pulls/:int', {
    GET: inPull('read', async (call, repo, pull) => ({
      status: 200,
      body: await renderPull(call.state, repo, pull, call.user),
    })),
    PATCH: inPull('write', async (call, repo, pull) => {
      patch(call, pull);
      return { status: 201, body: await renderPull(call.state, repo, pull, call.user) };
    }),
  }),
  repoRoute('/pulls/:int/commits', { GET: inPull('read', commits) }),
  repoRoute('/labels', {
    GET: inRepo('read', (call, repo) => ({
      status: 200,
      body: pageOf(call, repo.labels),
      headers: { 'x-total-count': String(repo.labels.length) },
    })),
    POST: inRepo('write', (call, repo) => {
      const body = bodyOf(call);
      if (text(body['name']) === undefined) throw new Refusal(422, '[Name]: Required');
      const label = { id: nextId(call.state), name: String(body['name']), color: text(body['color']) ?? '00aabb' };
      repo.labels.push(label);
      return { status: 201, body: label };
    }),
  }),
  repoRoute('/issues/:int/labels', {
    POST: inPull('write', (call, repo, pull) => {
      pull.labels = [...new Set([...pull.labels, ...labelIds(repo, bodyOf(call)['labels'])])];
      pull.updatedAt = call.state.clock.now();
      return { status: 200, body: repo.labels.filter((label) => pull.labels.includes(label.id)) };
    }),
  }),
];

/** Has to come after every other route below `/pulls/`: its head takes any number of segments. */
export const pullByBranchesRoute = repoRoute('/pulls/:name/*', {
  GET: inRepo('read', (call, repo, [base, head]) => byBranches(call, repo, base, head)),
});
