import type { JobId, JobNext, NewJob, RunId, RunOutcome, Store } from '../../src/core/model/index.ts';
import { OrchError } from '../../src/core/model/index.ts';
import { nextAfter } from '../../src/core/queue/budgets.ts';
import { defaultBackoff, runWaits } from '../../src/core/platform/retry.ts';
import { adhoc, cancelJob, message, newJob, outcome, task } from '../store/bench.ts';
import * as queue from './queue-model.ts';
import type { Model, ModelJob, Ticket } from './queue-model.ts';
import { leaseMs, limits, minute, taskIds } from './queue-steps.ts';
import type { Step } from './queue-steps.ts';

/** What a step asks of the store, and what the model says to it; both answer in the same words. */
export interface Act {
  real: (store: Store) => Promise<unknown>;
  model: (model: Model) => unknown;
}

export interface Table {
  model: Model;
  /** Every lease that was ever given out; most are out of date. */
  tickets: Ticket[];
  workers: { host: string; owner: string }[];
}

function pick<T>(from: readonly T[], choice: number): T | undefined {
  return from.length === 0 ? undefined : from[choice % from.length];
}

/** Fresh leases first: a late worker is the exception. */
function ticketOf(table: Table, choice: number): Ticket | undefined {
  const fresh = table.tickets.filter((ticket) =>
    table.model.jobs.some((job) => job.id === ticket.jobId && job.state === 'running' && job.token === ticket.token),
  );
  return fresh.length > 0 && choice < 5 ? pick(fresh, choice) : pick(table.tickets.toReversed(), choice);
}

export const leaseOf = (ticket: Ticket) => ({
  jobId: String(ticket.jobId) as JobId,
  runId: String(ticket.runId) as RunId,
  owner: ticket.owner,
  token: ticket.token,
});

/** Null where the step has nothing to act on. The clock, deaths and reclaims are the table's own business. */
export function actOf(step: Step, table: Table): Act | null {
  switch (step.do) {
    case 'enqueue':
      return enqueueAct(jobOf(step, table.model.now));
    case 'claim': {
      const worker = pick(table.workers, step.worker);
      return worker === undefined ? null : claimAct(worker);
    }
    case 'cancel': {
      const job = pick(table.model.jobs, step.job);
      // A job of no task is cancelled by nobody.
      return job === undefined || job.taskId === null
        ? null
        : {
            real: (store) => cancelJob(store, String(job.id) as JobId),
            model: (model) => queue.cancel(model, job.id),
          };
    }
    case 'pause':
      return pauseAct(pick(taskIds, step.task) ?? 'ET-001', step.paused);
    case 'renew':
    case 'publish':
    case 'settle':
    case 'takeOver': {
      const ticket = ticketOf(table, step.lease);
      return ticket === undefined ? null : leasedAct(step, ticket, table);
    }
    default:
      return null;
  }
}

function jobOf(step: Extract<Step, { do: 'enqueue' }>, now: number): NewJob {
  const availableAt = step.delay === null ? null : now + step.delay;
  const cause = `cause:${step.cause}`;
  const taskId = taskIds[step.task];
  // A job without a task may work on a task's branch all the same.
  if (taskId === undefined) return adhoc(step.cause, { cause, availableAt, branch: `feature/ET-00${step.cause}` });
  return newJob({ ...task({ id: taskId as never }), taskId: taskId as never, cause, availableAt, ...caps(step) });
}

function caps({ runCap, costCap }: { runCap: number | null; costCap: number | null }): Partial<NewJob> {
  return { runCap, costCapMicros: costCap };
}

function enqueueAct(asked: NewJob): Act {
  return {
    real: async (store) => {
      try {
        const { job, created } = await store.enqueue(asked);
        return { id: Number(job.id), created };
      } catch (error) {
        if (error instanceof OrchError || !/live job/.test(String(error))) throw error;
        return 'refused';
      }
    },
    model: (model) => queue.enqueue(model, asked),
  };
}

function claimAct({ host, owner }: { host: string; owner: string }): Act {
  const limit = limits[host] ?? 1;
  return {
    real: async (store) => {
      const found = await store.claim({ host, owner, leaseMs, maxConcurrency: limit });
      if (found === null) return null;
      const { lease, budgetMicros: budget } = found;
      return { jobId: Number(lease.jobId), runId: Number(lease.runId), owner, token: lease.token, budget };
    },
    model: (model) => queue.claim(model, { host, owner, leaseMs, limit }),
  };
}

