import type { Reply } from '../http.ts';
import { text } from '../http.ts';
import { git, moveRef, resolveCommit } from './git.ts';
import { syncRefs } from './refs.ts';
import { bodyOf, notFound, pageOf, Refusal, writer } from './reply.ts';
import type { GiteaCall, GiteaRoute } from './reply.ts';
import { inRepo, repoRoute } from './routes.ts';
import { atLeast, canWrite, protectionOf } from './state.ts';
import type { Protection, Repo } from './state.ts';

async function renderBranch(call: GiteaCall, repo: Repo, name: string, sha: string): Promise<Record<string, unknown>> {
  const rule = protectionOf(repo, name);
  const [author = '', email = '', date = '', ...message] = (
    await git(repo.dir, ['show', '-s', '--format=%an%n%ae%n%cI%n%B', sha])
  ).split('\n');
  const write = canWrite(repo, call.user?.login ?? '');
  const person = { name: author, email, username: '' };
  return {
    name,
    commit: {
      id: sha,
      message: message.join('\n'),
      url: `${call.state.url}/${repo.owner}/${repo.name}/commit/${sha}`,
      author: person,
      committer: person,
      verification: null,
      timestamp: date,
      added: null,
      removed: null,
      modified: null,
    },
    protected: rule !== undefined,
    required_approvals: rule?.requiredApprovals ?? 0,
    enable_status_check: rule?.enableStatusCheck ?? false,
    status_check_contexts: rule?.contexts ?? [],
    user_can_push: write && (rule?.enablePush ?? true),
    user_can_merge: write && (rule?.mergeWhitelist?.includes(call.user?.login ?? '') ?? true),
    effective_branch_protection_name: rule?.rule ?? '',
  };
}

async function create(call: GiteaCall, repo: Repo): Promise<Reply> {
  const body = bodyOf(call);
  const name = text(body['new_branch_name']) ?? '';
  if (name === '') throw new Refusal(422, '[BranchName]: Required');
  if (repo.heads.size === 0) throw notFound('Git Repository is empty.');
  if (repo.heads.has(name)) throw new Refusal(409, 'The branch already exists.');
  const from = text(body['old_ref_name']) ?? '';
  const oldBranch = text(body['old_branch_name']) ?? '';
  let sha: string | null | undefined;
  if (from !== '') {
    sha = await resolveCommit(repo.dir, from);
    if (sha === null) throw new Refusal(500, `object does not exist [id: ${from}, rel_path: ]`);
  } else {
    sha = repo.heads.get(oldBranch === '' ? repo.defaultBranch : oldBranch);
    if (sha === undefined) throw notFound('The old branch does not exist');
  }
  if (!(await moveRef(repo.dir, `refs/heads/${name}`, null, sha)))
    throw new Refusal(409, 'The branch name conflicts with an existing one.');
  await syncRefs(call.state, repo, writer(call).login);
  return { status: 201, body: await renderBranch(call, repo, name, sha) };
}

async function remove(call: GiteaCall, repo: Repo, name: string): Promise<Reply> {
  const sha = repo.heads.get(name);
  if (sha === undefined) {
    if (atLeast(call.state, '1.26')) throw notFound();
    return { status: 204 };
  }
  if (name === repo.defaultBranch) throw new Refusal(403, 'can not delete default or pull request target branch');
  if (protectionOf(repo, name) !== undefined) throw new Refusal(403, 'branch protected');
  await moveRef(repo.dir, `refs/heads/${name}`, sha, null);
  await syncRefs(call.state, repo, writer(call).login);
  return { status: 204 };
}

const noRule: Protection = {
  rule: '',
  enablePush: false,
  requiredApprovals: 0,
  dismissStaleApprovals: false,
  ignoreStaleApprovals: false,
  blockOnRejectedReviews: false,
  blockOnOfficialReviewRequests: false,
  blockOnOutdatedBranch: false,
  enableStatusCheck: false,
  contexts: [],
  approvalsWhitelist: null,
  mergeWhitelist: null,
  blockAdminMergeOverride: false,
};

/** Adds a rule with the server's defaults; direct pushes are off unless asked for. */
export function protect(repo: Repo, rule: Partial<Protection> & { rule: string }): Protection {
  const row = { ...noRule, ...rule };
  repo.protections.push(row);
  return row;
}

