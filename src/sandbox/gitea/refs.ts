import { createHash } from 'node:crypto';
import { git, heads, mergeBase, moveRef } from './git.ts';
import { headSha } from './render.ts';
import { background, protectionOf } from './state.ts';
import type { GiteaState, PushEvent, Pull, Repo } from './state.ts';

/**
 * Compares a repository's branches with what was last seen and does what follows from a push: pull requests follow
 * their head at once; stale reviews, closed pull requests and `updated_at` come later, as on the real server.
 */
export async function syncRefs(state: GiteaState, repo: Repo, by: string): Promise<void> {
  const before = repo.heads;
  const after = await heads(repo.dir);
  repo.heads = after;
  const events: PushEvent[] = [];
  for (const branch of new Set([...before.keys(), ...after.keys()])) {
    const [from, to] = [before.get(branch) ?? null, after.get(branch) ?? null];
    if (from !== to) events.push({ repo, branch, before: from, after: to, by });
  }
  if (events.length === 0) return;
  repo.updatedAt = state.clock.now();
  for (const event of events) {
    for (const pull of repo.pulls) await followPush(state, repo, pull, event);
    for (const listener of state.pushListeners) listener(event);
  }
}

async function followPush(state: GiteaState, repo: Repo, pull: Pull, event: PushEvent): Promise<void> {
  if (pull.state !== 'open') return;
  if (pull.fork === null && pull.head === event.branch) {
    if (event.after === null) return background(state, () => closeIfGone(state, repo, pull));
    pull.headSha = event.after;
    await moveRef(repo.dir, `refs/pull/${pull.number}/head`, await pullRef(repo, pull), event.after);
    checkAgain(state, pull);
    background(state, async () => {
      pull.updatedAt = state.clock.now();
      await markStale(repo, pull);
    });
  } else if (pull.base === event.branch) {
    checkAgain(state, pull);
    if (event.after === null) background(state, () => void (pull.base = repo.defaultBranch));
  }
}

async function pullRef(repo: Repo, pull: Pull): Promise<string | null> {
  const out = await git(repo.dir, ['for-each-ref', '--format=%(objectname)', `refs/pull/${pull.number}/head`]);
  return out === '' ? null : out;
}

/** Keeps the head of a new pull request below `refs/pull/`. */
export async function keepPullRef(repo: Repo, pull: Pull): Promise<void> {
  await moveRef(repo.dir, `refs/pull/${pull.number}/head`, null, pull.headSha);
}

function checkAgain(state: GiteaState, pull: Pull): void {
  pull.checkingUntil = state.clock.now() + state.lagMs;
}

function closeIfGone(state: GiteaState, repo: Repo, pull: Pull): void {
  if (repo.heads.has(pull.head) || pull.state !== 'open') return;
  closePull(state, pull);
}

export function closePull(state: GiteaState, pull: Pull): void {
  pull.state = 'closed';
  pull.closedAt = state.clock.now();
  pull.updatedAt = pull.closedAt;
}

/** Hash of what a pull request changes at a commit. */
async function changes(repo: Repo, pull: Pull, sha: string): Promise<string> {
  const base = repo.heads.get(pull.base) ?? sha;
  const diff = await git(repo.dir, [
    'diff-tree',
    '-r',
    '-p',
    '--full-index',
    await mergeBase(repo.dir, base, sha),
    sha,
  ]);
  return createHash('sha256').update(diff).digest('hex');
}

/**
 * A review is stale when the changes differ from those it saw, and not any more when the head goes back to them.
 * With `dismiss_stale_approvals` a stale approval is dismissed by the same late task.
 */
async function markStale(repo: Repo, pull: Pull): Promise<void> {
  const head = headSha(repo, pull);
  const now = await changes(repo, pull, head);
  const rule = protectionOf(repo, pull.base);
  for (const review of pull.reviews) {
    if (review.state !== 'APPROVED' && review.state !== 'REQUEST_CHANGES') continue;
    const seen = review.commit === head ? now : await changes(repo, pull, review.commit).catch(() => '');
    review.stale = seen !== now;
    if (review.stale && review.state === 'APPROVED' && rule?.dismissStaleApprovals === true) review.dismissed = true;
  }
}
