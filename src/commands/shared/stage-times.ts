import type { Task, Visit, WorkStage } from '../../core/model/index.ts';
import { isFinal } from '../../core/model/index.ts';

/** One stage of a task's line: where it stands and how long the task has been in it, all visits together. */
export interface StageTime {
  stage: WorkStage;
  state: 'passed' | 'active' | 'waiting' | 'blocked' | 'stopped' | 'ahead';
  ms: number;
  visits: number;
}

/** When each visit ended: with the next one, with the task, or not yet (then `now`). */
export function visitSpans(task: Task, visits: Visit[], now: number): { visit: Visit; from: number; to: number }[] {
  const end = isFinal(task.stage) ? task.stageSince : now;
  return visits.map((visit, i) => {
    const to = visits[i + 1]?.startedAt ?? end;
    return { visit, from: visit.startedAt, to: Math.max(to, visit.startedAt) };
  });
}

/** @param busy whether a job of the task runs or is queued */
export function stageTimes(task: Task, visits: Visit[], busy: boolean, now: number): StageTime[] {
  const spans = visitSpans(task, visits, now);
  const last = visits.at(-1)?.stage;
  const current = task.stage === 'cancelled' && last !== undefined ? last : task.stage;
  const at = current === 'done' ? task.pipelineStages.length : task.pipelineStages.indexOf(current as WorkStage);
  return task.pipelineStages.map((stage, i) => {
    const own = spans.filter(({ visit }) => visit.stage === stage);
    return {
      stage,
      state: i < at ? 'passed' : i > at ? 'ahead' : hereState(task, busy),
      ms: own.reduce((sum, { from, to }) => sum + to - from, 0),
      visits: own.length,
    };
  });
}

function hereState(task: Task, busy: boolean): StageTime['state'] {
  if (task.stage === 'cancelled') return 'stopped';
  if (task.hold?.blocking === true) return 'blocked';
  return busy || (task.hold === null && !task.paused) ? 'active' : 'waiting';
}
