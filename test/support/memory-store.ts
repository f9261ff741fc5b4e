import type {
  Decision,
  DecisionRow,
  Delivery,
  Effect,
  EffectId,
  Job,
  JobId,
  Message,
  MessageBody,
  MessageId,
  Mirror,
  NewJob,
  Run,
  RunId,
  Snapshot,
  Store,
  Task,
  TaskMeta,
  Visit,
} from '../../src/core/model/index.ts';
import { mirrorKey } from '../../src/core/model/index.ts';
import { job as anyJob, repo, taskId } from './snapshots.ts';

type Held = Effect & { state: 'pending' | 'done' | 'dead' };

/** One task and all its rows as plain data: cloned for a second try of the same thing. */
export interface MemoryState {
  task: Task;
  meta: TaskMeta;
  awake: boolean;
  visits: Record<number, Visit>;
  messages: (Message & { handled: boolean })[];
  jobs: Job[];
  /** Open run of the running job. */
  run: Pick<Run, 'id' | 'baseSha'> | null;
  effects: Held[];
  mirrors: Record<string, Mirror>;
  checks: Snapshot['checks'];
  decisions: DecisionRow[];
  serial: number;
}

export function newMemory(task: Task): MemoryState {
  return {
    task,
    meta: { version: 0, wakeSeq: 1, wakeAt: null, runs: 0, spentMicros: 0, reservedMicros: 0 },
    awake: true,
    visits: {},
    messages: [],
    jobs: [],
    run: null,
    effects: [],
    mirrors: {},
    checks: [],
    decisions: [],
    serial: 0,
  };
}

export function liveJob(state: MemoryState): Job | null {
  return state.jobs.find((job) => ['queued', 'delayed', 'running'].includes(job.state)) ?? null;
}

export function wake(state: MemoryState): void {
  state.awake = true;
  state.meta.wakeSeq += 1;
}

/** Queues a message once per source key. */
export function post(state: MemoryState, sourceKey: string, body: MessageBody, now: number): boolean {
  if (state.messages.some((message) => message.sourceKey === sourceKey)) return false;
  state.serial += 1;
  const id = String(state.serial) as MessageId;
  state.messages.push({ id, taskId, sourceKey, body: structuredClone(body), createdAt: now, handled: false });
  wake(state);
  return true;
}

export function observe(state: MemoryState, mirrors: Mirror[]): void {
  for (const mirror of mirrors) {
    const key = `${mirror.kind}:${mirrorKey(mirror)}`;
    if (JSON.stringify(state.mirrors[key]) === JSON.stringify(mirror)) continue;
    state.mirrors[key] = mirror;
    wake(state);
  }
}

function mirror(state: MemoryState, kind: string, key: string): never {
  return (structuredClone(state.mirrors[`${kind}:${key}`]) ?? null) as never;
}

function snapshotOf(state: MemoryState): Snapshot {
  const { task } = state;
  const message = state.messages.find((candidate) => !candidate.handled) ?? null;
  const pr = task.prNumber === null ? '' : String(task.prNumber);
  return structuredClone({
    task,
    meta: state.meta,
    visit: state.visits[task.visit] ?? null,
    message,
    liveJob: liveJob(state),
    checks: state.checks,
    item: mirror(state, 'item', ''),
    branch: mirror(state, 'branch', task.branch),
    pr: mirror(state, 'pr', pr),
    usualAnalystMinutes: null,
  });
}

function queue(state: MemoryState, asked: NewJob, now: number): void {
  if (state.jobs.some((job) => job.cause === asked.cause)) return;
  const live = liveJob(state);
  if (live !== null) throw new Error(`"${asked.cause}" cannot be queued beside ${live.cause}`);
  state.serial += 1;
  const made: Job = { ...anyJob(), ...asked, repo, id: String(state.serial) as JobId } as Job;
  state.jobs.push({ ...made, state: 'queued', availableAt: asked.availableAt ?? now, cancelRequested: false });
}

function cancel(state: MemoryState, id: JobId): void {
  const job = state.jobs.find((candidate) => candidate.id === id);
  if (job === undefined) throw new Error(`there is no job ${id}`);
  if (job.state === 'running') job.cancelRequested = true;
  else if (job.state === 'queued' || job.state === 'delayed') job.state = 'cancelled';
}

