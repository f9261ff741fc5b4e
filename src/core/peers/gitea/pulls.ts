import type { Commit, PRBranchInfo, PullRequest } from 'gitea-js';
import { isCommitSha } from '../../model/index.ts';
import type { CommitSha, Forge, RepoPr, RepoSlug } from '../../model/index.ts';
import type { Fields } from '../http/decode.ts';
import type { GiteaApi } from './api.ts';
import { pageSize, readPages } from './pages.ts';
import { isMissingIn, ownerAndName } from './repos.ts';

/** A pull request with the ref its head has now: the branch, or `refs/pull/<n>/head` where there is no such branch. */
export interface HeadedPr {
  pr: RepoPr;
  headRef: string;
}

/** Git's name for "no object"; stands where the server cannot resolve a head any more (a deleted fork). */
const noObject = '0'.repeat(40) as CommitSha;

/** Listing and reading pull requests. */
export function createPulls(api: GiteaApi, repo: Forge['repo']): Pick<Forge, 'pulls' | 'pull' | 'pullCommits'> {
  return {
    pulls: async (slug, since, atMost) => {
      const list = await readPulls(api, slug, 'all', since, atMost).catch(async (error: unknown) => {
        // A repository without commits answers 404 here; one that is not visible does so everywhere.
        if (codeOf(error) === 'gitea_not_found' && (await repo(slug)).empty) return [];
        throw error;
      });
      return list.map(({ pr }) => pr).filter((pr) => since === null || pr.updatedAt >= since);
    },
    pullCommits: async (slug, number) => {
      const answer = await api.send((client) =>
        client.repos.repoGetPullRequestCommits(...ownerAndName(slug), number, {
          limit: pageSize,
          verification: false,
          files: false,
        }),
      );
      return api.decoder(answer).rows(api.accept(answer), 'commits', (fields: Fields<Commit>) => shaOf(fields, 'sha'));
    },
    pull: async (slug, number) => {
      const answer = await api.send((client) => client.repos.repoGetPullRequest(...ownerAndName(slug), number));
      if (await isMissingIn(api, repo, slug, answer.status, () => api.failure(answer))) return null;
      return pullOf(api.decoder(answer).record<PullRequest>(api.accept(answer), 'pull request'), slug).pr;
    },
  };
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : '';
}

/** Pull requests, most recently updated first, all pages or those down to `since` or up to `atMost`. */
export function readPulls(
  api: GiteaApi,
  slug: RepoSlug,
  state: 'open' | 'all',
  since: number | null,
  atMost?: number,
): Promise<HeadedPr[]> {
  return readPages(api, {
    fetch: (page) =>
      api.send((client) =>
        client.repos.repoListPullRequests(...ownerAndName(slug), {
          state,
          sort: 'recentupdate',
          limit: pageSize,
          page,
        }),
      ),
    row: (fields: Fields<PullRequest>) => pullOf(fields, slug),
    key: ({ pr }) => pr.number,
    ...(since === null ? {} : { until: ({ pr }: HeadedPr) => pr.updatedAt < since }),
    ...(atMost === undefined ? {} : { atMost }),
  });
}

/** A pull request of an answer. Titles and names stay as they are: they are compared and printed, never obeyed. */
export function pullOf(fields: Fields<PullRequest>, repo: RepoSlug): HeadedPr {
  const head = fields.object('head');
  const base = fields.object('base');
  const headRef = head.text('ref');
  const state = fields.text('state');
  if (state !== 'open' && state !== 'closed') throw fields.wrong('state', 'known state of a pull request');
  const merged = fields.flag('merged');
  const pr: RepoPr = {
    kind: 'pr',
    repo,
    number: fields.integer('number'),
    state,
    merged,
    // Also filled while a pull request is open, with the trial merge.
    mergedSha: merged && fields.textOrNull('merge_commit_sha') !== null ? shaOf(fields, 'merge_commit_sha') : null,
    // When the branch is deleted, only the label keeps its name.
    headBranch: headRef.startsWith('refs/pull/') ? head.text('label') : headRef,
    headSha: shaOf(head, 'sha'),
    baseBranch: base.text('ref'),
    author: fields.objectOrNull('user')?.textOrNull('login') ?? '',
    title: fields.text('title'),
    // A fork's pull request carries the same branch name.
    sameRepo: repoIdOf(head) !== null && repoIdOf(head) === repoIdOf(base),
    updatedAt: fields.time('updated_at'),
  };
  return { pr, headRef };
}

function repoIdOf(branch: Fields<PRBranchInfo>): number | null {
  return branch.integerOrNull('repo_id') ?? branch.objectOrNull('repo')?.integerOrNull('id') ?? null;
}

function shaOf<Shape extends object>(fields: Fields<Shape>, key: Extract<keyof Shape, string>): CommitSha {
  const sha = fields.text(key);
  if (sha === '') return noObject;
  if (!isCommitSha(sha)) throw fields.wrong(key, 'full commit sha');
  return sha;
}
