import type {
  Artifact,
  CommitSha,
  Decision,
  EffectId,
  EffectKind,
  Evidence,
  Hold,
  HoldCause,
  HoldDetail,
  ItemId,
  ItemMirror,
  Job,
  JobId,
  Message,
  MessageBody,
  MessageId,
  MessageOf,
  NoticeEvent,
  OwnStage,
  PrMirror,
  ProjectId,
  LinkedPolicy,
  ProjectPolicy,
  RepoSlug,
  ReviewRow,
  RunId,
  RunOutcome,
  Seen,
  Snapshot,
  Stage,
  StatusRow,
  Task,
  TaskId,
  TaskProgress,
  Visit,
} from '../../src/core/model/index.ts';
import { linksOf } from '../../src/core/peers/links.ts';
import { isWorkStage, noCounters, noProgress } from '../../src/core/model/index.ts';
import { decide } from '../../src/core/pipeline/decide.ts';
import type { Draft } from '../../src/core/pipeline/draft.ts';
import { draftOf } from '../../src/core/pipeline/draft.ts';
import { holdTask } from '../../src/core/pipeline/rules/holds.ts';
import { defaultPipeline, holdKind, stageDefinition } from '../../src/core/pipeline/stages/index.ts';

/** One factory for each kind of row, consistent with the others: a task ET-012 of one project, at noon of some day. */
export const noon = 1_760_000_000_000;
export const minute = 60_000;
export const taskId = 'ET-012' as TaskId;
const projectId = '5884114d-0000-4000-8000-000000000001' as ProjectId;
export const itemId = 'aaaaaaaa-0000-4000-8000-000000000012' as ItemId;
export const repo = 'acme/shop' as RepoSlug;
export const branch = 'feature/ET-012-cart-total';

/** A full sha from a short name: `sha('1')` is forty times that digit. */
export function sha(digit: string): CommitSha {
  return digit.repeat(40).slice(0, 40) as CommitSha;
}

export function policy(over: Partial<ProjectPolicy> = {}): LinkedPolicy {
  return {
    projectId,
    repo,
    prefix: 'ET',
    name: 'Shop',
    baseBranch: 'main',
    approvers: [],
    intake: { label: null, states: [] },
    pipelines: { default: { stages: [...defaultPipeline], label: null } },
    ownStages: [],
    gates: { development: 'ci-green', review: ['reviewer-verdict'] },
    ci: { requiredContexts: [], graceMs: 10 * minute, limitMs: 60 * minute },
    tests: { command: ['make', 'test'], timeoutMs: 600_000, caches: [] },
    deploy: { merge: 'orch', mergeStyle: 'merge' },
    pullRequest: { labels: [] },
    states: {
      in_progress: 'In Progress',
      in_review: 'In Review',
      needs_input: 'Needs Input',
      blocked: 'Blocked',
      done: 'Done',
      cancelled: 'Cancelled',
    },
    caps: {
      developerReruns: 3,
      questionRounds: 3,
      rejections: 3,
      conflictRounds: 2,
      runs: 30,
      costMicros: null,
    },
    budgets: { attempts: 2, transientRetries: 5, interruptions: 3 },
    postsVerdict: false,
    recheckMs: minute,
    links: linksOf({
      plane: { publicUrl: 'https://plane.example.org', workspace: 'acme' },
      gitea: { publicUrl: 'https://git.example.org' },
    }),
    ...over,
  };
}

function task(over: Partial<Task> = {}): Task {
  return {
    id: taskId,
    projectId,
    itemId,
    number: 12,
    title: 'Cart total',
    repo,
    branch,
    baseBranch: 'main',
    pipeline: 'default',
    pipelineStages: [...defaultPipeline],
    ownStages: [],
    stage: 'development',
    visit: 3,
    hold: null,
    paused: false,
    phase: 'in_progress',
    prNumber: 7,
    mergedSha: null,
    counters: { ...noCounters },
    progress: noProgress(),
    createdAt: noon - 100 * minute,
    updatedAt: noon - minute,
    stageSince: noon - 10 * minute,
    ...over,
  };
}

/** A stage of a team's own, between review and testing (spec 3.5). */
const securityReview: OwnStage = {
  name: 'security-review',
  role: 'security-reviewer',
  document: '14-security.md',
  key: 'result',
  pass: ['PASS'],
  fail: ['FAIL'],
  failTo: 'development',
  maxFails: 2,
  needs: ['ci'],
  label: 'security review',
  roleLabel: 'security reviewer',
};
const withSecurity = [...defaultPipeline];
withSecurity.splice(withSecurity.indexOf('testing'), 0, securityReview.name);

/** A task whose pipeline has that stage, and that is in it. */
export const inSecurityReview: Partial<Task> = {
  stage: securityReview.name,
  pipelineStages: withSecurity,
  ownStages: [securityReview],
};

/** Progress of a task that differs from none in these facts. */
export function progress(over: Partial<TaskProgress>): TaskProgress {
  return { ...noProgress(), ...over };
}

