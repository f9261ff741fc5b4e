import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { protect } from './branches.ts';
import { commitFiles, commitTree, git, initBare, mergeTree, moveRef } from './git.ts';
import { preReceiveHook } from './git-http.ts';
import { recordMerge } from './merge.ts';
import { addPull } from './pulls.ts';
import { closePull, syncRefs } from './refs.ts';
import { headSha } from './render.ts';
import { addLineComment, addReview, requestReview } from './reviews.ts';
import { newGiteaToken, nextId } from './state.ts';
import type {
  Access,
  GiteaState,
  GiteaUser,
  LineComment,
  Protection,
  Pull,
  PullComment,
  Repo,
  Review,
} from './state.ts';
import { addStatus } from './statuses.ts';

/** People (and a CI) at work on the server: the same state and the same after-effects as through API and git. */
export interface GiteaPeople {
  addUser(user: { login: string; email?: string; token?: string; scopes?: string[]; siteAdmin?: boolean }): GiteaUser;
  /** A repository with one commit on `main`; `files` empty: an empty repository. */
  addRepo(repo: { owner: GiteaUser; name: string; files?: Record<string, string>; private?: boolean }): Promise<Repo>;
  grant(repo: Repo, user: GiteaUser, access: Access): void;
  protect(repo: Repo, rule: Partial<Protection> & { rule: string }): Protection;
  addLabel(repo: Repo, name: string): { id: number; name: string; color: string };
  /** Commits files on a branch and answers the new head; a missing branch starts at the default one. Null deletes a file. */
  pushFile(
    repo: Repo,
    branch: string,
    files: Record<string, string | null>,
    message: string,
    as: GiteaUser,
  ): Promise<string>;
  /** Points a branch at any commit, fast-forward or not. */
  forcePush(repo: Repo, branch: string, sha: string, as: GiteaUser): Promise<void>;
  deleteBranch(repo: Repo, branch: string, as: GiteaUser): Promise<void>;
  reviewAs(
    user: GiteaUser,
    repo: Repo,
    pull: Pull,
    event: 'APPROVED' | 'REQUEST_CHANGES' | 'COMMENT',
    body?: string,
    commit?: string,
  ): Review;
  requestReviewAs(repo: Repo, pull: Pull, reviewer: GiteaUser): Review;
  /** A remark at a line (below zero: of the file before the change) of a review, also of somebody else's: then an answer to it. */
  remarkAs(
    user: GiteaUser,
    repo: Repo,
    pull: Pull,
    review: Review,
    remark: { path: string; line: number; body: string },
  ): Promise<LineComment>;
  resolveAs(user: GiteaUser, pull: Pull, remark: LineComment): void;
  /** A comment on the pull request itself. */
  commentAs(user: GiteaUser, pull: Pull, body: string): PullComment;
  setStatus(
    repo: Repo,
    sha: string,
    context: string,
    state: string,
    more?: { description?: string; targetUrl?: string; creator?: string },
  ): void;
  /** Merges by hand with a merge commit, without a look at the protection, as an administrator does. */
  mergeAs(user: GiteaUser, repo: Repo, pull: Pull): Promise<string>;
  closePr(pull: Pull): void;
  openPr(user: GiteaUser, repo: Repo, pull: { head: string; base?: string; title: string }): Promise<Pull>;
  /** A pull request whose head lies in another repository under the same branch name. */
  injectForkPr(
    user: GiteaUser,
    repo: Repo,
    pull: { head: string; base?: string; title: string; sha: string },
  ): Promise<Pull>;
  repo(slug: string): Repo;
  pull(repo: Repo, number: number): Pull;
  head(repo: Repo, branch: string): string | undefined;
  headOf(repo: Repo, pull: Pull): string;
  /** Content of a file at a branch or commit; throws when it is not there. */
  readFile(repo: Repo, ref: string, file: string): Promise<string>;
}

function must<T>(value: T | undefined, what: string): T {
  if (value === undefined) throw new Error(`the sandbox has no ${what}`);
  return value;
}

const person = (user: GiteaUser): { name: string; email: string } => ({ name: user.login, email: user.email });

