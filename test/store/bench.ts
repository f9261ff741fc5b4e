import type {
  BranchMirror,
  Claim,
  ClaimState,
  CommitSha,
  Decision,
  Hold,
  ItemId,
  ItemMirror,
  JobId,
  MessageBody,
  NamedLease,
  NewEffect,
  NewJob,
  NewMessage,
  Observation,
  ProjectId,
  RepoSlug,
  RunOutcome,
  Settlement,
  Store,
  Task,
  TaskId,
  Visit,
  WorkerDetail,
} from '../../src/core/model/index.ts';
import { noCounters, noProgress } from '../../src/core/model/index.ts';
import type { Clock } from '../../src/core/platform/clock.ts';

/** A clock that only the test moves. */
export interface TestClock extends Clock {
  at: number;
}

export const start = 1_700_000_000_000;

export function testClock(): TestClock {
  const clock: TestClock = { at: start, now: () => clock.at, sleep: () => Promise.resolve() };
  return clock;
}

/** What a driver gives the suite: one database, any number of connections to it, a clock. */
export interface Bench {
  clock: TestClock;
  store: Store;
  /** Another connection, as another process would have it. */
  connect(): Promise<Store>;
  /** A value that changes whenever anything is written to the database. */
  writes(): number;
  close(): Promise<void>;
}

export const taskId = 'ET-001' as TaskId;
export const projectId = 'project-1' as ProjectId;
export const repo = 'acme/shop' as RepoSlug;
export const sha = (digit: string): CommitSha => digit.repeat(40) as CommitSha;

export function task(over: Partial<Task> = {}): Task {
  const id = over.id ?? taskId;
  return {
    id,
    projectId,
    itemId: `item-${id}` as ItemId,
    number: 1,
    title: 'A title',
    repo,
    branch: `feature/${id}`,
    baseBranch: 'main',
    pipeline: 'default',
    pipelineStages: ['analysis', 'architecture', 'development', 'review', 'testing', 'deploy'],
    stage: 'created',
    visit: 0,
    hold: null,
    paused: false,
    phase: null,
    prNumber: null,
    mergedSha: null,
    counters: noCounters,
    ownStages: [],
    progress: noProgress(),
    createdAt: start,
    updatedAt: start,
    stageSince: start,
    ...over,
  };
}

export function itemMirror(over: Partial<ItemMirror> = {}): ItemMirror {
  return {
    kind: 'item',
    itemId: `item-${taskId}` as ItemId,
    projectId,
    number: 1,
    present: true,
    name: 'A title',
    descriptionHtml: '<p>text</p>',
    priority: 'none',
    stateId: 's1',
    stateName: 'Todo',
    stateGroup: 'unstarted',
    labels: ['a', 'b'],
    updatedBy: null,
    updatedByAllowed: false,
    ...over,
  };
}

export function branchMirror(head: CommitSha): BranchMirror {
  return { kind: 'branch', branch: `feature/${taskId}`, sha: head };
}

export function visit(n: number, over: Partial<Visit> = {}): Visit {
  return {
    n,
    stage: 'analysis',
    startedAt: start,
    baseline: { sha: null, artifacts: { '01-brd.md': 'b1' }, codeTree: null },
    finished: null,
    approval: null,
    approved: null,
    askedAgain: 0,
    requests: 0,
    order: null,
    answers: [],
    bounce: false,
    ciSince: null,
    merge: null,
    why: 'intake',
    sections: [],
    ...over,
  };
}

export function newJob(over: Partial<NewJob> = {}): NewJob {
  return {
    kind: 'agent',
    role: 'analyst',
    taskId,
    projectId,
    cause: 'visit:1',
    repo,
    branch: `feature/${over.taskId ?? taskId}`,
    visit: 1,
    orders: { why: 'because', sections: [{ title: 'Findings', text: 'none' }] },
    command: null,
    timeoutMs: null,
    maxAttempts: 2,
    maxTransient: 5,
    maxInterruptions: 3,
    runCap: null,
    costCapMicros: null,
    availableAt: null,
    ...over,
  };
}

