import type { Forge } from '../../model/index.ts';
import type { GiteaApi } from './api.ts';
import { ownerAndName } from './repos.ts';

/**
 * Asks for a merge, once. `head_commit_id` makes the server refuse when the head has moved; `Do` and the two other names
 * are the ones every version and Forgejo understand. Whatever status comes is handed on: messages differ by version and
 * a failure status may follow a merge that was made, so the caller reads the pull request again. Never called twice at
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
    return { status: answer.status, message: answer.status < 300 ? '' : api.message(answer) };
  };
}