/** Wires the helpers to one server's state. */
export function giteaPeople(state: GiteaState): GiteaPeople {
  return {
    addUser(user) {
      const row: GiteaUser = {
        id: nextId(state),
        login: user.login,
        email: user.email ?? `${user.login}@example.org`,
        tokens: [{ value: user.token ?? newGiteaToken(), scopes: user.scopes ?? ['all'] }],
        siteAdmin: user.siteAdmin ?? false,
      };
      state.users.push(row);
      return row;
    },
    addRepo: (repo) => addRepo(state, repo),
    grant: (repo, user, access) => void repo.access.set(user.login, access),
    protect: (repo, rule) => protect(repo, rule),
    addLabel(repo, name) {
      const label = { id: nextId(state), name, color: '00aabb' };
      repo.labels.push(label);
      return label;
    },
    async pushFile(repo, branch, files, message, as) {
      const at = repo.heads.get(branch) ?? null;
      const sha = await commitFiles(
        repo.dir,
        at ?? repo.heads.get(repo.defaultBranch) ?? null,
        files,
        message,
        person(as),
      );
      if (!(await moveRef(repo.dir, `refs/heads/${branch}`, at, sha)))
        throw new Error(`branch ${branch} moved meanwhile`);
      await syncRefs(state, repo, as.login);
      return sha;
    },
    async forcePush(repo, branch, sha, as) {
      await git(repo.dir, ['update-ref', `refs/heads/${branch}`, sha]);
      await syncRefs(state, repo, as.login);
    },
    async deleteBranch(repo, branch, as) {
      await git(repo.dir, ['update-ref', '-d', `refs/heads/${branch}`]);
      await syncRefs(state, repo, as.login);
    },
    reviewAs: (user, repo, pull, event, body = '', commit = headSha(repo, pull)) =>
      addReview(state, repo, pull, { user: user.login, state: event, body, commit }),
    requestReviewAs: (repo, pull, reviewer) => requestReview(state, repo, pull, reviewer.login),
    remarkAs: (user, repo, pull, review, remark) => addLineComment(state, repo, pull, review, user.login, remark),
    resolveAs(user, pull, remark) {
      remark.resolver = user.login;
      pull.updatedAt = state.clock.now();
    },
    commentAs(user, pull, body) {
      const comment = { id: nextId(state), user: user.login, body, at: state.clock.now() };
      pull.comments.push(comment);
      pull.updatedAt = comment.at;
      return comment;
    },
    setStatus: (repo, sha, context, word, more = {}) =>
      void addStatus(state, repo, { creator: repo.owner, ...more, sha, context, state: word }),
    mergeAs: (user, repo, pull) => mergeByHand(state, user, repo, pull),
    closePr: (pull) => closePull(state, pull),
    openPr: (user, repo, { head, base = repo.defaultBranch, title }) =>
      addPull(state, repo, {
        title,
        body: '',
        user: user.login,
        head,
        base,
        labels: [],
        fork: null,
        headSha: must(repo.heads.get(head), `branch ${head}`),
      }),
    injectForkPr: (user, repo, { head, base = repo.defaultBranch, title, sha }) =>
      addPull(state, repo, {
        title,
        body: '',
        user: user.login,
        head,
        base,
        labels: [],
        fork: { repoId: nextId(state), owner: user.login, sha },
        headSha: sha,
      }),
    repo: (slug) =>
      must(
        state.repos.find((repo) => `${repo.owner}/${repo.name}` === slug),
        `repository ${slug}`,
      ),
    pull: (repo, number) =>
      must(
        repo.pulls.find((pull) => pull.number === number),
        `pull request ${number}`,
      ),
    head: (repo, branch) => repo.heads.get(branch),
    headOf: (repo, pull) => headSha(repo, pull),
    readFile: (repo, ref, file) => git(repo.dir, ['cat-file', 'blob', `${ref}:${file}`]),
  };
}

async function addRepo(
  state: GiteaState,
  wanted: { owner: GiteaUser; name: string; files?: Record<string, string>; private?: boolean },
): Promise<Repo> {
  const dir = path.resolve(state.root, wanted.owner.login, `${wanted.name}.git`);
  await mkdir(path.dirname(dir), { recursive: true });
  await initBare(dir, 'main');
  await writeFile(path.join(dir, 'hooks', 'pre-receive'), preReceiveHook, { mode: 0o755 });
  const now = state.clock.now();
  const repo: Repo = {
    id: nextId(state),
    owner: wanted.owner.login,
    name: wanted.name,
    dir,
    defaultBranch: 'main',
    private: wanted.private ?? true,
    archived: false,
    objectFormat: 'sha1',
    access: new Map(),
    styles: ['merge', 'rebase', 'rebase-merge', 'squash', 'fast-forward-only'],
    allowManualMerge: false,
    deleteBranchAfterMerge: false,
    labels: [],
    pulls: [],
    statuses: [],
    protections: [],
    heads: new Map(),
    compared: new Map(),
    updatedAt: now,
    createdAt: now,
    mergeQueue: Promise.resolve(),
  };
  state.repos.push(repo);
  const files = wanted.files ?? { 'README.md': `# ${wanted.name}\n` };
  if (Object.keys(files).length > 0) {
    const sha = await commitFiles(dir, null, files, 'Initial commit', person(wanted.owner));
    await moveRef(dir, 'refs/heads/main', null, sha);
    await syncRefs(state, repo, wanted.owner.login);
  }
  return repo;
}

async function mergeByHand(state: GiteaState, user: GiteaUser, repo: Repo, pull: Pull): Promise<string> {
  const [base, head] = [must(repo.heads.get(pull.base), `branch ${pull.base}`), headSha(repo, pull)];
  const tree = await mergeTree(repo.dir, base, head);
  if (tree === null) throw new Error(`pull request ${pull.number} conflicts`);
  const message = `Merge pull request '${pull.title}' (#${pull.number}) from ${pull.head} into ${pull.base}`;
  const sha = await commitTree(repo.dir, tree, [base, head], message, person(user));
  await moveRef(repo.dir, `refs/heads/${pull.base}`, base, sha);
  recordMerge(state, pull, user.login, sha);
  await syncRefs(state, repo, user.login);
  return sha;
}
