import type { Comment, PullReview, PullReviewComment, User } from 'gitea-js';
import type { Forge, LineRemark, PostedAnswers, PullComment, RepoSlug, ReviewRow } from '../../model/index.ts';
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
      client.repos.repoGetPullReviewComments(...ownerAndName(slug), number, review.id),
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
    answer: async (slug, number, answers) => {
      const own = await reviewsOf(api, slug, number, await login());
      const missing = postsOf(answers).filter(
        ({ mark }) => !own.some((one) => !one.isDraft && one.body.includes(mark)),
      );
      if (missing.length === 0) return;
      const left = await inDrafts(slug, number, own, remarks);
      for (const { commit, body, lines } of missing) {
        const answer = await api.send((client) =>
          client.repos.repoCreatePullReview(...ownerAndName(slug), number, {
            commit_id: commit,
            event: 'COMMENT',
            body,
            comments: lines
              .filter(({ text }) => !left.has(text))
              .map(({ path, line, old, text }) => ({
                path,
                body: text,
                ...(old ? { old_position: line } : { new_position: line }),
              })),
          }),
        );
        api.accept(answer);
      }
    },
  };
}

interface Post {
  commit: string;
  body: string;
  lines: PostedAnswers['lines'];
  /** Stands in the body of what was posted. */
  mark: string;
}

/**
 * One review for each commit that the lines are of, because the server looks for a line in the review's commit and fails where that
 * has too few; the last one has the text.
 */
function postsOf({ key, head, text, lines, plain }: PostedAnswers): Post[] {
  if (plain) {
    const placed = lines.map((one) => `\`${one.path.replaceAll('`', '')}\`, ${one.line}:\n\n${one.text}`);
    return [{ commit: head, body: [...placed, text].join('\n\n'), lines: [], mark: keyMark(key) }];
  }
  const commits = [...new Set(lines.map(({ commit }) => commit))];
  const posts = commits.map((commit) => {
    const mark = keyMark(`${key}:${commit}`);
    return { commit, body: mark, lines: lines.filter((one) => one.commit === commit), mark };
  });
  const last = posts.pop() ?? { commit: head, lines: [] };
  return [...posts, { ...last, body: text, mark: keyMark(key) }];
}

interface OwnReview {
  id: number;
  isDraft: boolean;
  body: string;
  commit: string;
}

async function reviewsOf(api: GiteaApi, slug: RepoSlug, number: number, login: string): Promise<OwnReview[]> {
  const rows = await readPages(api, {
    fetch: (page) =>
      api.send((client) => client.repos.repoListPullReviews(...ownerAndName(slug), number, { page, limit: pageSize })),
    row: (fields: Fields<PullReview>) => ({
      id: fields.integer('id'),
      isOwn: fields.objectOrNull('user')?.textOrNull('login') === login,
      isDraft: fields.text('state') === 'PENDING',
      body: fields.textOrNull('body') ?? '',
      commit: fields.textOrNull('commit_id') ?? '',
    }),
    key: (review) => review.id,
  });
  return rows.filter((review) => review.isOwn);
}

/**
 * What stands in a draft already. A review is made in several steps on the server: a try that was cut off leaves a draft, which
 * becomes part of the next review of the account. (To delete it does not end on a Gitea 1.26 with SQLite.)
 * @throws OrchError `gitea_refused` for a draft that somebody else left under orch's account
 */
async function inDrafts(
  slug: RepoSlug,
  number: number,
  own: OwnReview[],
  remarks: Forge['remarks'],
): Promise<Set<string>> {
  const drafts = own.filter((review) => review.isDraft).map((draft) => remarks(slug, number, draft));
  const left = (await Promise.all(drafts)).flat().map(({ text }) => text);
  if (left.every(isOwnText)) return new Set(left);
  throw new OrchError(`a draft of a review by orch's account is open on pull request #${number}`, {
    code: 'gitea_refused',
    hint: 'Submit or delete it, or give orch an account of its own.',
  });
}

function remarkOf(
  review: Pick<ReviewRow, 'id' | 'commit'>,
  redact: (text: string) => string,
): (fields: Fields<PullReviewComment>) => LineRemark {
  return (fields) => {
    // `position` and `original_position` are lines of the new and of the old file; the other one of the two is 0.
    const newLine = fields.integerOrNull('position') ?? 0;
    const oldLine = fields.integerOrNull('original_position') ?? 0;
    return {
      id: fields.integer('id'),
      review: review.id,
      commit: review.commit,
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