function pauseAct(taskId: string, paused: boolean): Act {
  return {
    real: async (store) => {
      for (;;) {
        const seen = await store.load(taskId as never);
        if (seen === null) throw new Error(`no task ${taskId}`);
        const why = { rule: 'test.pause', sentence: 'paused', cause: 'command', evidence: {} } as const;
        const rest = { visit: null, jobs: [], cancelJobs: [], effects: [], handled: null, wakeAt: null, why };
        const decision = { task: { ...seen.task, paused }, ...rest };
        if ((await store.commit(seen.task.id, seen.meta.version, decision)) === 'ok') return;
      }
    },
    model: (model) => {
      const row = model.tasks[taskId];
      if (row !== undefined) row.paused = paused;
    },
  };
}

function leasedAct(
  step: Extract<Step, { do: 'renew' | 'publish' | 'settle' | 'takeOver' }>,
  ticket: Ticket,
  table: Table,
): Act | null {
  const lease = leaseOf(ticket);
  if (step.do === 'renew')
    return {
      real: (store) => store.renew(lease, leaseMs),
      model: (model) => queue.renew(model, ticket, leaseMs),
    };
  if (step.do === 'publish')
    return {
      real: (store) => store.patchRun(lease, { phase: 'publishing' }),
      model: (model) => queue.publish(model, ticket),
    };
  if (step.do === 'takeOver') {
    // Only within a host: what a run left there, another host cannot reach.
    const host = table.model.runs.find((run) => run.id === ticket.runId)?.host;
    const worker = pick(
      table.workers.filter((one) => one.host === host),
      step.worker,
    );
    return worker === undefined ? null : takeOverAct(ticket, worker.owner);
  }
  const job = table.model.jobs.find((one) => one.id === ticket.jobId);
  return job === undefined ? null : settleAct(step, ticket, job, table.model);
}

export function takeOverAct(ticket: Ticket, owner: string): Act {
  return {
    real: async (store) => {
      const taken = await store.takeOver(leaseOf(ticket), owner, leaseMs);
      if (taken === null) return null;
      const { lease } = taken;
      return { jobId: Number(lease.jobId), runId: Number(lease.runId), owner: lease.owner, token: lease.token };
    },
    model: (model) => queue.takeOver(model, ticket, owner, leaseMs),
  };
}

function settleAct(step: Extract<Step, { do: 'settle' }>, ticket: Ticket, job: ModelJob, model: Model): Act {
  const run = model.runs.find((one) => one.id === ticket.runId);
  const cost = step.cost === null ? null : Math.min(step.cost, run?.budget ?? step.cost);
  const resetAt = step.wait === null ? null : model.now + step.wait;
  const ended = outcome({ kind: step.kind, cause: 'exit_status', costMicros: cost, resetAt });
  const random = ((step.cost ?? 0) % 100) / 100;
  const counted = { ...job, maxAttempts: 2, maxTransient: 5, maxInterruptions: 3 };
  const next = nextAfter(
    { ...counted, cancelRequested: step.sawCancel && job.cancel, createdAt: model.now },
    ended,
    model.now,
    runWaits(defaultBackoff, random),
  ).next;
  checkNext(next, job, ended, step.sawCancel && job.cancel, model.now);
  const key = `run:${ticket.runId}`;
  const said = job.taskId === null || next.kind === 'again' ? null : message(key, { taskId: job.taskId as never });
  return {
    real: (store) => store.settle(leaseOf(ticket), { outcome: ended, publishedSha: null, next, message: said }),
    model: (state) => queue.settle(state, ticket, { kind: step.kind, next, cost }),
  };
}

/** What may follow a run (spec 6): two runs, five transient retries, three interruptions; waits that are never short. */
function checkNext(next: JobNext, job: ModelJob, ended: RunOutcome, stop: boolean, now: number): void {
  const fail = (): never => {
    throw new Error(`after ${ended.kind} with ${JSON.stringify(job)} follows ${JSON.stringify(next)}`);
  };
  const again = (spend: string, earliest: number, latest: number): void => {
    if (next.kind !== 'again' || next.spend !== spend) return fail();
    if (next.availableAt < earliest || next.availableAt > latest) fail();
  };
  const ends = (kind: JobNext['kind']): void => (next.kind === kind ? undefined : fail());
  const asked = Math.max(0, (ended.resetAt ?? now) - now);
  if (ended.kind === 'success') return ends('done');
  if (ended.kind === 'cancelled' || stop) return ends('cancelled');
  if (ended.kind === 'transient') {
    const wait = Math.max(Math.min(2 ** (job.transient + 1) * 10_000, 600_000), asked);
    return job.transient < 5 ? again('transient', now + wait, now + 1.1 * wait + 1) : ends('failed');
  }
  if (ended.kind === 'interrupted') return job.interruptions < 3 ? again('interruption', now, now) : ends('failed');
  if (ended.kind === 'usage_limit') return again('nothing', now + asked, now + asked + 6 * minute);
  if (ended.kind === 'authentication') return again('nothing', now, now + 5 * minute);
  return job.attempts < 1 ? again('attempt', now, now) : ends('failed');
}
