import type {
  Delivery,
  DeliveryOf,
  Effect,
  EffectBody,
  EffectOf,
  GitPort,
  Forge,
  Tracker,
  Notice,
  ProjectId,
  RecordedDelivery,
  Store,
  Chat,
} from '../model/index.ts';
import { OrchError, assertNever, errorText, errorWithHint, mayPassLater } from '../model/index.ts';
import { crashPoint } from '../platform/crash-point.ts';
import type { Log } from '../platform/log.ts';
import { backoffMs, retryPolicies, type RetryDeps } from '../platform/retry.ts';
import { deliverMerge } from './deliver-merge.ts';
import { deliverState, type StateDeps } from './deliver-state.ts';
import { approverNames } from './project-facts.ts';
import { startBranch } from './start-branch.ts';
import type { Catalogue } from './messages/catalogue.ts';
import { externalIdOf } from './comments.ts';
import { answerTexts } from './messages/answers.ts';
import { commentHtml, chatHtml } from './messages/render.ts';

export interface DeliverDeps extends RetryDeps, StateDeps {
  store: Store;
  git: GitPort;
  forge: Forge;
  /** The projects that this process knows: what tasks of others want done is left to others. */
  projects: readonly ProjectId[];
  tracker: Tracker;
  /** Null: no chat is configured; its messages count as delivered. */
  chat: Chat | null;
  catalogue: Catalogue;
  owner: string;
  log: Log;
}

/** How long a sender may hold an effect before another one looks at it; a merge alone may take minutes. */
export const effectLeaseMs = 10 * 60_000;

/**
 * Delivers what is due, lane by lane in order, one sender a lane (the store sees to it). An effect that was sent but not
 * recorded is sent again: every kind below looks at the world first, so that nothing is doubled. A comment and a pull request
 * do so only where something may have been sent: at a first try the server itself refuses a second one.
 * @returns how many effects were settled
 */
export async function deliverDue(deps: DeliverDeps, signal?: AbortSignal): Promise<number> {
  let settled = 0;
  while (signal?.aborted !== true) {
    const claimed = await deps.store.claimEffect(deps.owner, effectLeaseMs, deps.projects);
    if (claimed === null) return settled;
    const { kind } = claimed.effect.body;
    crashPoint('effect.claimed', kind);
    const delivery = await attempt(claimed, deps);
    crashPoint('effect.sent', kind);
    await deps.store.settleEffect(claimed.effect.id, claimed.token, scheduled(delivery, claimed.effect, deps));
    crashPoint('effect.settled', kind);
    settled += 1;
    if (delivery.kind !== 'done')
      deps.log.warn('effect not delivered', {
        effect: claimed.effect.key,
        answer: delivery.kind,
        error: delivery.error,
      });
  }
  return settled;
}

/** Decides the wait before the next try, where the try itself did not. */
function scheduled(delivery: Delivery, { attempts }: Effect, { backoff, random }: RetryDeps): RecordedDelivery {
  if (delivery.kind !== 'retry') return delivery;
  return { ...delivery, afterMs: delivery.afterMs ?? backoffMs(attempts, backoff, 0, random()) };
}

/** So often an answer is tried at its line, which may be in a commit that the server has lost; then it is text. */
const maxPlacedTries = 2;

/** What a failure means: trouble and refused tokens are tried again (somebody repairs them), a refusal that lasts is final. */
function deliveryOf(error: unknown, { attempts, lastError }: Effect, { backoff, random }: RetryDeps): Delivery {
  const policy = retryPolicies.effect;
  if (!(error instanceof OrchError)) return { kind: 'retry', error: errorText(error), afterMs: null };
  const text = errorWithHint(error);
  if (mayPassLater(error)) {
    // A limit names the moment, and was met before anything was sent: asking then is in time. Other trouble may last.
    const named = error.retryAfterMs;
    const afterMs =
      named !== undefined && error.kind === 'limit' ? named : backoffMs(attempts, backoff, named ?? 0, random());
    return { kind: 'retry', error: text, afterMs };
  }
  if (error.code === 'git_failed' && attempts < policy.gitTries)
    return { kind: 'retry', error: text, afterMs: backoffMs(attempts, policy.git, 0, random()) };
  // Only a refusal that was heard before counts as lasting: the tries before may have been spent on an outage.
  if (error.kind === 'refusal' && (attempts < policy.refusalTries || lastError !== text))
    return { kind: 'retry', error: text, afterMs: null };
  return { kind: 'dead', error: text };
}

