import type { MessageBody, Store, TaskId, TaskRow } from '../../core/model/index.ts';
import { OrchError, parseTaskId } from '../../core/model/index.ts';

/** @throws OrchError `usage` for text that is no task id, `notFound` for a task orch does not have */
export async function taskOf(store: Store, text: string): Promise<TaskRow> {
  const row = await store.task(parseTaskId(text));
  if (row !== null) return row;
  throw new OrchError(`there is no task ${text.trim().toUpperCase()}`, {
    code: 'task_unknown',
    exit: 'notFound',
    hint: '`orch status` lists the tasks; `orch enqueue --work-item` brings a Plane item in.',
  });
}

/** Leaves a command for a task. Every call is a command of its own, so its source key is unique. */
export async function order(
  store: Store,
  taskId: TaskId,
  body: Extract<MessageBody, { kind: 'command' }>,
): Promise<void> {
  await store.post({ taskId, sourceKey: `command:${body.name}:${store.now()}:${process.pid}`, body });
}

/** Several runs of a command in one document. */
export function taskDocument(row: TaskRow): Record<string, unknown> {
  const { task, meta, liveJob, run } = row;
  return {
    id: task.id,
    title: task.title,
    stage: task.stage,
    paused: task.paused,
    pipeline: task.pipeline,
    repo: task.repo,
    branch: task.branch,
    pull_request: task.prNumber,
    version: meta.version,
    visit: task.visit,
    runs: meta.runs,
    spent_dollars: meta.spentMicros / 1e6,
    stage_since: new Date(task.stageSince).toISOString(),
    hold:
      task.hold === null
        ? null
        : {
            cause: task.hold.cause,
            blocking: task.hold.blocking,
            owner: task.hold.owner,
            text: task.hold.text,
            cleared_by: task.hold.clearedBy,
            command: task.hold.command,
            since: new Date(task.hold.since).toISOString(),
          },
    job:
      liveJob === null
        ? null
        : {
            id: liveJob.id,
            role: liveJob.role,
            kind: liveJob.kind,
            state: liveJob.state,
            available_at: new Date(liveJob.availableAt).toISOString(),
            error: liveJob.lastError,
          },
    run:
      run === null
        ? null
        : { id: run.id, role: run.role, phase: run.phase, started_at: new Date(run.startedAt).toISOString() },
  };
}
