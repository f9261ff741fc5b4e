import type { CommitSha, DeliveryOf, Effect, EffectOf, GitPort, Forge, MergeAnswer, RepoPr } from '../model/index.ts';
import { OrchError, mayPassLater } from '../model/index.ts';

type MergeDelivery = DeliveryOf<'forge.merge_pull'>;
type Reason = NonNullable<NonNullable<Extract<MergeDelivery, { kind: 'dead' }>['result']>['reason']>;

export interface MergeDeps {
  git: GitPort;
  forge: Forge;
}

/** Commits of the base branch that are searched for the marker of a merge that was cut off. */
const markerDepth = 200;
/** A server that still checks asks for patience; of a conflict it may say the same for as long as it stands. */
const laterTries = 8;
/** Some hours, with the usual backoff: a server that fails on this merge for so long will go on doing so. */
const troubleTries = 24;

/**
 * The one effect that must never run twice (spec 5). First the pull request, then the base branch is asked whether it has
 * happened already; then one request, pinned to the proven head; then the pull request is read again, because the
 * answer's own words differ between versions and mean little.
 */
export async function deliverMerge(
  effect: Effect,
  body: EffectOf<'forge.merge_pull'>,
  { git, forge }: MergeDeps,
): Promise<MergeDelivery> {
  const before = await forge.pull(body.repo, body.number);
  const known =
    before === null ? refused('gone', `pull request #${body.number} cannot be found`) : settledAlready(before, body);
  if (known !== null && before?.state !== 'open') return known;
  await git.fetch(body.repo, [body.baseBranch, body.branch]);
  if (known !== null) return (await lags(effect, body, known, git)) ?? known;
  const base = await git.head(body.repo, body.baseBranch);
  // Also at the first try of this effect: an earlier one of the same visit may have been withdrawn after it was tried.
  if (base !== null) {
    const found = await git.findCommit(body.repo, base, body.marker, markerDepth);
    // The server merged and was cut off before it said so: its pull request stays open.
    if (found !== null)
      return refused(
        'torn',
        `commit ${found} is on ${body.baseBranch}, but the server left pull request #${body.number} open; mark it as merged by hand`,
      );
  }
  const unapproved = await approve(body, forge);
  const request = {
    number: body.number,
    head: body.head,
    style: body.style,
    title: body.title,
    message: `${body.marker}\n`,
  };
  const answer = await forge.merge(body.repo, request).finally(() => git.outdated(body.repo));
  const after = await forge.pull(body.repo, body.number);
  if (after !== null) {
    const landed = settledAlready(after, body);
    if (landed !== null) return landed;
  }
  return notLanded(effect, body, answer, { git, base, unapproved });
}

/**
 * The approval of the second account, looked at before every request: a push may have dismissed it since, and the server does that
 * with a delay. A merge that is not protected needs none, so trouble with it is only told with the server's own answer.
 * @returns what went wrong
 */
async function approve(body: EffectOf<'forge.merge_pull'>, forge: Forge): Promise<OrchError | null> {
  if (body.approval === undefined) return null;
  try {
    await forge.postReview(body.repo, body.number, { head: body.head, vote: 'approved', body: body.approval });
    return null;
  } catch (error) {
    if (error instanceof OrchError) return error;
    throw error;
  }
}

function settledAlready(pull: RepoPr, body: EffectOf<'forge.merge_pull'>): MergeDelivery | null {
  if (pull.merged) return { kind: 'done', result: { mergedSha: pull.mergedSha } };
  if (pull.state === 'closed') return refused('closed', `pull request #${pull.number} is closed`);
  if (!pull.sameRepo) return refused('other', `pull request #${pull.number} is not the one of this branch`);
  if (pull.baseBranch !== body.baseBranch)
    return refused(
      'other',
      `pull request #${pull.number} goes into ${pull.baseBranch} now, not into ${body.baseBranch}`,
    );
  if (pull.headSha !== body.head)
    return refused('moved', `the head of pull request #${pull.number} is ${pull.headSha}, not ${body.head}`);
  return null;
}

/**
 * A pull request follows its branch with a delay, or never. While the branch itself has the proven head, judging again
 * would come to the same answer at once, every time: it is waited for, then reported.
 */
async function lags(
  effect: Effect,
  body: EffectOf<'forge.merge_pull'>,
  known: MergeDelivery,
  git: GitPort,
): Promise<MergeDelivery | null> {
  if (known.kind !== 'dead' || known.result?.reason !== 'moved') return null;
  if ((await git.head(body.repo, body.branch)) !== body.head) return null;
  if (effect.attempts < laterTries) return { kind: 'retry', error: known.error, afterMs: 2000 };
  return refused('refused', known.error);
}

async function notLanded(
  effect: Effect,
  body: EffectOf<'forge.merge_pull'>,
  answer: MergeAnswer,
  { git, base, unapproved }: { git: GitPort; base: CommitSha | null; unapproved: OrchError | null },
): Promise<MergeDelivery> {
  const { kind } = answer;
  const said =
    unapproved === null ? answer.said : `${answer.said}; the verdict could not be posted: ${unapproved.message}`;
  // The same answer as before, and often enough: an outage uses up tries, too, and says nothing about the merge.
  const lasts = (tries: number): boolean => effect.attempts >= tries && effect.lastError === said;
  if (kind === 'trouble' && !lasts(troubleTries)) return { kind: 'retry', error: said, afterMs: null };
  if (kind === 'head_moved') return refused('moved', said);
  const clean = base === null || (await git.mergeTree(body.repo, base, body.head)).clean;
  if (!clean) return refused('conflict', `the branch does not merge into ${body.baseBranch}`);
  const later = kind === 'asked' || kind === 'not_yet';
  if (later && !lasts(laterTries)) return { kind: 'retry', error: said, afterMs: laterMs(effect) };
  if (kind === 'refused' && unapproved !== null && mayPassLater(unapproved))
    return { kind: 'retry', error: said, afterMs: null };
  return refused('refused', said);
}

/** Soon while the server still checks, then with patience. */
function laterMs(effect: Effect): number | null {
  return effect.attempts < laterTries / 2 ? 2000 : null;
}

function refused(reason: Reason, error: string): MergeDelivery {
  return { kind: 'dead', error, result: { reason } };
}
