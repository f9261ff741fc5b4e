import type { Reply } from '../http.ts';
import { text } from '../http.ts';
import { git, resolveCommit } from './git.ts';
import { headSha, renderLineComment, renderPullComment, renderReview, renderUser } from './render.ts';
import { bodyOf, findRepo, needScope, notFound, paged, Refusal, writer } from './reply.ts';
import type { GiteaCall, GiteaHandler, GiteaRoute } from './reply.ts';
import { inPull, inRepo, repoRoute } from './routes.ts';
import { accessOf, atLeast, canWrite, nextId, protectionOf } from './state.ts';
import type { GiteaState, LineComment, Pull, Repo, Review } from './state.ts';

/** Ascending, and from 1.26 on always in pages of 30: page 1 has the oldest. Before, all of them unless a page is asked for. */
function list(call: GiteaCall, repo: Repo, pull: Pull): Reply {
  const rows = pull.reviews.toSorted((a, b) => a.at - b.at || a.id - b.id);
  const render = (row: Review): Record<string, unknown> => renderReview(call.state, repo, pull, row);
  if (!atLeast(call.state, '1.26') && !call.query.has('page')) {
    return { status: 200, body: rows.map(render), headers: { 'x-total-count': String(rows.length) } };
  }
  const { reply, shown } = paged(call, rows, render);
  // Other people's drafts are taken out after the page was cut, so a short page is not the last one.
  const mine = call.user?.login;
  const visible = shown.filter(
    (row) => row['state'] !== 'PENDING' || (row['user'] as { login: string }).login === mine,
  );
  return { ...reply, body: visible };
}

/** Stores a review; shared by the API and by the people of the tests. */
export function addReview(
  state: GiteaState,
  repo: Repo,
  pull: Pull,
  review: { user: string; state: string; body: string; commit: string },
): Review {
  const votes = ['APPROVED', 'REQUEST_CHANGES', 'REQUEST_REVIEW'];
  const whitelist = protectionOf(repo, pull.base)?.approvalsWhitelist ?? null;
  const counts = votes.includes(review.state) && (whitelist?.includes(review.user) ?? canWrite(repo, review.user));
  // Only the newest vote of a person stays official.
  if (counts) for (const row of pull.reviews) if (row.user === review.user) row.official = false;
  const row: Review = {
    ...review,
    id: nextId(state),
    stale: false,
    official: counts,
    dismissed: false,
    at: state.clock.now(),
    comments: [],
  };
  pull.reviews.push(row);
  pull.updatedAt = row.at;
  return row;
}

async function create(call: GiteaCall, repo: Repo, pull: Pull): Promise<Reply> {
  const body = bodyOf(call);
  const user = writer(call).login;
  const known = ['APPROVED', 'REQUEST_CHANGES', 'COMMENT'];
  const event = known.includes(String(body['event'])) ? String(body['event']) : 'PENDING';
  if (user === pull.user && (event === 'APPROVED' || event === 'REQUEST_CHANGES')) {
    throw new Refusal(422, `${event === 'APPROVED' ? 'approve' : 'reject'} your own pull is not allowed`);
  }
  const content = text(body['body']) ?? '';
  const comments = lineComments(body['comments']);
  if (content.trim() === '' && (event === 'REQUEST_CHANGES' || (event === 'COMMENT' && comments.length === 0))) {
    throw new Refusal(422, `review event ${event} requires a body or a comment`);
  }
  const commit = text(body['commit_id']) ?? '';
  // A short sha is stored as it came; one that is no commit crashes without a word.
  if (commit !== '' && (await resolveCommit(repo.dir, commit)) === null) throw new Refusal(500, '');
  const wanted = { user, state: event, body: content, commit: commit === '' ? headSha(repo, pull) : commit };
  // A draft of the same account becomes this review, with everything that stood in it.
  const draft = pull.reviews.find((review) => review.user === user && review.state === 'PENDING');
  if (draft !== undefined) pull.reviews.splice(pull.reviews.indexOf(draft), 1);
  const row = addReview(call.state, repo, pull, wanted);
  if (draft !== undefined) row.comments.push(...draft.comments);
  for (const comment of comments) await addLineComment(call.state, repo, pull, row, user, comment);
  return { status: 200, body: renderReview(call.state, repo, pull, row) };
}

function lineComments(value: unknown): { path: string; line: number; body: string }[] {
  if (!Array.isArray(value)) return [];
  return value.map((entry: Record<string, unknown>) => {
    const old = Number(entry['old_position'] ?? 0);
    return {
      path: text(entry['path']) ?? '',
      body: text(entry['body']) ?? '',
      line: old > 0 ? -old : Number(entry['new_position'] ?? 0),
    };
  });
}

