import type { ReviewVerdict, Visit } from '../../model/index.ts';
import type { Draft } from '../draft.ts';
import { effect, reviewLane } from '../draft.ts';

/** Characters of the reviewer's text that go into the review of the pull request. */
const maxBody = 4000;

/** With a second account the verdict is also posted as a review of the pull request, where people look (spec 5). */
export function postVerdict(draft: Draft, baseline: Visit['baseline'], verdict: ReviewVerdict, text: string): void {
  const { task } = draft;
  if (!draft.policy.postsVerdict || task.prNumber === null || baseline.sha === null) return;
  const posted = task.progress.postedVerdict;
  if (posted?.verdict === verdict && posted.sha === baseline.sha) return;
  task.progress.postedVerdict = { verdict, sha: baseline.sha };
  effect(
    draft,
    'review',
    reviewLane(task),
    {
      kind: 'forge.post_review',
      repo: task.repo,
      number: task.prNumber,
      head: baseline.sha,
      vote: verdict,
      body: text.slice(0, maxBody),
    },
    false,
  );
}
