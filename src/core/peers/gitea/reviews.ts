import type { PullReview } from 'gitea-js';
import type { Forge, RepoSlug, ReviewRow, ReviewVerdict } from '../../model/index.ts';
import type { Fields } from '../http/decode.ts';
import type { GiteaApi } from './api.ts';
import { pageSize, readPages } from './pages.ts';
import { ownerAndName } from './repos.ts';

/** Gitea's words for what counts; its others (COMMENT, PENDING, and what a newer version may say) change no vote. */
const meaning = new Map<string, ReviewRow['state']>([
  ['APPROVED', 'approved'],
  ['REQUEST_CHANGES', 'changes_requested'],
  ['REQUEST_REVIEW', 'review_requested'],
]);
const eventOf: Record<ReviewVerdict, 'APPROVED' | 'REQUEST_CHANGES'> = {
  approved: 'APPROVED',
  changes_requested: 'REQUEST_CHANGES',
};

/**
 * Reviews: reading all of them, and posting one.
 * @param reviewerLogin whose account that is
 * @param reviewer speaks with the second account where there is one: nobody may approve their own pull request
 */
export function createReviews(
  api: GiteaApi,
  reviewer: GiteaApi,
  reviewerLogin: () => Promise<string>,
): Pick<Forge, 'reviews' | 'postReview'> {
  const postReview: Forge['postReview'] = async (slug, number, review) => {
    const login = await reviewerLogin();
    const newest = (await readReviews(reviewer, slug, number))
      .filter((row) => row.user === login && row.state !== 'commented')
      .at(-1);
    // An earlier try got through. Only the newest row counts: a dismissal or a new request took the vote back.
    const stands = newest?.state === review.vote && newest.commit === review.head && !newest.dismissed;
    if (stands) return;
    const answer = await reviewer.send((client) =>
      client.repos.repoCreatePullReview(...ownerAndName(slug), number, {
        // Without it the review binds to whatever the head is by then.
        commit_id: review.head,
        event: eventOf[review.vote],
        body: review.body,
      }),
    );
    const posted = reviewer.decoder(answer).record<PullReview>(reviewer.accept(answer), 'review');
    if (reviewOf(posted).state !== review.vote)
      throw reviewer.garbage(answer, `a review in state "${posted.text('state')}"`);
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

function reviewOf(fields: Fields<PullReview>): ReviewRow {
  const state = meaning.get(fields.text('state')) ?? 'commented';
  const user = fields.objectOrNull('user')?.textOrNull('login') ?? '';
  // Only a request to a team is nobody's; a vote without a voter could be counted as anyone's.
  if (user === '' && (state === 'approved' || state === 'changes_requested')) throw fields.wrong('user', 'user');
  return {
    id: fields.integer('id'),
    user,
    state,
    commit: fields.textOrNull('commit_id') ?? '',
    dismissed: fields.flag('dismissed'),
    counts: fields.flag('official'),
    body: fields.textOrNull('body') ?? '',
    submittedAt: fields.time('submitted_at'),
    remarks: fields.integerOrNull('comments_count') ?? 0,
  };
}
