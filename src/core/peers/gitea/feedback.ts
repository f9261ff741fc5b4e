import type { Comment, PullReview, PullReviewComment, User } from 'gitea-js';
import type { Forge, LineRemark, PullComment, RepoSlug } from '../../model/index.ts';
import { OrchError } from '../../model/index.ts';
import { isOwnText, keyMark } from '../../pipeline/feedback.ts';
import type { Fields } from '../http/decode.ts';
import type { GiteaApi } from './api.ts';
import { pageSize, readPages } from './pages.ts';
import { ownerAndName } from './repos.ts';

type FeedbackPort = Pick<Forge, 'remarks' | 'comments' | 'writers' | 'answer'>;

/**
 * What people say on a pull request, and orch's answers.
 * @param login of orch's own account
 * @param redact takes known secrets out of a text
 */
export function createFeedback(
  api: GiteaApi,
  login: () => Promise<string>,
  redact: (text: string) => string,
): FeedbackPort {
  const remarks: Forge['remarks'] = async (slug, number, review) => {
    const answer = await api.send((client) =>
      client.repos.repoGetPullReviewComments(...ownerAndName(slug), number, review),
    );
    // All of them at once, in no order at all.
    const rows = api.decoder(answer).rows(api.accept(answer), 'comments', remarkOf(review, redact));
    return rows.sort((a, b) => a.at - b.at || a.id - b.id);
  };
  return {
    remarks,
    comments: async (slug, number) => {
      const rows = await readPages(api, {
        // Not in pages, whatever is asked for.
        fetch: () => api.send((client) => client.repos.issueGetComments(...ownerAndName(slug), number)),
        row: commentOf(redact),
        key: (comment) => comment.id,
      });
      return rows.sort((a, b) => a.id - b.id);
    },
    writers: async (slug) => {
      const answer = await api.send((client) => client.repos.repoGetAssignees(...ownerAndName(slug)));
      return api.decoder(answer).rows<string, User>(api.accept(answer), 'assignees', (user) => user.id('login'));
    },
    answer: async (slug, number, { key, head, text, lines }) => {
      if (await stands(api, slug, number, await login(), key, remarks)) return;
      const answer = await api.send((client) =>
        client.repos.repoCreatePullReview(...ownerAndName(slug), number, {
          commit_id: head,
          event: 'COMMENT',
          body: text,
          comments: lines.map(({ path, line, old, text: body }) => ({
            path,
            body,
            ...(old ? { old_position: line } : { new_position: line }),
          })),
        }),
      );
      api.accept(answer);
    },
  };
}

/**
 * Whether an answer with this key was posted. A review is made in several steps on the server: what a try left that did not get
 * to its end is a draft, to which the next one would be added.
 * @throws OrchError `gitea_refused` for a draft that somebody else left under orch's account
 */
async function stands(
  api: GiteaApi,
  slug: RepoSlug,
  number: number,
  login: string,
  key: string,
  remarks: Forge['remarks'],
): Promise<boolean> {
  const rows = await readPages(api, {
    fetch: (page) =>
      api.send((client) => client.repos.repoListPullReviews(...ownerAndName(slug), number, { page, limit: pageSize })),
    row: (fields: Fields<PullReview>) => ({
      id: fields.integer('id'),
      isOwn: fields.objectOrNull('user')?.textOrNull('login') === login,
      isDraft: fields.text('state') === 'PENDING',
      body: fields.textOrNull('body') ?? '',
    }),
    key: (review) => review.id,
  });
  const own = rows.filter((review) => review.isOwn);
  if (own.some((review) => !review.isDraft && review.body.includes(keyMark(key)))) return true;
  for (const draft of own.filter((review) => review.isDraft)) {
    const left = await remarks(slug, number, draft.id);
    if (!left.every(({ text }) => isOwnText(text)))
      throw new OrchError(`a draft of a review by ${login} is open on pull request #${number}`, {
        code: 'gitea_refused',
        hint: `Submit or delete it, or give orch an account of its own.`,
      });
    const answer = await api.send((client) =>
      client.repos.repoDeletePullReview(...ownerAndName(slug), number, draft.id),
    );
    if (answer.status !== 404) api.accept(answer);
  }
  return false;
}

function remarkOf(review: number, redact: (text: string) => string): (fields: Fields<PullReviewComment>) => LineRemark {
  return (fields) => {
    // `position` and `original_position` are lines of the new and of the old file; the other one of the two is 0.
    const newLine = fields.integerOrNull('position') ?? 0;
    const oldLine = fields.integerOrNull('original_position') ?? 0;
    return {
      id: fields.integer('id'),
      review,
      user: fields.objectOrNull('user')?.textOrNull('login') ?? '',
      path: fields.textOrNull('path') ?? '',
      line: newLine === 0 ? oldLine : newLine,
      old: newLine === 0 && oldLine !== 0,
      code: redact(fields.textOrNull('diff_hunk') ?? ''),
      text: redact(fields.textOrNull('body') ?? ''),
      resolved: fields.objectOrNull('resolver') !== null,
      at: fields.time('created_at'),
    };
  };
}

function commentOf(redact: (text: string) => string): (fields: Fields<Comment>) => PullComment {
  return (fields) => ({
    id: fields.integer('id'),
    user: fields.objectOrNull('user')?.textOrNull('login') ?? '',
    text: redact(fields.textOrNull('body') ?? ''),
  });
}