export function visit(over: Partial<Visit> = {}): Visit {
  return {
    n: 3,
    stage: 'development',
    startedAt: noon - 10 * minute,
    baseline: { sha: sha('1'), artifacts: {}, codeTree: 'tree-1' },
    finished: { runId: '5' as RunId, sha: sha('2'), result: null, at: noon - minute },
    approval: null,
    approved: null,
    askedAgain: 0,
    requests: 1,
    order: null,
    answers: [],
    bounce: false,
    ciSince: null,
    merge: null,
    why: 'The architecture is decided.',
    sections: [],
    ...over,
  };
}

export function item(over: Partial<ItemMirror> = {}): ItemMirror {
  return {
    kind: 'item',
    itemId,
    projectId,
    number: 12,
    present: true,
    name: 'Cart total',
    descriptionHtml: '<p>The cart shows a wrong total with discounts.</p>',
    priority: 'medium',
    stateId: 's-1',
    stateName: 'In Progress',
    stateGroup: 'started',
    labels: [],
    updatedBy: 'u-lead',
    updatedByAllowed: true,
    ...over,
  };
}

export function pull(over: Partial<PrMirror> = {}): PrMirror {
  return {
    kind: 'pr',
    number: 7,
    state: 'open',
    merged: false,
    mergedSha: null,
    headBranch: branch,
    headSha: sha('2'),
    baseBranch: 'main',
    author: 'orch',
    title: 'ET-012: Cart total',
    ...over,
  };
}

export function review(over: Partial<ReviewRow & { sameCode: boolean }> = {}): ReviewRow & { sameCode: boolean } {
  return {
    id: 1,
    user: 'anna',
    state: 'approved',
    commit: sha('2'),
    dismissed: false,
    counts: true,
    body: '',
    submittedAt: noon,
    sameCode: true,
    ...over,
  };
}

export function status(context: string, state: StatusRow['state'], id = 1): StatusRow {
  return {
    id,
    context,
    state,
    description: `${context} says ${state}`,
    url: `https://ci.example.org/${context}/${id}`,
  };
}

export function job(over: Partial<Job> = {}): Job {
  return {
    id: '9' as JobId,
    kind: 'agent',
    role: 'developer',
    taskId,
    projectId,
    cause: 'visit:3:1',
    repo,
    branch,
    visit: 3,
    orders: { why: 'The architecture is decided.', sections: [] },
    command: null,
    timeoutMs: null,
    runCap: 30,
    costCapMicros: null,
    state: 'running',
    availableAt: noon - minute,
    cancelRequested: false,
    leaseOwner: 'host|boot|1|1',
    leaseToken: 1,
    leaseExpiresAt: noon + minute,
    lastError: null,
    createdAt: noon - minute,
    finishedAt: null,
    attempts: 0,
    maxAttempts: 2,
    transient: 0,
    maxTransient: 5,
    interruptions: 0,
    maxInterruptions: 3,
    ...over,
  };
}

export function outcome(over: Partial<RunOutcome> = {}): RunOutcome {
  return {
    kind: 'success',
    cause: 'success',
    detail: 'done',
    exitCode: 0,
    resetAt: null,
    costMicros: 420_000,
    tokens: null,
    sessionId: null,
    turns: null,
    result: null,
    tail: 'the end of the log',
    ...over,
  };
}

export function ran(over: Partial<MessageOf<'run_finished'>> = {}): MessageOf<'run_finished'> {
  return {
    kind: 'run_finished',
    runId: '5' as RunId,
    jobId: '9' as JobId,
    jobKind: 'agent',
    role: 'developer',
    visit: 3,
    outcome: outcome(),
    published: { sha: sha('2'), committed: true, outOfScope: [] },
    durationMs: 7 * minute,
    exhausted: null,
    unpushed: false,
    ...over,
  };
}

export function comment(over: Partial<MessageOf<'comment'>> = {}): MessageOf<'comment'> {
  return {
    kind: 'comment',
    commentId: 'c-1',
    actor: 'u-lead',
    actorName: 'Lead',
    updatedBy: null,
    allowed: true,
    marker: null,
    text: 'Use euros.',
    updatedAt: noon,
    ...over,
  };
}

/** A message about an effect; a delivered one without a result has an empty one. */
export function settled<K extends EffectKind>(
  effect: K,
  over: Partial<Extract<MessageOf<'effect_settled'>, { effect: K }>> = {},
): MessageOf<'effect_settled'> {
  return {
    kind: 'effect_settled',
    effectId: '3' as EffectId,
    effect,
    key: `${taskId}/4/${effect}`,
    ok: true,
    result: {},
    error: null,
    ...over,
  } as MessageOf<'effect_settled'>;
}

function message(body: MessageBody, id = '11'): Message {
  return { id: id as MessageId, taskId, sourceKey: `test:${id}`, body, createdAt: noon };
}

/** A hold exactly as the rules make it. */
export function held(cause: HoldCause, detail: HoldDetail = {}, since = noon - minute): Hold {
  const draft: Draft = draftOf(snapshot(), policy(), since, (name) => stageDefinition(name, []));
  holdTask(draft, holdKind(cause), `held for ${cause}`, detail);
  if (draft.task.hold === null) throw new Error('no hold was made');
  return draft.task.hold;
}

