import { background } from './state.ts';
import type { PushEvent, Repo } from './state.ts';
import type { SandboxGitea } from './server.ts';

export interface CiOptions {
  /** The state that a commit ends with: `success`, `failure` …; null reports nothing. */
  decide: (sha: string, branch: string) => string | null;
  contexts?: string[];
  /** Branches it builds. Default: those below `feature/`. */
  branches?: RegExp;
  /** Called with what it reported, as log lines would be. */
  description?: (state: string) => string;
}

/**
 * A CI for one repository: `pending` with the push, the verdict a moment later (the server's lag).
 * @returns a function that ends it
 */
export function startCi(gitea: SandboxGitea, repo: Repo, options: CiOptions): () => void {
  const contexts = options.contexts ?? ['ci/test'];
  const branches = options.branches ?? /^feature\//;
  const report = (sha: string, state: string): void => {
    for (const context of contexts) {
      gitea.setStatus(repo, sha, context, state, {
        description: options.description?.(state) ?? '',
        targetUrl: `${gitea.url}/${repo.owner}/${repo.name}/actions/runs/${sha.slice(0, 8)}`,
      });
    }
  };
  const listen = (event: PushEvent): void => {
    const { after: sha, branch } = event;
    if (event.repo !== repo || sha === null || !branches.test(branch)) return;
    const state = options.decide(sha, branch);
    if (state === null) return;
    report(sha, 'pending');
    background(gitea.state, () => report(sha, state));
  };
  gitea.state.pushListeners.push(listen);
  return () => void gitea.state.pushListeners.splice(gitea.state.pushListeners.indexOf(listen), 1);
}

/** A verdict that fails the first `times` commits it sees and passes the others; a commit keeps its verdict. */
export function failingFirst(times: number): (sha: string) => string {
  const seen = new Map<string, string>();
  return (sha) => {
    const known = seen.get(sha);
    if (known !== undefined) return known;
    const verdict = seen.size < times ? 'failure' : 'success';
    seen.set(sha, verdict);
    return verdict;
  };
}