function apply(state: MemoryState, decision: Decision, now: number): void {
  const from = state.task.stage;
  if (decision.handled !== null) {
    const oldest = state.messages.find((message) => !message.handled);
    if (oldest?.id !== decision.handled) throw new Error('another message than the oldest was handled');
    oldest.handled = true;
  }
  state.task = structuredClone(decision.task);
  state.meta.version += 1;
  wake(state);
  if (decision.visit !== null) state.visits[decision.visit.n] = structuredClone(decision.visit);
  decision.cancelJobs.forEach((id) => cancel(state, id));
  decision.jobs.forEach((asked) => queue(state, asked, now));
  for (const effect of decision.effects) {
    if (state.effects.some((known) => known.key === effect.key)) throw new Error(`effect ${effect.key} came twice`);
    state.serial += 1;
    const id = String(state.serial) as EffectId;
    state.effects.push({
      ...structuredClone(effect),
      id,
      taskId,
      attempts: 0,
      lastError: null,
      createdAt: now,
      state: 'pending',
    });
  }
  state.decisions.push({
    id: String(state.decisions.length),
    taskId,
    at: now,
    fromStage: from,
    toStage: decision.task.stage,
    version: state.meta.version,
    holdCause: decision.task.hold?.cause ?? null,
    why: decision.why,
  });
}

/** Undelivered effects that stand first in their lanes. */
export function laneHeads(state: MemoryState): Held[] {
  const pending = state.effects.filter((effect) => effect.state === 'pending');
  return pending.filter((effect) => pending.find((other) => other.lane === effect.lane) === effect);
}

/** What the store does with a delivery: a refusal always reports, a success when it was asked for. */
export function settleEffect(state: MemoryState, effect: Held, delivery: Delivery, now: number): void {
  effect.attempts += 1;
  if (delivery.kind === 'retry') return;
  effect.state = delivery.kind;
  if (delivery.kind === 'done' && !effect.report) return;
  const body: MessageBody = {
    kind: 'effect_settled',
    effectId: effect.id,
    effect: effect.body.kind,
    key: effect.key,
    ok: delivery.kind === 'done',
    result: delivery.result ?? {},
    error: delivery.kind === 'dead' ? delivery.error : null,
  };
  post(state, `effect:${effect.id}:${effect.attempts}`, body, now);
}

/** Starts the live job when it may run; over the cap it is refused, and the task is told. */
export function claim(state: MemoryState, head: Run['baseSha'], now: number): Job | null {
  const job = liveJob(state);
  if (job === null || job.state === 'running' || state.task.paused) return null;
  if (job.state === 'delayed' && job.availableAt > now) return null;
  if (job.runCap !== null && state.meta.runs >= job.runCap) {
    job.state = 'failed';
    post(state, `refused:${job.id}`, { kind: 'job_refused', jobId: job.id, role: job.role, reason: 'run_cap' }, now);
    return null;
  }
  job.state = 'running';
  state.meta.runs += 1;
  state.serial += 1;
  state.run = { id: String(state.serial) as RunId, baseSha: head };
  return job;
}

/** Hooks of one try: what a test wants to happen around a commit. */
export interface Around {
  before?: (decision: Decision) => Promise<void> | void;
  after?: (decision: Decision) => void;
  rest?: () => void;
}

/** The part of the store that a reconcile uses, with its semantics: version, oldest message, one live job, wake sequence. */
export function storeOver(get: () => MemoryState, now: () => number, around: Around = {}): Store {
  const store: Pick<Store, 'now' | 'load' | 'commit' | 'rest'> = {
    now,
    load: () => Promise.resolve(snapshotOf(get())),
    commit: async (_id, expected, decision) => {
      await around.before?.(decision);
      if (get().meta.version !== expected) return 'stale';
      apply(get(), decision, now());
      around.after?.(decision);
      return 'ok';
    },
    rest: async (_id, seenWake, wakeAt) => {
      await Promise.resolve();
      around.rest?.();
      const state = get();
      if (state.meta.wakeSeq === seenWake) {
        state.awake = false;
        state.meta.wakeAt = wakeAt;
      }
    },
  };
  return store as Store;
}
