import type { JobNext, JobState, NewJob, OutcomeKind } from '../../src/core/model/index.ts';

/*
 * The queue as the specification tells it (spec 6, invariants 5 to 7), in plain data: what the driver is compared with.
 * Nothing here is taken from the driver, and nothing but types from the product.
 */

export interface ModelJob {
  id: number;
  kind: NewJob['kind'];
  taskId: string | null;
  cause: string;
  branch: string;
  runCap: number | null;
  costCap: number | null;
  state: JobState;
  availableAt: number;
  attempts: number;
  transient: number;
  interruptions: number;
  cancel: boolean;
  owner: string | null;
  token: number;
  expires: number | null;
}

interface ModelRun {
  id: number;
  jobId: number;
  attempt: number;
  token: number;
  host: string;
  phase: 'preparing' | 'publishing' | 'settled';
  budget: number | null;
}

interface ModelTask {
  paused: boolean;
  runs: number;
  spent: number;
  reserved: number;
}

export interface Model {
  now: number;
  jobs: ModelJob[];
  runs: ModelRun[];
  tasks: Record<string, ModelTask>;
  /** Source keys of the messages of the tasks, in order. */
  messages: string[];
}

/** What a worker holds: it may be out of date, and its holder need not know. */
export interface Ticket {
  jobId: number;
  runId: number;
  owner: string;
  token: number;
}

export interface ModelClaim extends Ticket {
  budget: number | null;
}

const live: JobState[] = ['queued', 'delayed', 'running'];

export function enqueue(model: Model, asked: NewJob): { id: number; created: boolean } | 'refused' {
  const known = model.jobs.find((job) => job.taskId === asked.taskId && job.cause === asked.cause);
  if (known !== undefined) return { id: known.id, created: false };
  if (asked.taskId !== null && model.jobs.some((job) => job.taskId === asked.taskId && live.includes(job.state)))
    return 'refused';
  const availableAt = asked.availableAt ?? model.now;
  const id = model.jobs.length + 1;
  model.jobs.push({
    id,
    kind: asked.kind,
    taskId: asked.taskId,
    cause: asked.cause,
    branch: asked.branch,
    runCap: asked.runCap,
    costCap: asked.costCapMicros,
    state: availableAt > model.now ? 'delayed' : 'queued',
    availableAt,
    attempts: 0,
    transient: 0,
    interruptions: 0,
    cancel: false,
    owner: null,
    token: 0,
    expires: null,
  });
  return { id, created: true };
}

export function claim(
  model: Model,
  request: { host: string; owner: string; leaseMs: number; limit: number },
): ModelClaim | null {
  const taken = model.runs.filter((run) => run.host === request.host && run.phase === 'preparing').length;
  if (taken >= request.limit) return null;
  // What was once due stays due, also when the clock is set back.
  for (const job of model.jobs) if (job.state === 'delayed' && job.availableAt <= model.now) job.state = 'queued';
  const waiting = model.jobs
    .filter((job) => job.state === 'queued')
    .toSorted((a, b) => a.availableAt - b.availableAt || a.id - b.id);
  for (const job of waiting) {
    const task = job.taskId === null ? null : (model.tasks[job.taskId] ?? null);
    const busy = model.jobs.some((other) => other.state === 'running' && other.branch === job.branch);
    if (task?.paused === true || busy) continue;
    if (task === null || !overCap(job, task)) return begin(model, job, task, request);
    job.state = 'failed';
    model.messages.push(`job_refused:${job.id}`);
  }
  return null;
}

function capped(job: ModelJob): boolean {
  return job.costCap !== null && job.kind !== 'check';
}

function overCap(job: ModelJob, task: ModelTask): boolean {
  if (job.runCap !== null && task.runs >= job.runCap) return true;
  return capped(job) && task.spent + task.reserved >= (job.costCap ?? 0);
}

