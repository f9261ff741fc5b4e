import { setTimeout as sleep } from 'node:timers/promises';
import { matchesContext } from '../../core/pipeline/gates/context-pattern.ts';
import type { Reply } from '../http.ts';
import { commitTree, git, isAncestor, mergeBase, mergeTree, moveRef, rebased, resolveCommit } from './git.ts';
import type { GitPerson } from './git.ts';
import { compare, headSha, isDraft } from './render.ts';
import { closePull, syncRefs } from './refs.ts';
import { bodyOf, notFound, Refusal, writer } from './reply.ts';
import type { GiteaCall, GiteaRoute } from './reply.ts';
import { inPull, repoRoute } from './routes.ts';
import { accessOf, atLeast, canWrite, protectionOf } from './state.ts';
import type { GiteaState, GiteaUser, MergeMethod, Protection, Pull, Repo } from './state.ts';
import { newestPerContext } from './statuses.ts';

const methods: string[] = ['merge', 'rebase', 'rebase-merge', 'squash', 'fast-forward-only', 'manually-merged'];

/** What a merge asks for; the keys were renamed in 1.26, which still takes the old ones. */
function wishes(state: GiteaState, body: Record<string, unknown>): { method: string; title: string; message: string } {
  const pick = (old: string, name: string): string => {
    const value = body[old] ?? (atLeast(state, '1.26') ? body[name] : undefined);
    return typeof value === 'string' ? value : '';
  };
  return {
    method: pick('Do', 'do'),
    title: pick('MergeTitleField', 'merge_title_field'),
    message: pick('MergeMessageField', 'merge_message_field'),
  };
}

function refused(state: GiteaState, reason: string): Refusal {
  return new Refusal(405, atLeast(state, '1.25') ? reason : `not allowed to merge [reason: ${reason}]`);
}

/** Why the protection of the base branch forbids the merge, or null. */
async function unmet(repo: Repo, pull: Pull, rule: Protection): Promise<string | null> {
  const head = headSha(repo, pull);
  if (rule.enableStatusCheck) {
    const newest = newestPerContext(repo, head);
    const passes = (rows: typeof newest): boolean =>
      rows.length > 0 && rows.every(({ state }) => state === 'success' || state === 'skipped');
    const good = (pattern: string): boolean => passes(newest.filter((row) => matchesContext(pattern, row.context)));
    if (!(rule.contexts.length === 0 ? passes(newest) : rule.contexts.every(good))) {
      return 'Not all required status checks successful';
    }
  }
  const counted = pull.reviews.filter((row) => row.official && !row.dismissed);
  const approvals = counted.filter((row) => row.state === 'APPROVED' && !(rule.ignoreStaleApprovals && row.stale));
  if (approvals.length < rule.requiredApprovals) return 'Does not have enough approvals';
  if (rule.blockOnRejectedReviews && counted.some((row) => row.state === 'REQUEST_CHANGES'))
    return 'There are requested changes';
  if (rule.blockOnOfficialReviewRequests && counted.some((row) => row.state === 'REQUEST_REVIEW')) {
    return 'There are official review requests';
  }
  const base = repo.heads.get(pull.base) ?? '';
  if (rule.blockOnOutdatedBranch && !(await isAncestor(repo.dir, base, head)))
    return 'The head branch is behind the base branch';
  return null;
}

/** The checks before a merge, in the server's order. */
async function check(state: GiteaState, repo: Repo, pull: Pull, user: GiteaUser, force: boolean): Promise<void> {
  if (pull.merged !== null) throw new Refusal(405, 'The PR is already merged');
  if (pull.state === 'closed') throw notFound();
  const rule = protectionOf(repo, pull.base);
  if (!canWrite(repo, user.login) || (rule?.mergeWhitelist?.includes(user.login) ?? true) === false) {
    throw new Refusal(405, 'User not allowed to merge PR');
  }
  if (isDraft(pull.title)) throw new Refusal(405, 'Work in progress PRs cannot be merged');
  const base = repo.heads.get(pull.base);
  if (base === undefined) throw notFound();
  const head = headSha(repo, pull);
  const { clean } = await compare(repo, base, head);
  // Still checking and in conflict are one answer, and a conflict keeps giving it.
  if (!clean || state.clock.now() < pull.checkingUntil) throw new Refusal(405, 'Please try again later');
  const why = rule === undefined ? null : await unmet(repo, pull, rule);
  if (why === null || rule === undefined) return;
  if (!(force && accessOf(repo, user.login) === 'admin' && !rule.blockAdminMergeOverride)) throw refused(state, why);
}

function defaultMessage(state: GiteaState, repo: Repo, pull: Pull): string {
  return `Merge pull request '${pull.title}' (#${pull.number}) from ${pull.head} into ${pull.base}\n\nReviewed-on: ${state.url}/${repo.owner}/${repo.name}/pulls/${pull.number}`;
}

/** Makes the commit that base moves to. */
async function result(
  repo: Repo,
  base: string,
  head: string,
  method: MergeMethod,
  message: string,
  by: GitPerson,
): Promise<string> {
  if (method === 'fast-forward-only') {
    if (!(await isAncestor(repo.dir, base, head)))
      throw new Refusal(500, 'Merge DivergingFastForwardOnly Error: not possible to fast-forward');
    return head;
  }
  if (method === 'rebase' || method === 'rebase-merge') {
    const tip = await rebased(repo.dir, base, head, by);
    if (tip === null) throw new Refusal(409, 'rebase conflicts');
    return method === 'rebase'
      ? tip
      : commitTree(repo.dir, await git(repo.dir, ['rev-parse', `${tip}^{tree}`]), [base, tip], message, by);
  }
  const tree = await mergeTree(repo.dir, base, head);
  if (tree === null) throw new Refusal(409, 'merge conflicts');
  if (method === 'merge' && (await isAncestor(repo.dir, head, base)))
    throw new Refusal(500, 'nothing to commit, working tree clean');
  return commitTree(repo.dir, tree, method === 'squash' ? [base] : [base, head], message, by);
}