/** A job that belongs to no task, each on a branch of its own. */
export function adhoc(n: number, over: Partial<NewJob> = {}): NewJob {
  return newJob({ kind: 'adhoc', taskId: null, cause: `adhoc:${n}`, branch: `b${n}`, ...over });
}

export function message(sourceKey: string, over: Partial<NewMessage> = {}): NewMessage {
  const body: MessageBody = { kind: 'command', name: 'pause', by: 'operator' };
  return { taskId, sourceKey, body, ...over };
}

export function comment(key: string, text = 'a comment'): NewEffect {
  const notice = { taskId, title: text, body: { event: 'done' as const }, links: {} };
  return {
    key,
    lane: 'tracker:item',
    body: { kind: 'tracker.comment', projectId, itemId: 'item' as ItemId, notice },
    report: false,
  };
}

export function stateEffect(key: string, item = 'item'): NewEffect {
  return {
    key,
    lane: `tracker:${item}`,
    body: { kind: 'tracker.state', projectId, itemId: item as ItemId, phase: 'blocked' },
    report: true,
  };
}

/** A blocking hold. */
export function holdOn(cause: Hold['cause'], over: Partial<Hold> = {}): Hold {
  return {
    cause,
    blocking: true,
    owner: 'operator',
    text: 'it is held',
    clearedBy: 'an operator',
    command: `orch retry ${taskId}`,
    lift: 'rerun',
    phase: 'blocked',
    since: start,
    detail: {},
    ...over,
  };
}

export function outcome(over: Partial<RunOutcome> = {}): RunOutcome {
  return {
    kind: 'success',
    cause: 'success',
    detail: 'fine',
    exitCode: 0,
    resetAt: null,
    costMicros: null,
    tokens: null,
    sessionId: null,
    turns: null,
    result: null,
    tail: '',
    ...over,
  };
}

export function settlement(over: Partial<Settlement> = {}): Settlement {
  return { outcome: outcome(), publishedSha: null, next: { kind: 'done' }, message: null, ...over };
}

export function decision(of: Task, over: Partial<Decision> = {}): Decision {
  return {
    task: of,
    visit: null,
    jobs: [],
    cancelJobs: [],
    effects: [],
    handled: null,
    wakeAt: null,
    why: { rule: 'test.rule', sentence: 'it follows', cause: 'mirror', evidence: { head: 'a' } },
    ...over,
  };
}

/** What a worker says of itself; ready when nothing else is asked for. */
export function workerDetail(claiming: ClaimState = { kind: 'ready' }): WorkerDetail {
  return { concurrency: 1, runs: [], claiming };
}

export function observation(leader: NamedLease, over: Partial<Observation> = {}): Observation {
  return { leader, project: null, newTasks: [], mirrors: [], messages: [], ...over };
}

export async function lead(store: Store, owner = 'p1'): Promise<NamedLease> {
  return present(await store.acquireLease('poller', owner, 60_000));
}

/** Commits on top of what is stored now. */
export async function commitNow(store: Store, over: Partial<Decision> = {}, id = taskId): Promise<'ok' | 'stale'> {
  const snapshot = present(await store.load(id));
  return store.commit(id, snapshot.meta.version, decision(snapshot.task, over));
}

/** Cancels a job of a task as its pipeline does: by a decision. */
export async function cancelJob(store: Store, id: JobId): Promise<void> {
  const { taskId: owner } = present(await store.job(id));
  while ((await commitNow(store, { cancelJobs: [id] }, present(owner))) === 'stale');
}

export async function claimOn(
  store: Store,
  host = 'h1',
  over: { maxConcurrency?: number; owner?: string } = {},
): Promise<Claim | null> {
  return store.claim({ host, owner: `${host}|boot|1|1`, leaseMs: 60_000, maxConcurrency: 10, ...over });
}

export function present<T>(value: T | null | undefined): T {
  if (value === null || value === undefined) throw new Error('expected a value');
  return value;
}