/** A comment at a line; one at a line that is not there is taken as well. */
export async function addLineComment(
  state: GiteaState,
  repo: Repo,
  pull: Pull,
  review: Review,
  user: string,
  { path, line, body }: { path: string; line: number; body: string },
): Promise<LineComment> {
  const before = line < 0;
  const ref = before ? (repo.heads.get(pull.base) ?? '') : review.commit;
  const content = await git(repo.dir, ['cat-file', 'blob', `${ref}:${path}`]).catch(() => '');
  const end = Math.abs(line);
  const shown = content.split('\n').slice(Math.max(0, end - 4), end);
  const sign = before ? '-' : '+';
  const hunk =
    shown.length === 0 ? '' : [`@@ -${end},0 +${end},${shown.length} @@`, ...shown.map((row) => sign + row)].join('\n');
  const at = state.clock.now();
  const row = { id: nextId(state), user, path, line, body, commit: review.commit, hunk, resolver: null, at };
  review.comments.push(row);
  pull.updatedAt = at;
  return row;
}

/** All at once, without pages, and in no order. */
function commentsOf(call: GiteaCall, pull: Pull, id: string): Reply {
  const review = pull.reviews.find((candidate) => candidate.id === Number(id));
  if (review === undefined) throw notFound();
  return { status: 200, body: review.comments.toReversed().map((row) => renderLineComment(call.state, review, row)) };
}

/** Comments on the pull request: all at once; `limit` and `page` mean nothing here. */
const pullComments: GiteaHandler = (state, call, [owner = '', name = '', number = '']) => {
  needScope(call, 'issue');
  const repo = findRepo(state, decodeURIComponent(owner), decodeURIComponent(name));
  const pull = repo?.pulls.find((candidate) => candidate.number === Number(number));
  if (repo === undefined || pull === undefined || accessOf(repo, call.user?.login ?? '') === null) throw notFound();
  const body = pull.comments.map((row) => renderPullComment(state, row));
  return { status: 200, body, headers: { 'x-total-count': String(body.length) } };
};

/** Everybody who may write. */
function assignees({ state }: GiteaCall, repo: Repo): Reply {
  const users = state.users.filter(({ login }) => canWrite(repo, login));
  return { status: 200, body: users.map(({ login }) => renderUser(state, login)) };
}

function dismiss(dismissed: boolean): (call: GiteaCall, repo: Repo, pull: Pull, id: string) => Reply {
  return (call, repo, pull, id) => {
    if (accessOf(repo, writer(call).login) !== 'admin') throw new Refusal(403, 'Must be repo admin');
    const row = pull.reviews.find((candidate) => candidate.id === Number(id));
    if (row === undefined) throw notFound();
    if (row.state !== 'APPROVED' && row.state !== 'REQUEST_CHANGES') {
      throw new Refusal(403, "not need to dismiss this review because it's type is not Approve or change request");
    }
    if (pull.state === 'closed') throw new Refusal(403, 'not need to dismiss this review because this pr is closed');
    row.dismissed = dismissed;
    if (dismissed) pull.updatedAt = call.state.clock.now();
    return { status: 200, body: renderReview(call.state, repo, pull, row) };
  };
}

/** Asks a person again: their old approval keeps its state and loses its weight. */
export function requestReview(state: GiteaState, repo: Repo, pull: Pull, login: string): Review {
  return addReview(state, repo, pull, { user: login, state: 'REQUEST_REVIEW', body: '', commit: '' });
}

export const reviewRoutes: GiteaRoute[] = [
  repoRoute('/pulls/:int/reviews', { GET: inPull('read', list), POST: inPull('read', create) }),
  repoRoute('/pulls/:int/reviews/:int', {
    GET: inPull('read', (call, repo, pull, id) => {
      const row = pull.reviews.find((candidate) => candidate.id === Number(id));
      if (row === undefined) throw notFound();
      return { status: 200, body: renderReview(call.state, repo, pull, row) };
    }),
  }),
  repoRoute('/pulls/:int/reviews/:int/comments', {
    GET: inPull('read', (call, _repo, pull, id) => commentsOf(call, pull, id)),
  }),
  repoRoute('/issues/:int/comments', { GET: pullComments }),
  repoRoute('/assignees', { GET: inRepo('read', assignees) }),
  repoRoute('/pulls/:int/reviews/:int/dismissals', { POST: inPull('read', dismiss(true)) }),
  repoRoute('/pulls/:int/reviews/:int/undismissals', { POST: inPull('read', dismiss(false)) }),
  repoRoute('/pulls/:int/requested_reviewers', {
    POST: inPull('write', (call, repo, pull) => {
      const wanted = bodyOf(call)['reviewers'];
      const logins = Array.isArray(wanted) ? wanted.filter((login): login is string => typeof login === 'string') : [];
      const rows = logins.map((login) => requestReview(call.state, repo, pull, login));
      return { status: 201, body: rows.map((row) => renderReview(call.state, repo, pull, row)) };
    }),
  }),
];
