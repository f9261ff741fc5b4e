import type { TaskId } from '../model/index.ts';
import { ruling } from './evidence.ts';
import type { ReconcileDeps } from './reconcile.ts';

export interface GateAnswer {
  status: 'pass' | 'fail' | 'pending';
  reason: string;
  evidence: Record<string, string>;
}

/** What the gate of a task would say now, with fresh evidence; changes nothing (`orch advance --dry-run`). */
export async function judge(taskId: TaskId, deps: ReconcileDeps): Promise<GateAnswer> {
  const snapshot = await deps.store.load(taskId);
  const policy = snapshot === null ? null : deps.policyOf(snapshot.task);
  if (snapshot === null || policy === null)
    return { status: 'pending', reason: 'its project is not configured', evidence: {} };
  const { task, liveJob } = snapshot;
  if (liveJob !== null)
    return {
      status: 'pending',
      reason: `${liveJob.kind === 'check' ? 'the check' : `the ${liveJob.role}`} is ${liveJob.state}`,
      evidence: { job: liveJob.id },
    };
  if (task.hold?.blocking === true) return { status: 'fail', reason: `held: ${task.hold.text}`, evidence: {} };
  if (task.paused) return { status: 'pending', reason: 'the task is paused', evidence: {} };
  const step = await ruling(snapshot, policy, deps);
  if (step.kind === 'rest')
    return { status: 'pending', reason: task.hold?.text ?? 'nothing follows now', evidence: {} };
  const { decision } = step;
  const moved = decision.task.stage !== task.stage;
  const back = decision.visit?.bounce === true;
  const failed = back || (!moved && decision.task.hold?.blocking === true);
  return {
    status: failed ? 'fail' : moved ? 'pass' : 'pending',
    reason: decision.why.sentence,
    evidence: decision.why.evidence,
  };
}