function ruleFrom(body: Record<string, unknown>): Partial<Protection> & { rule: string } {
  const strings = (value: unknown): string[] =>
    Array.isArray(value) ? value.filter((one): one is string => typeof one === 'string') : [];
  return {
    rule: text(body['rule_name']) ?? text(body['branch_name']) ?? '',
    enablePush: body['enable_push'] === true,
    requiredApprovals: Number(body['required_approvals'] ?? 0),
    dismissStaleApprovals: body['dismiss_stale_approvals'] === true,
    ignoreStaleApprovals: body['ignore_stale_approvals'] === true,
    blockOnRejectedReviews: body['block_on_rejected_reviews'] === true,
    blockOnOfficialReviewRequests: body['block_on_official_review_requests'] === true,
    blockOnOutdatedBranch: body['block_on_outdated_branch'] === true,
    enableStatusCheck: body['enable_status_check'] === true,
    contexts: strings(body['status_check_contexts']),
    approvalsWhitelist:
      body['enable_approvals_whitelist'] === true ? strings(body['approvals_whitelist_username']) : null,
    mergeWhitelist: body['enable_merge_whitelist'] === true ? strings(body['merge_whitelist_usernames']) : null,
    blockAdminMergeOverride: body['block_admin_merge_override'] === true,
  };
}

function renderRule(rule: Protection): Record<string, unknown> {
  return {
    rule_name: rule.rule,
    branch_name: rule.rule,
    enable_push: rule.enablePush,
    required_approvals: rule.requiredApprovals,
    dismiss_stale_approvals: rule.dismissStaleApprovals,
    ignore_stale_approvals: rule.ignoreStaleApprovals,
    block_on_rejected_reviews: rule.blockOnRejectedReviews,
    block_on_official_review_requests: rule.blockOnOfficialReviewRequests,
    block_on_outdated_branch: rule.blockOnOutdatedBranch,
    enable_status_check: rule.enableStatusCheck,
    status_check_contexts: rule.contexts,
    enable_approvals_whitelist: rule.approvalsWhitelist !== null,
    approvals_whitelist_username: rule.approvalsWhitelist ?? [],
    enable_merge_whitelist: rule.mergeWhitelist !== null,
    merge_whitelist_usernames: rule.mergeWhitelist ?? [],
    block_admin_merge_override: rule.blockAdminMergeOverride,
  };
}

export const branchRoutes: GiteaRoute[] = [
  repoRoute('/branches', {
    GET: inRepo('read', async (call, repo) => {
      const rows = [...repo.heads].toSorted(([a], [b]) => (a < b ? -1 : 1));
      const shown = await Promise.all(pageOf(call, rows).map(([name, sha]) => renderBranch(call, repo, name, sha)));
      return { status: 200, body: rows.length === 0 ? null : shown, headers: { 'x-total-count': String(rows.length) } };
    }),
    POST: inRepo('write', create),
  }),
  repoRoute('/branches/*', {
    GET: inRepo('read', async (call, repo, [encoded]) => {
      const name = decodeURIComponent(encoded);
      const sha = repo.heads.get(name);
      if (sha === undefined) throw notFound();
      return { status: 200, body: await renderBranch(call, repo, name, sha) };
    }),
    DELETE: inRepo('write', (call, repo, [encoded]) => remove(call, repo, decodeURIComponent(encoded))),
  }),
  repoRoute('/branch_protections', {
    GET: inRepo('admin', (_call, repo) => ({ status: 200, body: repo.protections.map(renderRule) })),
    POST: inRepo('admin', (call, repo) => {
      const rule = ruleFrom(bodyOf(call));
      if (rule.rule === '') throw new Refusal(422, '[RuleName]: Required');
      if (repo.protections.some((row) => row.rule === rule.rule))
        throw new Refusal(403, 'Branch protection already exist');
      return { status: 201, body: renderRule(protect(repo, rule)) };
    }),
  }),
  repoRoute('/branch_protections/*', {
    GET: inRepo('admin', (_call, repo, [name]) => ({ status: 200, body: renderRule(ruleNamed(repo, name)) })),
    DELETE: inRepo('admin', (_call, repo, [name]) => {
      repo.protections.splice(repo.protections.indexOf(ruleNamed(repo, name)), 1);
      return { status: 204 };
    }),
  }),
];

function ruleNamed(repo: Repo, encoded: string): Protection {
  const rule = repo.protections.find((row) => row.rule === decodeURIComponent(encoded));
  if (rule === undefined) throw notFound();
  return rule;
}
