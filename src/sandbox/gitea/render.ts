import { mergeBase, mergeTree } from './git.ts';
import { accessOf } from './state.ts';
import type { GiteaState, GiteaUser, LineComment, Pull, PullComment, Repo, Review, StatusRow } from './state.ts';

/** Gitea's times have whole seconds. */
function time(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19)}Z`;
}

export function renderUser(state: GiteaState, login: string): Record<string, unknown> {
  const user = state.users.find((candidate) => candidate.login === login);
  return {
    id: user?.id ?? -1,
    login,
    login_name: '',
    full_name: '',
    email: user?.email ?? '',
    avatar_url: '',
    html_url: `${state.url}/${login}`,
    is_admin: user?.siteAdmin ?? false,
    username: login,
  };
}

export function renderRepo(state: GiteaState, repo: Repo, viewer: GiteaUser | null): Record<string, unknown> {
  const access = accessOf(repo, viewer?.login ?? '');
  return {
    id: repo.id,
    owner: renderUser(state, repo.owner),
    name: repo.name,
    full_name: `${repo.owner}/${repo.name}`,
    description: '',
    empty: repo.heads.size === 0,
    private: repo.private,
    fork: false,
    template: false,
    mirror: false,
    archived: repo.archived,
    object_format_name: repo.objectFormat,
    default_branch: repo.defaultBranch,
    html_url: `${state.url}/${repo.owner}/${repo.name}`,
    url: `${state.url}/api/v1/repos/${repo.owner}/${repo.name}`,
    clone_url: `${state.url}/${repo.owner}/${repo.name}.git`,
    ssh_url: `git@localhost:${repo.owner}/${repo.name}.git`,
    permissions: { admin: access === 'admin', push: access === 'admin' || access === 'write', pull: access !== null },
    has_pull_requests: true,
    allow_merge_commits: repo.styles.includes('merge'),
    allow_rebase: repo.styles.includes('rebase'),
    allow_rebase_explicit: repo.styles.includes('rebase-merge'),
    allow_squash_merge: repo.styles.includes('squash'),
    allow_fast_forward_only_merge: repo.styles.includes('fast-forward-only'),
    allow_manual_merge: repo.allowManualMerge,
    autodetect_manual_merge: false,
    default_delete_branch_after_merge: repo.deleteBranchAfterMerge,
    default_merge_style: 'merge',
    created_at: time(repo.createdAt),
    updated_at: time(repo.updatedAt),
  };
}

/**
 * The head of a pull request as the server answers it: the branch if there is one, even for a merged or closed pull
 * request whose branch name was used again, else what `refs/pull/N/head` kept.
 */
export function headSha(repo: Repo, pull: Pull): string {
  return pull.fork?.sha ?? repo.heads.get(pull.head) ?? pull.headSha;
}

export function isDraft(title: string): boolean {
  return /^(?:WIP:|\[WIP\])/i.test(title);
}

async function isMergeable(state: GiteaState, repo: Repo, pull: Pull): Promise<boolean> {
  const base = repo.heads.get(pull.base);
  if (pull.state === 'closed' || isDraft(pull.title) || base === undefined) return false;
  if (state.clock.now() < pull.checkingUntil) return false;
  return (await compare(repo, base, headSha(repo, pull))).clean;
}

/** Merge base of two commits, and whether they merge without a conflict. */
export function compare(repo: Repo, base: string, head: string): Promise<{ mergeBase: string; clean: boolean }> {
  const key = `${base} ${head}`;
  const known = repo.compared.get(key);
  if (known !== undefined) return known;
  const found = (async () => ({
    mergeBase: await mergeBase(repo.dir, base, head),
    clean: (await mergeTree(repo.dir, base, head)) !== null,
  }))();
  repo.compared.set(key, found);
  return found;
}

export async function renderPull(
  state: GiteaState,
  repo: Repo,
  pull: Pull,
  viewer: GiteaUser | null,
): Promise<Record<string, unknown>> {
  const shownRepo = renderRepo(state, repo, viewer);
  const head = headSha(repo, pull);
  const base = repo.heads.get(pull.base) ?? '';
  const gone = pull.fork === null && !repo.heads.has(pull.head);
  const url = `${state.url}/${repo.owner}/${repo.name}/pulls/${pull.number}`;
  return {
    id: pull.id,
    number: pull.number,
    url,
    html_url: url,
    user: renderUser(state, pull.user),
    title: pull.title,
    body: pull.body,
    labels: repo.labels.filter((label) => pull.labels.includes(label.id)),
    milestone: null,
    assignee: null,
    assignees: null,
    requested_reviewers: null,
    requested_teams: null,
    state: pull.state,
    draft: isDraft(pull.title),
    is_locked: false,
    comments: 0,
    mergeable: await isMergeable(state, repo, pull),
    merged: pull.merged !== null,
    merged_at: pull.merged === null ? null : time(pull.merged.at),
    merge_commit_sha: pull.merged?.sha ?? null,
    merged_by: pull.merged === null ? null : renderUser(state, pull.merged.by),
    allow_maintainer_edit: false,
    base: { label: pull.base, ref: pull.base, sha: base, repo_id: repo.id, repo: shownRepo },
    head: {
      label: pull.head,
      ref: gone ? `refs/pull/${pull.number}/head` : pull.head,
      sha: head,
      repo_id: pull.fork?.repoId ?? repo.id,
      repo:
        pull.fork === null
          ? shownRepo
          : { ...shownRepo, id: pull.fork.repoId, full_name: `${pull.fork.owner}/${repo.name}`, fork: true },
    },
    merge_base: base === '' ? '' : (await compare(repo, base, head)).mergeBase,
    due_date: null,
    created_at: time(pull.createdAt),
    updated_at: time(pull.updatedAt),
    closed_at: pull.closedAt === null ? null : time(pull.closedAt),
    pin_order: 0,
  };
}

export function renderReview(state: GiteaState, repo: Repo, pull: Pull, row: Review): Record<string, unknown> {
  const url = `${state.url}/${repo.owner}/${repo.name}/pulls/${pull.number}`;
  return {
    id: row.id,
    user: renderUser(state, row.user),
    team: null,
    state: row.state,
    body: row.body,
    commit_id: row.commit,
    stale: row.stale,
    official: row.official,
    dismissed: row.dismissed,
    comments_count: row.comments.length,
    submitted_at: time(row.at),
    updated_at: time(row.at),
    html_url: `${url}#issuecomment-${row.id}`,
    pull_request_url: url,
  };
}

