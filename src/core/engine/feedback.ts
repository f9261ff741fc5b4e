import type { Feedback, Forge, LineRemark, RepoSlug, ReviewRow, Word } from '../model/index.ts';
import { OrchError, errorWithHint } from '../model/index.ts';
import { isOwnText, reviewThread, threadsOf } from '../pipeline/feedback.ts';

/** Reviews whose remarks are read, newest first; strangers may add any number of them. */
const maxReviews = 200;
/** Reviews that are read at one time. */
const atOnce = 4;

/**
 * What people who may write to the repository said on a pull request: threads at lines, texts of reviews, comments. What the
 * account may not read is named. @throws OrchError when the server cannot be asked
 */
export async function feedbackOn(repo: RepoSlug, number: number, forge: Forge): Promise<Feedback> {
  const { login } = await forge.me();
  const second = await forge.reviewerLogin();
  const writers = new Set(await forge.writers(repo));
  const isOwn = ({ user, text }: { user: string; text: string }): boolean =>
    (user === login || user === second) && isOwnText(text);
  // The second account repeats what agents say, and nobody else's.
  const isHeard = (user: string): boolean => writers.has(user) && user !== second;
  const reviews = await forge.reviews(repo, number);
  const missing: string[] = [];
  const remarks = await remarksOf(repo, number, reviews, forge, missing);
  const comments = await forge.comments(repo, number).catch((error: unknown) => {
    if (!(error instanceof OrchError) || (error.kind !== 'refusal' && error.kind !== 'authentication')) throw error;
    missing.push(`The comments on the pull request could not be read: ${errorWithHint(error)}`);
    return [];
  });
  const words: (Word & { counts: boolean })[] = [
    ...reviews.map(({ id, user, body, dismissed }) => ({
      id: reviewThread(id),
      user,
      text: body,
      number: id,
      from: 'review' as const,
      counts: !dismissed,
    })),
    ...comments.map(({ id, user, text }) => ({
      id: `c${id}`,
      user,
      text,
      number: id,
      from: 'comment' as const,
      counts: true,
    })),
  ];
  return {
    threads: threadsOf(remarks, isOwn, isHeard),
    words: words
      .filter((word) => word.counts && word.text.trim() !== '' && isHeard(word.user) && !isOwn(word))
      .map(({ counts: _counts, ...word }) => word),
    missing,
  };
}

async function remarksOf(
  repo: RepoSlug,
  number: number,
  reviews: ReviewRow[],
  forge: Forge,
  missing: string[],
): Promise<LineRemark[]> {
  const commented = reviews.filter((row) => row.remarks !== 0);
  const read = commented.slice(-maxReviews);
  if (read.length < commented.length)
    missing.push(`The remarks of the ${commented.length - read.length} oldest reviews were not read.`);
  const found: LineRemark[] = [];
  for (let from = 0; from < read.length; from += atOnce) {
    const part = read.slice(from, from + atOnce).map((row) => forge.remarks(repo, number, row));
    found.push(...(await Promise.all(part)).flat());
  }
  return found;
}
