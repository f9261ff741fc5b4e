import type { GiteaPort, RepoSlug, ReviewRow } from '../../model/index.ts';
import type { Fields } from '../http/decode.ts';
import type { GiteaApi } from './api.ts';
import { pageSize, readPages } from './pages.ts';
import { ownerAndName } from './repos.ts';

const votes = new Set(['APPROVED', 'REQUEST_CHANGES', 'REQUEST_REVIEW']);

/**
 * Reviews: reading all of them, and posting one.
 * @param reviewerLogin whose account that is
 * @param reviewer speaks with the second account where there is one: nobody may approve their own pull request
 */
export function createReviews(
  api: GiteaApi,
  reviewer: GiteaApi,
  reviewerLogin: () => Promise<string>,
): Pick<GiteaPort, 'reviews' | 'postReview'> {
  const postReview: GiteaPort['postReview'] = async (slug, number, review) => {
    const login = await reviewerLogin();
    const newest = (await readReviews(reviewer, slug, number))
      .filter((row) => row.user === login && votes.has(row.state))
      .at(-1);
    // An earlier try got through. Only the newest row counts: a dismissal or a new request took the vote back.
    const stands =
      newest?.state === review.event &&
      newest.commit === review.head &&
      !newest.dismissed &&
      newest.body.trim() === review.body.trim();
    if (stands) return;
    const answer = await reviewer.send((client) =>
      client.repos.repoCreatePullReview(...ownerAndName(slug), number, {
        // Without it the review binds to whatever the head is by then.
        commit_id: review.head,
        event: review.event,
        body: review.body,
      }),
    );
    const posted = reviewOf(reviewer.decoder(answer).record(reviewer.accept(answer), 'review'));
    if (posted.state !== review.event) throw reviewer.garbage(answer, `a review in state "${posted.state}"`);
  };
  return { reviews: (slug, number) => readReviews(api, slug, number), postReview };
}

async function readReviews(api: GiteaApi, slug: RepoSlug, number: number): Promise<ReviewRow[]> {
  const rows = await readPages(api, {
    fetch: (page) =>
      api.send((client) => client.repos.repoListPullReviews(...ownerAndName(slug), number, { page, limit: pageSize })),
    row: reviewOf,
    key: (review) => review.id,
  });
  return rows.sort((a, b) => a.submittedAt - b.submittedAt || a.id - b.id);
}

function reviewOf(fields: Fields): ReviewRow {
  const state = fields.text('state');
  const user = fields.objectOrNull('user')?.textOrNull('login') ?? '';
  // Only a request to a team is nobody's; a vote without a voter could be counted as anyone's.
  if (user === '' && (state === 'APPROVED' || state === 'REQUEST_CHANGES')) throw fields.wrong('user', 'user');
  return {
    id: fields.integer('id'),
    user,
    state,
    commit: fields.textOrNull('commit_id') ?? '',
    dismissed: fields.flag('dismissed'),
    body: fields.textOrNull('body') ?? '',
    submittedAt: fields.time('submitted_at'),
  };
}
