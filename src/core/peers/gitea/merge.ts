import type { Forge, MergeAnswer } from '../../model/index.ts';
import type { GiteaApi } from './api.ts';
import { ownerAndName } from './repos.ts';

/**
 * Asks for a merge, once. `head_commit_id` makes the server refuse when the head has moved; `Do` and the two other names
 * are the ones every version and Forgejo understand. The answer's meaning is a guess: messages differ by version and a
 * failure status may follow a merge that was made, so the caller reads the pull request again. Never called twice at
 * the same time for one pull request, and not cut off: a client that goes away in the middle leaves the pull request
 * open although its commits are on the base.
 * @param api a client whose time-out is minutes
 * @throws OrchError `gitea_unreachable` when no answer came; then nobody knows what was done
 */
export function createMerge(api: GiteaApi): Forge['merge'] {
  return async (slug, request) => {
    const answer = await api.send((client) =>
      client.repos.repoMergePullRequest(...ownerAndName(slug), request.number, {
        Do: request.style,
        MergeTitleField: request.title,
        MergeMessageField: request.message,
        head_commit_id: request.head,
      }),
    );
    const message = answer.status < 300 ? '' : api.message(answer);
    return { kind: kindOf(answer.status, message), said: `HTTP ${answer.status}: ${message}` };
  };
}

/** "Please try again later" is said while the server still checks, and of a conflict for as long as it stands. */
function kindOf(status: number, message: string): MergeAnswer['kind'] {
  if (status < 300) return 'asked';
  if (status >= 500 || status === 401 || status === 403 || status === 408 || status === 429) return 'trouble';
  if (status === 409 && /head/i.test(message)) return 'head_moved';
  // 409: two merges into one base. 404: the pull request is missing or closed, which reading it again shows.
  if (status === 409 || status === 404 || /try again later/i.test(message) || message === '') return 'not_yet';
  return 'refused';
}
