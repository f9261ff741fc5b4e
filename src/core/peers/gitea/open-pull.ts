import type { Label, PullRequest } from 'gitea-js';
import { OrchError } from '../../model/index.ts';
import type { Forge, RepoPr, RepoSlug } from '../../model/index.ts';
import type { Log } from '../../platform/log.ts';
import type { Fields } from '../http/decode.ts';
import { segment, slashed } from '../http/paths.ts';
import type { HttpAnswer } from '../http/types.ts';
import type { GiteaApi } from './api.ts';
import { pageSize, readPages } from './pages.ts';
import { pullOf, readPulls, type HeadedPr } from './pulls.ts';
import { ownerAndName } from './repos.ts';

interface Wanted {
  title: string;
  body: string;
  head: string;
  base: string;
  labels: string[];
  look: boolean;
}

/**
 * Opens a pull request so that a repetition adopts the first one: the open ones are read before a request that may not be the
 * first (of those that come one after the other, the server refuses the second with 409), and after any answer that is not a
 * clean 201. One request a call; another try is another call, which looks first.
 */
export function createOpenPull(api: GiteaApi, log: Log): Forge['openPull'] {
  return async (slug, wanted) => {
    const existing = wanted.look ? await findOpen(api, slug, wanted) : null;
    if (existing !== null) return existing;
    const labels = await labelIds(api, slug, wanted.labels, log);
    const sent = await post(api, slug, wanted, labels);
    if ('pr' in sent) return sent.pr;
    const found = sent.unknown ? await findOpen(api, slug, wanted) : null;
    if (found !== null) return found;
    throw sent.error;
  };
}

/**
 * The open pull request of these two branches of this repository; the oldest, should there be several (the server's own
 * check lets parallel requests through). The ref must be the branch itself: a label may be anybody's.
 */
async function findOpen(api: GiteaApi, slug: RepoSlug, wanted: Wanted): Promise<RepoPr | null> {
  const isWanted = ({ pr, headRef }: HeadedPr): boolean =>
    pr.state === 'open' && pr.sameRepo && headRef === wanted.head && pr.baseBranch === wanted.base;
  const any = await anyOf(api, slug, wanted);
  if (any === null || isWanted(any)) return any?.pr ?? null;
  const found = (await readPulls(api, slug, 'open', null))
    .filter(isWanted)
    .map(({ pr }) => pr)
    .sort((a, b) => a.number - b.number);
  return found[0] ?? null;
}

/** One pull request of these branches, in no order and of any state; null where there is none. Spares the list, which strangers can make long. */
async function anyOf(api: GiteaApi, slug: RepoSlug, { base, head }: Wanted): Promise<HeadedPr | null> {
  const answer = await api.send((client) =>
    client.repos.repoGetPullRequestByBaseHead(...ownerAndName(slug), segment(base), slashed(head)),
  );
  if (answer.status === 404 && api.failure(answer).code === 'gitea_not_found') return null;
  return pullOf(api.decoder(answer).record<PullRequest>(api.accept(answer), 'pull request'), slug);
}

type Sent = { pr: RepoPr } | { error: OrchError; unknown: boolean };

async function post(api: GiteaApi, slug: RepoSlug, wanted: Wanted, labels: number[]): Promise<Sent> {
  const { title, body, head, base } = wanted;
  try {
    const answer = await api.send((client) =>
      client.repos.repoCreatePullRequest(...ownerAndName(slug), {
        title,
        body,
        head,
        base,
        ...(labels.length === 0 ? {} : { labels }),
      }),
    );
    // 409: there is one already. Where the list does not show it, the two answers disagree; a later try decides.
    if (answer.status === 409) {
      return { error: api.garbage(answer, `exists, but is not listed: ${api.message(answer)}`), unknown: true };
    }
    if (answer.status !== 201)
      return { error: unclean(api, answer), unknown: answer.status < 400 || answer.status >= 500 };
    return { pr: pullOf(api.decoder(answer).record<PullRequest>(api.accept(answer), 'pull request'), slug).pr };
  } catch (error) {
    if (!(error instanceof OrchError)) throw error;
    return { error, unknown: true };
  }
}

function unclean(api: GiteaApi, answer: HttpAnswer): OrchError {
  return answer.status < 300
    ? api.garbage(answer, `HTTP ${answer.status} for a new pull request`)
    : api.failure(answer);
}

/** Ids of the named labels of the repository or its organisation. Labels are decoration: an unknown one stops nothing. */
async function labelIds(api: GiteaApi, slug: RepoSlug, names: string[], log: Log): Promise<number[]> {
  const ids = new Map<string, number>();
  if (names.length === 0) return [];
  const [owner, name] = ownerAndName(slug);
  const sources: ((page: number) => Promise<HttpAnswer>)[] = [
    (page) => api.send((client) => client.repos.issueListLabels(owner, name, { page, limit: pageSize })),
    (page) => api.send((client) => client.orgs.orgListLabels(owner, { page, limit: pageSize })),
  ];
  for (const fetch of sources) {
    if (names.every((label) => ids.has(label))) break;
    for (const label of await labelsOf(api, fetch)) if (!ids.has(label.name)) ids.set(label.name, label.id);
  }
  const missing = names.filter((label) => !ids.has(label));
  if (missing.length > 0)
    log.warn('labels not found, pull request opened without them', { repo: slug, labels: missing.join(', ') });
  return names.flatMap((label) => ids.get(label) ?? []);
}

async function labelsOf(
  api: GiteaApi,
  fetch: (page: number) => Promise<HttpAnswer>,
): Promise<{ id: number; name: string }[]> {
  try {
    return await readPages(api, {
      fetch,
      row: (fields: Fields<Label>) => ({ id: fields.integer('id'), name: fields.text('name') }),
      key: (label) => label.id,
    });
  } catch (error) {
    // A person's account has no organisation labels, and a token without the scope for issues sees none at all.
    if (error instanceof OrchError && error.retry === 'never') return [];
    throw error;
  }
}