/** Everything `decide` starts from; a stage of its own brings a visit of that stage along. */
export function snapshot(over: Partial<Omit<Snapshot, 'task' | 'visit' | 'message'>> & Parts = {}): Snapshot {
  const stage: Stage = over.task?.stage ?? 'development';
  const own = isWorkStage(stage)
    ? visit({ stage, ...(over.visit ?? {}), ...(over.task?.visit === undefined ? {} : { n: over.task.visit }) })
    : null;
  return {
    meta: { version: 3, wakeSeq: 8, wakeAt: noon, runs: 4, spentMicros: 0, reservedMicros: 0 },
    liveJob: null,
    checks: [],
    item: item(),
    branch: { kind: 'branch', branch, sha: sha('2') },
    pr: null,
    usualMinutes: null,
    ...over,
    task: task(over.task),
    visit: stage === 'created' ? null : own,
    message: over.message === undefined || over.message === null ? null : message(over.message),
  };
}

interface Parts {
  task?: Partial<Task>;
  visit?: Partial<Visit>;
  message?: MessageBody | null;
}

export function seen<T>(value: T): Seen<T> {
  return { seen: true, value };
}

export function unseen(reason = 'Gitea does not answer'): { seen: false; reason: string } {
  return { seen: false, reason };
}

/** One file of the document folder; its blob follows from its text, so equal texts are equal files. */
export function file(path: string, text = `text of ${path}`): Artifact {
  return { path, blob: `blob:${text}`, size: text.length, text };
}

export const fourDocuments = ['01-brd.md', '02-trz.md', '03-acceptance-criteria.md', '04-test-plan.yaml'];

/** New, mergeable, green code at `head`, unless something else is given. */
export function evidence(over: Evidence & { files?: Artifact[]; rows?: StatusRow[]; tree?: string } = {}): Evidence {
  const { files, rows, tree, ...rest } = over;
  return {
    head: seen(sha('2')),
    lineage: seen({ intact: true, reference: sha('1') }),
    artifacts: seen(files ?? []),
    codeTree: seen(tree ?? 'tree-2'),
    statuses: seen(rows ?? [status('ci/test', 'passed')]),
    merges: seen({ clean: true, conflicts: [] }),
    verdictCommit: seen(null),
    reviews: seen({ author: 'orch', rows: [] }),
    feedback: seen({ threads: [], words: [], missing: [] }),
    pull: seen({ merged: false, mergedSha: null, baseBranch: 'main' }),
    protection: seen({ rule: null, statuses: [] }),
    intake: seen({ folderOnBase: false, branchOwner: 'none' }),
    ...rest,
  };
}

/** What `decide` answers to a snapshot with evidence, at noon. */
export function decided(
  s: Snapshot,
  e: Evidence = evidence(),
  p: LinkedPolicy = policy(),
  now = noon,
): { decision: Decision | null; rule: string; wakeAt: number | null } {
  const ruling = decide(s, e, p, now);
  if (ruling.kind === 'look') throw new Error(`it wants to look at ${ruling.needs.join(', ')}`);
  return ruling.kind === 'rest'
    ? { decision: null, rule: 'rest', wakeAt: ruling.wakeAt }
    : { decision: ruling.decision, rule: ruling.decision.why.rule, wakeAt: ruling.decision.wakeAt };
}

/** The commit that a snapshot leads to; fails where nothing follows. */
export function mustDecide(...args: Parameters<typeof decided>): Decision {
  const { decision } = decided(...args);
  if (decision === null) throw new Error('nothing follows');
  return decision;
}

/** Notices of a decision, with the channels of each: `hold@chat!+comment` (`!`: an alert). */
export function noticesOf(decision: Decision): string[] {
  const on = new Map<string, string[]>();
  for (const { body } of decision.effects) {
    if (body.kind !== 'tracker.comment' && body.kind !== 'chat.message') continue;
    const where = body.kind === 'tracker.comment' ? 'comment' : body.alert ? 'chat!' : 'chat';
    on.set(body.notice.body.event, [...(on.get(body.notice.body.event) ?? []), where]);
  }
  return [...on].map(([event, where]) => `${event}@${where.sort().join('+')}`).sort();
}

/** The body of a notice of a decision. */
export function noticeOf<E extends NoticeEvent['event']>(
  decision: Decision,
  event: E,
): Extract<NoticeEvent, { event: E }> {
  for (const { body } of decision.effects) {
    if ((body.kind === 'tracker.comment' || body.kind === 'chat.message') && body.notice.body.event === event)
      return body.notice.body as Extract<NoticeEvent, { event: E }>;
  }
  throw new Error(`no notice ${event}`);
}

/** Plane states asked for in a decision. */
export function phases(decision: Decision): string[] {
  return decision.effects.flatMap(({ body }) => (body.kind === 'tracker.state' ? [body.phase] : []));
}

/** Jobs of a decision, as `role:cause`. */
export function jobs(decision: Decision): string[] {
  return decision.jobs.map((queued) => `${queued.role}:${queued.cause}`);
}
