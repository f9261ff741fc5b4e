import type { Store } from '../model/index.ts';
import type { Clock } from '../platform/clock.ts';
import type { Driver, Query } from './query.ts';
import { agentBreaker } from './statements/agent-breaker.ts';
import { anyDue, claimJob, mayClaim } from './statements/claim.ts';
import { applyDecision, queueEffect, queueJob } from './statements/commit.ts';
import { claimEffect, reviveEffects, settleEffect } from './statements/deliver.ts';
import { dropProject } from './statements/drop.ts';
import { identity } from './statements/identity.ts';
import { jobs } from './statements/jobs.ts';
import { patchRun, renewLease, runningJobs, settleLease, takeOver } from './statements/leased.ts';
import { followClock } from './statements/clock.ts';
import { leases, processes } from './statements/leases.ts';
import { loadSnapshot } from './statements/load.ts';
import { messages } from './statements/messages.ts';
import { mirrors } from './statements/mirrors.ts';
import { applyObservation, differs } from './statements/observe.ts';
import { decodeEffect, outbox } from './statements/outbox.ts';
import { packed } from './statements/packed.ts';
import { projects } from './statements/projects.ts';
import { decisions, effects, taskRow, taskRows, totals } from './statements/read-models.ts';
import { moveRepository } from './statements/repository.ts';
import { requestLedger } from './statements/requests.ts';
import { runs } from './statements/runs.ts';
import { tasks } from './statements/tasks.ts';
import { visits } from './statements/visits.ts';

type Now = () => number;

/** The store port over one database: every method is one transaction of statement bodies. */
export function createStore(driver: Driver, clock: Clock): Store {
  const now: Now = () => clock.now();
  return {
    now,
    onChange: (listener) => driver.onChange(listener),
    close: () => driver.close(),
    requests: requestLedger(driver, now),
    identity: () => driver.read(() => identity()),
    ...pollingMethods(driver, now),
    ...reconcileMethods(driver, now),
    ...queueMethods(driver, now),
    ...outboxMethods(driver, now),
    ...processMethods(driver, now),
    ...retentionMethods(driver, now),
    ...readMethods(driver),
  };
}

function pollingMethods({ read, write }: Driver, now: Now) {
  return {
    project: (projectId) => read(() => projects.get(projectId)),
    observe: async (seen) => {
      const first = await read(function* (): Query<'lost' | 'same' | 'differs'> {
        if (seen.leader !== null && !(yield* leases.holds(seen.leader, now()))) return 'lost';
        return (yield* differs(seen)) ? 'differs' : 'same';
      });
      if (first === 'lost') return 'lost';
      if (first === 'same') return { woken: [] };
      return write(function* () {
        if (seen.leader !== null && !(yield* leases.holds(seen.leader, now()))) return 'lost';
        return { woken: yield* applyObservation(seen, now()) };
      });
    },
    acquireLease: (name, owner, ttlMs) =>
      write(function* () {
        yield* followClock(now());
        return yield* leases.acquire(name, owner, ttlMs, now());
      }),
    releaseLease: (lease) => write(() => leases.release(lease)),
    leases: () => read(() => leases.list()),
    post: (message) =>
      write(function* () {
        yield* packed.unpack(message.taskId);
        return yield* messages.post(message, now());
      }),
    moveRepository: (projectId, from, to) => write(() => moveRepository(projectId, from, to, now())),
    addTask: (task, mirror) =>
      write(function* () {
        if (!(yield* tasks.insert(task, now()))) return false;
        yield* mirrors.put(task.id, mirror, now());
        return true;
      }),
  } satisfies Partial<Store>;
}

function reconcileMethods({ read, write }: Driver, now: Now) {
  return {
    dueTasks: (limit, projects) => read(() => tasks.due(now(), limit, projects)),
    asleep: () => read(() => tasks.asleep()),
    wake: (taskId) =>
      write(function* () {
        yield* packed.unpack(taskId);
        yield* tasks.wake(taskId, now());
      }),
    dropProject: (projectId, by) => write(() => dropProject(projectId, by, now())),
    load: (taskId) => read(() => loadSnapshot(taskId)),
    commit: (taskId, expectedVersion, decision) => write(() => applyDecision(taskId, expectedVersion, decision, now())),
    rest: (taskId, seenWake, wakeAt) => write(() => tasks.rest(taskId, seenWake, wakeAt)),
  } satisfies Partial<Store>;
}