/** `position` and `original_position` are line numbers; the one that does not apply is 0. */
export function renderLineComment(state: GiteaState, review: Review, row: LineComment): Record<string, unknown> {
  return {
    id: row.id,
    body: row.body,
    user: renderUser(state, row.user),
    resolver: row.resolver === null ? null : renderUser(state, row.resolver),
    pull_request_review_id: review.id,
    created_at: time(row.at),
    updated_at: time(row.at),
    path: row.path,
    commit_id: row.commit,
    original_commit_id: '',
    diff_hunk: row.hunk,
    position: Math.max(0, row.line),
    original_position: Math.max(0, -row.line),
  };
}

export function renderPullComment(state: GiteaState, row: PullComment): Record<string, unknown> {
  return {
    id: row.id,
    body: row.body,
    user: renderUser(state, row.user),
    created_at: time(row.at),
    updated_at: time(row.at),
  };
}

export function renderStatus(state: GiteaState, row: StatusRow): Record<string, unknown> {
  return {
    id: row.id,
    status: row.state,
    target_url: row.targetUrl,
    description: row.description,
    url: `${state.url}/api/v1/statuses/${row.sha}`,
    context: row.context,
    creator: renderUser(state, row.creator),
    created_at: time(row.at),
    updated_at: time(row.at),
  };
}
