import type { Job, JobState, NewJob, NewMessage, Run, RunPhase, TaskId, TaskMeta } from '../model/index.ts';
import { sessionIdOf } from '../model/index.ts';

/** What the caps of a task are compared with. */
export type TaskUse = Pick<TaskMeta, 'runs' | 'spentMicros' | 'reservedMicros'>;

type Capped = Pick<Job, 'kind' | 'runCap' | 'costCapMicros'>;

/** Which cap of its task a job meets; null when none. */
export type Refusal = 'run_cap' | 'cost_cap';

/** States of a job that is not finished. A task has one such job at most, a branch one that runs. */
export const liveStates: readonly JobState[] = ['queued', 'delayed', 'running'];

/** Phases in which a run takes one of its host's slots: publishing runs no agent, so it takes none (spec 6). */
export const slotPhases: readonly RunPhase[] = ['preparing', 'running'];

/** A check runs the project's own command and costs no dollars; it counts as a run like any other. */
function isPaid(job: Capped): boolean {
  return job.kind !== 'check' && job.costCapMicros !== null;
}

/** Why a job of a task may not start: a cap of the task is reached (spec 3.3). Looked at again with every claim. */
export function refusalOf(job: Capped, use: TaskUse): Refusal | null {
  if (job.runCap !== null && use.runs >= job.runCap) return 'run_cap';
  if (isPaid(job) && use.spentMicros + use.reservedMicros >= (job.costCapMicros ?? 0)) return 'cost_cap';
  return null;
}

/** What the task hears of a refused job. */
export function refusalMessage(job: Pick<Job, 'id' | 'role'>, taskId: TaskId, reason: Refusal): NewMessage {
  const body = { kind: 'job_refused' as const, jobId: job.id, role: job.role, reason };
  return { taskId, sourceKey: `job_refused:${job.id}`, body };
}

/**
 * Micro-dollars that are reserved for a run before it starts: all that its task has left, so that no second run can spend
 * them too; null without a cap.
 * @param use null for a job of no task: nothing is counted for it
 */
export function budgetOf(job: Capped, use: TaskUse | null): number | null {
  if (use === null || !isPaid(job)) return null;
  return (job.costCapMicros ?? 0) - use.spentMicros - use.reservedMicros;
}

/**
 * Session that a further run of a job continues: of the run before it, on the same host, when that run was cut off and not
 * simply wrong; null to begin a new one (spec 7).
 */
export function sessionToResume(
  run: Pick<Run, 'host'>,
  before: Pick<Run, 'host' | 'outcome' | 'sessionId'> | null,
): string | null {
  if (before === null || before.outcome === null || before.host !== run.host) return null;
  const { kind, cause } = before.outcome;
  if (cause === 'resume_failed') return null;
  // Checked again: an older orch stored whatever the agent called its session.
  return kind === 'interrupted' || cause === 'max_turns' ? sessionIdOf(before.sessionId) : null;
}

/**
 * A task has one live job at most: two would work on one branch.
 * @throws Error when there is one already: a defect of the pipeline
 */
export function refuseSecondJob(asked: Pick<NewJob, 'cause'>, live: Pick<Job, 'id' | 'taskId' | 'cause'> | null): void {
  if (live === null) return;
  throw new Error(
    `task ${live.taskId ?? ''} has the live job ${live.id} (${live.cause}); "${asked.cause}" cannot be queued next to it`,
  );
}

/** How a job waits: `delayed` until its moment has come, then `queued` whatever the clock does. */
export function waitingState(availableAt: number, now: number): 'queued' | 'delayed' {
  return availableAt > now ? 'delayed' : 'queued';
}