/**
 * Merges one pull request. The check is not inside the queue: merges that come together all pass it and run one after
 * the other, so three squashes of one pull request make three commits, as on the real server.
 */
async function merge(call: GiteaCall, repo: Repo, pull: Pull): Promise<Reply> {
  const { state } = call;
  const body = bodyOf(call);
  const wanted = wishes(state, body);
  const user = writer(call);
  if (wanted.method === '') throw new Refusal(422, '[Do]: Required');
  if (!methods.includes(wanted.method)) throw new Refusal(422, '[Do]: In');
  if (wanted.method === 'manually-merged') return manually(state, repo, pull, user, body);
  await check(state, repo, pull, user, body['force_merge'] === true);
  const method = wanted.method as MergeMethod;
  if (!repo.styles.includes(method))
    throw new Refusal(405, `${method} is not an allowed merge style for this repository`);
  const message =
    wanted.title === ''
      ? defaultMessage(state, repo, pull)
      : wanted.message === ''
        ? wanted.title
        : `${wanted.title}\n\n${wanted.message}`;
  const pin = typeof body['head_commit_id'] === 'string' ? body['head_commit_id'] : '';
  const deleteBranch =
    typeof body['delete_branch_after_merge'] === 'boolean'
      ? body['delete_branch_after_merge']
      : repo.deleteBranchAfterMerge;
  const run = repo.mergeQueue.then(() => perform(call, repo, pull, user, method, message, pin, deleteBranch));
  repo.mergeQueue = run.catch(() => {});
  await run;
  return { status: 200 };
}

async function perform(
  call: GiteaCall,
  repo: Repo,
  pull: Pull,
  user: GiteaUser,
  method: MergeMethod,
  message: string,
  pin: string,
  deleteBranch: boolean,
): Promise<void> {
  const { state } = call;
  const [base, head] = [repo.heads.get(pull.base) ?? '', headSha(repo, pull)];
  if (pin !== '' && pin !== head) throw new Refusal(409, 'head out of date');
  const sha = await result(repo, base, head, method, message, { name: user.login, email: user.email });
  if (!(await moveRef(repo.dir, `refs/heads/${pull.base}`, base, sha))) {
    throw new Refusal(409, `PushRejected: error: cannot lock ref 'refs/heads/${pull.base}'`);
  }
  if (state.mergeGapMs > 0) await sleep(state.mergeGapMs);
  // The client went away: base has the commit and the pull request never learns of it (up to 1.26.0).
  const torn = call.gone();
  if (!torn) recordMerge(state, pull, user.login, sha);
  await syncRefs(state, repo, user.login);
  if (!torn && deleteBranch && pull.fork === null) {
    await moveRef(repo.dir, `refs/heads/${pull.head}`, head, null);
    await syncRefs(state, repo, user.login);
  }
}

/** Writes the merge down; also for merges that people make. */
export function recordMerge(state: GiteaState, pull: Pull, by: string, sha: string): void {
  closePull(state, pull);
  pull.merged = { at: state.clock.now(), by, sha };
}

/** The repair of a torn pull request: says which commit merged it, where the repository allows that. */
async function manually(
  state: GiteaState,
  repo: Repo,
  pull: Pull,
  user: GiteaUser,
  body: Record<string, unknown>,
): Promise<Reply> {
  if (pull.merged !== null) throw new Refusal(405, 'The PR is already merged');
  if (pull.state === 'closed') throw notFound();
  if (!repo.allowManualMerge)
    throw new Refusal(405, 'manually-merged is not an allowed merge style for this repository');
  const wanted = body['MergeCommitID'] ?? body['merge_commit_id'];
  const sha =
    typeof wanted === 'string' && /^[0-9a-f]{40}$/.test(wanted) ? await resolveCommit(repo.dir, wanted) : null;
  if (sha === null || !(await isAncestor(repo.dir, sha, repo.heads.get(pull.base) ?? ''))) {
    throw new Refusal(405, 'Wrong commit ID');
  }
  recordMerge(state, pull, user.login, sha);
  return { status: 200 };
}

async function update(call: GiteaCall, repo: Repo, pull: Pull): Promise<Reply> {
  const user = writer(call);
  const [base, head] = [repo.heads.get(pull.base) ?? '', headSha(repo, pull)];
  if (pull.state === 'closed') throw new Refusal(422, 'pull request is closed');
  if ((await mergeBase(repo.dir, base, head)) === base) throw new Refusal(409, 'HeadBranch of PR is up to date');
  const tree = await mergeTree(repo.dir, head, base);
  if (tree === null) throw new Refusal(409, 'merge failed because of conflict');
  const by = { name: user.login, email: user.email };
  const sha = await commitTree(repo.dir, tree, [head, base], `Merge branch '${pull.base}' into ${pull.head}`, by);
  await moveRef(repo.dir, `refs/heads/${pull.head}`, head, sha);
  await syncRefs(call.state, repo, user.login);
  return { status: 200 };
}

export const mergeRoutes: GiteaRoute[] = [
  repoRoute('/pulls/:int/merge', {
    GET: inPull('read', (_call, _repo, pull) => {
      if (pull.merged === null) throw notFound();
      return { status: 204 };
    }),
    POST: inPull('read', merge),
  }),
  repoRoute('/pulls/:int/update', { POST: inPull('write', update) }),
];