type Claimed = Pick<NonNullable<Awaited<ReturnType<Store['claimEffect']>>>, 'effect' | 'isFirst'>;

async function attempt({ effect, isFirst }: Claimed, deps: DeliverDeps): Promise<Delivery> {
  try {
    return await deliver(effect, effect.body, isFirst, deps);
  } catch (error) {
    return deliveryOf(error, effect, deps);
  }
}

async function deliver(effect: Effect, body: EffectBody, isFirst: boolean, deps: DeliverDeps): Promise<Delivery> {
  switch (body.kind) {
    case 'tracker.comment': {
      const html = commentHtml(await withApprovers(body, deps), deps.catalogue);
      const sent = await deps.tracker.comment(body.projectId, body.itemId, {
        html,
        externalId: externalIdOf(deps.database, effect.key),
        formerId: effect.key,
        look: effect.attempts > 1,
      });
      return { kind: 'done', result: { id: sent.id, at: sent.at } };
    }
    case 'tracker.state':
      return deliverState(effect, body, deps);
    case 'chat.message':
      return sendChat(effect, body, deps);
    case 'git.start_branch':
      return startBranch(body, deps);
    case 'forge.open_pull': {
      const pull = await deps.forge.openPull(body.repo, {
        title: body.title,
        body: body.body,
        head: body.branch,
        base: body.baseBranch,
        labels: body.labels,
        look: !isFirst,
      });
      return { kind: 'done', result: { number: pull.number } };
    }
    case 'forge.merge_pull':
      return deliverMerge(effect, body, deps);
    case 'forge.post_review':
      // Reads first: a verdict that stands is not posted again.
      await deps.forge.postReview(body.repo, body.number, { head: body.head, vote: body.vote, body: body.body });
      return { kind: 'done', result: {} };
    case 'forge.answer_threads': {
      const key = externalIdOf(deps.database, effect.key);
      const said = { key, head: body.head, ...answerTexts(body, deps.catalogue, key) };
      const plain = effect.attempts > maxPlacedTries;
      await deps.forge.answer(body.repo, body.number, { ...said, plain });
      return { kind: 'done', result: {} };
    }
    default:
      return assertNever(body);
  }
}

/** Names who may approve in a notice that is about approving: as it is when people read it, not as it was decided. */
async function withApprovers(
  { notice, projectId }: EffectOf<'tracker.comment'>,
  { store, policyOf }: DeliverDeps,
): Promise<Notice> {
  if (notice.body.event !== 'approval_wanted' && notice.body.event !== 'may_not_approve') return notice;
  const policy = policyOf({ projectId });
  const { facts } = (await store.project(projectId)).resolved;
  if (policy === null || facts === null) return notice;
  return { ...notice, body: { ...notice.body, who: approverNames(policy, facts) } };
}

/** An alert may come twice after a crash; information comes at most once: a second try of it is dropped (spec 10). */
async function sendChat(
  effect: Effect,
  body: EffectOf<'chat.message'>,
  deps: DeliverDeps,
): Promise<DeliveryOf<'chat.message'>> {
  if (deps.chat === null || (!body.alert && effect.attempts > 1)) return { kind: 'done', result: { sent: false } };
  await deps.chat.send(chatHtml(body.notice, deps.catalogue));
  return { kind: 'done', result: { sent: true } };
}