function begin(
  model: Model,
  job: ModelJob,
  task: ModelTask | null,
  { owner, host, leaseMs }: { owner: string; host: string; leaseMs: number },
): ModelClaim {
  const budget = task !== null && capped(job) ? (job.costCap ?? 0) - task.spent - task.reserved : null;
  Object.assign(job, { state: 'running', owner, token: job.token + 1, expires: model.now + leaseMs });
  const attempt = model.runs.filter((run) => run.jobId === job.id).length + 1;
  const id = model.runs.length + 1;
  model.runs.push({ id, jobId: job.id, attempt, token: job.token, host, phase: 'preparing', budget });
  if (task !== null) {
    task.runs += 1;
    task.reserved += budget ?? 0;
  }
  return { jobId: job.id, runId: id, owner, token: job.token, budget };
}

/** The job of a ticket that still counts; null for a late worker's. */
function held(model: Model, ticket: Ticket): ModelJob | null {
  const job = model.jobs.find((one) => one.id === ticket.jobId);
  return job?.state === 'running' && job.token === ticket.token ? job : null;
}

export function renew(model: Model, ticket: Ticket, leaseMs: number): { cancelRequested: boolean } | 'lost' {
  const job = held(model, ticket);
  if (job === null) return 'lost';
  job.expires = model.now + leaseMs;
  return { cancelRequested: job.cancel };
}

export function publish(model: Model, ticket: Ticket): 'ok' | 'lost' {
  const run = model.runs.find((one) => one.id === ticket.runId);
  if (held(model, ticket) === null || run === undefined) return 'lost';
  run.phase = 'publishing';
  return 'ok';
}

export function takeOver(model: Model, ticket: Ticket, owner: string, leaseMs: number): Ticket | null {
  const job = held(model, ticket);
  const run = model.runs.find((one) => one.id === ticket.runId);
  if (job === null || run === undefined) return null;
  Object.assign(job, { owner, token: job.token + 1, expires: model.now + leaseMs });
  run.token = job.token;
  return { ...ticket, owner, token: job.token };
}

export function cancel(model: Model, jobId: number): void {
  const job = model.jobs.find((one) => one.id === jobId);
  if (job?.state === 'running') job.cancel = true;
  if (job?.state === 'queued' || job?.state === 'delayed') job.state = 'cancelled';
}

const spends: Record<OutcomeKind, 'attempts' | 'transient' | 'interruptions' | null> = {
  success: null,
  own_fault: 'attempts',
  timeout: 'attempts',
  budget: 'attempts',
  transient: 'transient',
  interrupted: 'interruptions',
  usage_limit: null,
  authentication: null,
  cancelled: null,
};

/** The settlement as far as the queue has to do with it. */
export interface ModelEnd {
  kind: OutcomeKind;
  next: JobNext;
  cost: number | null;
}

export function settle(model: Model, ticket: Ticket, end: ModelEnd): 'ok' | 'lost' {
  const job = held(model, ticket);
  const run = model.runs.find((one) => one.id === ticket.runId);
  if (job === null || run === undefined || run.phase === 'settled') return 'lost';
  run.phase = 'settled';
  Object.assign(job, { owner: null, expires: null });
  const spent = spends[end.kind];
  if (spent !== null && end.next.kind !== 'cancelled') job[spent] += 1;
  if (end.next.kind !== 'again') {
    job.state = end.next.kind;
  } else {
    // A wish to stop that the worker had not seen yet still counts.
    job.availableAt = job.cancel ? job.availableAt : end.next.availableAt;
    job.state = job.cancel ? 'cancelled' : end.next.availableAt > model.now ? 'delayed' : 'queued';
  }
  if (job.taskId === null) return 'ok';
  const task = model.tasks[job.taskId];
  if (task !== undefined) {
    task.reserved -= run.budget ?? 0;
    task.spent += end.cost ?? run.budget ?? 0;
  }
  if (end.next.kind !== 'again') model.messages.push(`run:${run.id}`);
  return 'ok';
}
