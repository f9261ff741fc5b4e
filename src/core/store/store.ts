import type { Store } from '../model/index.ts';
import type { Clock } from '../platform/clock.ts';
import { agentBreakerStatements } from './agent-breaker.ts';
import { anyDue, claimJob, mayClaim } from './claim.ts';
import { applyDecision, queueEffect, queueJob } from './commit.ts';
import type { Connection } from './connection.ts';
import { reviveEffects, settleEffect } from './deliver.ts';
import { families, postMessage } from './families.ts';
import type { Families } from './families.ts';
import { patchRun, renewLease, runningJobs, settleLease, takeOver } from './leased.ts';
import { leaseStatements, processStatements } from './leases.ts';
import { loadSnapshot } from './load.ts';
import { applyObservation, differs } from './observe.ts';
import { decodeEffect } from './outbox.ts';
import { projectStatements } from './projects.ts';
import { readModels } from './read-models.ts';
import { decodeRun } from './runs.ts';

/** One group of the port's methods over one connection. */
interface Parts {
  connection: Connection;
  f: Families;
  now: () => number;
}

/** The SQLite driver of the store port: every method is one transaction of the statement families. */
export function sqliteStore(connection: Connection, clock: Clock): Store {
  const parts: Parts = { connection, f: families(connection.sql), now: () => clock.now() };
  return {
    now: parts.now,
    close: () => {
      connection.close();
      return Promise.resolve();
    },
    ...pollingMethods(parts),
    ...reconcileMethods(parts),
    ...queueMethods(parts),
    ...outboxMethods(parts),
    ...processMethods(parts),
    ...readMethods(parts),
  };
}

function pollingMethods({ connection: { read, write, sql }, f, now }: Parts) {
  const projects = projectStatements(sql);
  const leases = leaseStatements(sql);
  return {
    project: (projectId) => read(() => projects.get(projectId)),
    observe: async (seen) => {
      const look = (): 'lost' | 'same' | 'differs' => {
        if (!leases.holds(seen.leader, now())) return 'lost';
        return differs(f, projects, seen) ? 'differs' : 'same';
      };
      const first = await read(look);
      if (first === 'lost') return 'lost';
      if (first === 'same') return { woken: [] };
      return write(() =>
        leases.holds(seen.leader, now()) ? { woken: applyObservation(f, projects, seen, now()) } : 'lost',
      );
    },
    acquireLease: (name, owner, ttlMs) => write(() => leases.acquire(name, owner, ttlMs, now())),
    releaseLease: (lease) => write(() => leases.release(lease)),
    leases: () => read(() => leases.list()),
    post: (message) => write(() => postMessage(f, message, now())),
    addTask: (task, mirror) =>
      write(() => {
        if (!f.tasks.insert(task, now())) return false;
        f.mirrors.put(task.id, mirror, now());
        return true;
      }),
  } satisfies Partial<Store>;
}

function reconcileMethods({ connection: { read, write }, f, now }: Parts) {
  return {
    dueTasks: (limit) => read(() => f.tasks.due(now(), limit)),
    load: (taskId) => read(() => loadSnapshot(f, taskId)),
    commit: (taskId, expectedVersion, decision) =>
      write(() => applyDecision(f, taskId, expectedVersion, decision, now())),
    rest: (taskId, seenWake, wakeAt) => write(() => f.tasks.rest(taskId, seenWake, wakeAt)),
  } satisfies Partial<Store>;
}

function queueMethods({ connection: { read, write }, f, now }: Parts) {
  return {
    enqueue: (job) => write(() => queueJob(f, job, now())),
    claim: async (request) =>
      (await read(() => mayClaim(f, request, now()))) ? write(() => claimJob(f, request, now())) : null,
    hasDueJob: () => read(() => anyDue(f, now())),
    renew: (lease, leaseMs) => write(() => renewLease(f, lease, leaseMs, now())),
    patchRun: (lease, patch) => write(() => patchRun(f, lease, patch)),
    settle: (lease, settlement) => write(() => settleLease(f, lease, settlement, now())),
    runningJobs: (host) => read(() => runningJobs(f, host)),
    takeOver: (lease, newOwner, leaseMs) => write(() => takeOver(f, lease, newOwner, leaseMs, now())),
  } satisfies Partial<Store>;
}

function outboxMethods({ connection: { read, write }, f, now }: Parts) {
  return {
    claimEffect: async (owner, leaseMs) => {
      // Looked at first without the write lock: an empty outbox is the usual case.
      const due = await read(() => f.outbox.nextDue());
      if (due === null || due > now()) return null;
      const row = await write(() => f.outbox.claim(owner, leaseMs, now()));
      return row === null ? null : { effect: decodeEffect(row), token: row.lease_token };
    },
    settleEffect: (effectId, token, delivery) => write(() => settleEffect(f, effectId, token, delivery, now())),
    reviveEffects: (taskId) => write(() => reviveEffects(f, taskId)),
    effectsInFlight: () =>
      read(() =>
        f.outbox.onTheirWay().map((row) => ({
          effect: decodeEffect(row),
          token: row.lease_token,
          owner: row.lease_owner ?? '',
          expiresAt: row.lease_expires_at ?? 0,
        })),
      ),
    announce: (effects) =>
      write(() => {
        for (const effect of effects) queueEffect(f, { ...effect, report: false }, null, now());
      }),
  } satisfies Partial<Store>;
}

function processMethods({ connection: { read, write, sql }, now }: Parts) {
  const breaker = agentBreakerStatements(sql);
  const processes = processStatements(sql);
  return {
    agentBreaker: () => read(() => breaker.get()),
    setAgentBreaker: (next) => write(() => breaker.set(next)),
    heartbeat: (row) => write(() => processes.beat(row, now())),
    processes: () => read(() => processes.list()),
  } satisfies Partial<Store>;
}

function readMethods({ connection: { read }, f }: Parts) {
  const models = readModels(f);
  return {
    task: (taskId) => read(() => models.task(taskId)),
    taskOfItem: (itemId) => read(() => models.taskOfItem(itemId)),
    tasks: (filter) => read(() => models.tasks(filter)),
    visits: (taskId) => read(() => f.visits.ofTask(taskId)),
    decisions: (filter) => read(() => models.decisions(filter)),
    job: (jobId) => read(() => f.jobs.find(jobId)),
    run: (runId) =>
      read(() => {
        const row = f.runs.find(runId);
        return row === null ? null : decodeRun(row);
      }),
    runs: (filter) => read(() => f.runs.list(filter)),
    runEnds: (runIds) => read(() => f.runs.ends(runIds)),
    queueCounts: () => read(() => f.jobs.counts()),
    recentJobs: (limit) => read(() => f.jobs.recent(limit)),
    effects: (filter) => read(() => models.effects(filter)),
    totals: () => read(() => models.totals()),
  } satisfies Partial<Store>;
}
