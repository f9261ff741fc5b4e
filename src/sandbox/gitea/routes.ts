import { route } from '../http.ts';
import type { Reply } from '../http.ts';
import { notFound, repoOf } from './reply.ts';
import type { GiteaCall, GiteaHandler, GiteaRoute } from './reply.ts';
import type { Access, Pull, Repo } from './state.ts';

type Answer = Reply | Promise<Reply>;

/** A handler below `/repos/{owner}/{repo}`, for callers with at least this access. */
export function inRepo(
  need: Access,
  handler: (call: GiteaCall, repo: Repo, p: [string, string]) => Answer,
): GiteaHandler {
  return (_state, call, [owner = '', name = '', a = '', b = '']) =>
    handler(call, repoOf(call, owner, name, need), [a, b]);
}

/** A handler below one pull request. */
export function inPull(
  need: Access,
  handler: (call: GiteaCall, repo: Repo, pull: Pull, id: string) => Answer,
): GiteaHandler {
  return inRepo(need, (call, repo, [number, id]) => {
    const pull = repo.pulls.find((candidate) => candidate.number === Number(number));
    if (pull === undefined) throw notFound();
    return handler(call, repo, pull, id);
  });
}

export function repoRoute(template: string, methods: GiteaRoute['methods']): GiteaRoute {
  return route(`/api/v1/repos/:name/:name${template}`, methods);
}