function queueMethods({ read, write }: Driver, now: Now) {
  return {
    enqueue: (job) => write(() => queueJob(job, now())),
    claim: async (request) =>
      (await read(() => mayClaim(request, now()))) ? write(() => claimJob(request, now())) : null,
    hasDueJob: (projects) => read(() => anyDue(now(), projects)),
    renew: (lease, leaseMs) => write(() => renewLease(lease, leaseMs, now())),
    patchRun: (lease, patch) => write(() => patchRun(lease, patch)),
    settle: (lease, settlement) => write(() => settleLease(lease, settlement, now())),
    runningJobs: (host) => read(() => runningJobs(host)),
    takeOver: (lease, newOwner, leaseMs) => write(() => takeOver(lease, newOwner, leaseMs, now())),
  } satisfies Partial<Store>;
}

function outboxMethods({ read, write }: Driver, now: Now) {
  return {
    claimEffect: async (owner, leaseMs, projects) => {
      // Looked at first without the write lock: an empty outbox is the usual case.
      const due = await read(() => outbox.nextDue());
      if (due === null || due > now()) return null;
      const claimed = await write(() => claimEffect(owner, leaseMs, now(), projects));
      if (claimed === null) return null;
      const { row, isFirst } = claimed;
      return { effect: decodeEffect(row), token: row.lease_token, isFirst };
    },
    settleEffect: (effectId, token, delivery) => write(() => settleEffect(effectId, token, delivery, now())),
    reviveEffects: (taskId) => write(() => reviveEffects(taskId, now())),
    effectsInFlight: async () =>
      (await read(() => outbox.onTheirWay())).map((row) => ({
        effect: decodeEffect(row),
        token: row.lease_token,
        owner: row.lease_owner ?? '',
        expiresAt: row.lease_expires_at ?? 0,
      })),
    announce: (notices) =>
      write(function* () {
        for (const effect of notices) yield* queueEffect({ ...effect, report: false }, null, now());
      }),
  } satisfies Partial<Store>;
}

function processMethods({ read, write }: Driver, now: Now) {
  return {
    agentBreaker: () => read(() => agentBreaker.get()),
    setAgentBreaker: (next) => write(() => agentBreaker.set(next)),
    heartbeat: (report) =>
      write(function* () {
        yield* followClock(now());
        yield* processes.beat(report, now());
      }),
    processes: () => read(() => processes.list()),
  } satisfies Partial<Store>;
}

function retentionMethods({ read, write }: Driver, now: Now) {
  return {
    endedTasks: (before, limit) => read(() => tasks.ended(before, limit)),
    packTask: (taskId, before) => write(() => packed.pack(taskId, before, now())),
    // A look first: most days there is nothing, and a database that is locked can be read.
    forgetEffects: async (before, limit) =>
      (await read(() => outbox.hasLoose(before))) ? write(() => outbox.forgetLoose(before, limit)) : 0,
  } satisfies Partial<Store>;
}

function readMethods({ read }: Driver) {
  return {
    task: (taskId) => read(() => taskRow(taskId)),
    taskOfItem: (itemId) => read(() => tasks.ofItem(itemId)),
    tasks: (filter) => read(() => taskRows(filter)),
    visits: (taskId) => read(() => visits.ofTask(taskId)),
    decisions: (filter) => read(() => decisions(filter)),
    job: (jobId) => read(() => jobs.find(jobId)),
    run: (runId) => read(() => runs.find(runId)),
    runs: (filter) => read(() => runs.list(filter)),
    runEnds: (runIds) => read(() => runs.ends(runIds)),
    queueCounts: () => read(() => jobs.counts()),
    recentJobs: (limit) => read(() => jobs.recent(limit)),
    effects: (filter) => read(() => effects(filter)),
    totals: () => read(() => totals()),
  } satisfies Partial<Store>;
}
