import type { JobId, Store, TaskId } from '../../core/model/index.ts';
import { isFinal } from '../../core/model/index.ts';
import { systemClock } from '../../core/platform/clock.ts';
import type { CommandContext } from '../shared/contract.ts';
import { taskDocument } from '../shared/documents.ts';

/** How often the database is asked while a command waits. */
const everyMs = 1000;

async function until<T>(context: CommandContext, waitMs: number, look: () => Promise<T | null>): Promise<T | null> {
  const deadline = systemClock.now() + waitMs;
  for (;;) {
    const seen = await look();
    if (seen !== null || context.signal.aborted || systemClock.now() >= deadline) return seen;
    await systemClock.sleep(Math.min(everyMs, deadline - systemClock.now()), context.signal);
  }
}

/** Waits for a job's end: exit 0 done, 1 failed or cancelled, 8 not finished in time. */
export async function waitForJob(context: CommandContext, store: Store, jobId: JobId, waitMs: number): Promise<void> {
  const job = await until(context, waitMs, async () => {
    const seen = await store.job(jobId);
    return seen !== null && ['done', 'failed', 'cancelled'].includes(seen.state) ? seen : null;
  });
  if (context.output.asJson)
    context.output.json({ job: { id: jobId, state: job?.state ?? 'pending', error: job?.lastError ?? null } });
  context.output.note(
    job === null
      ? `job ${jobId} has not finished`
      : `job ${jobId}: ${job.state}${job.lastError === null ? '' : `: ${job.lastError}`}`,
  );
  if (job === null) context.exitWith('pending');
  else if (job.state !== 'done') context.exitWith('failed');
}

/** Waits until a task is done: exit 0 done, 1 cancelled or held for a person, 8 not finished in time. */
export async function waitForTask(
  context: CommandContext,
  store: Store,
  taskId: TaskId,
  waitMs: number,
): Promise<void> {
  const row = await until(context, waitMs, async () => {
    const seen = await store.task(taskId);
    return seen !== null && (isFinal(seen.task.stage) || seen.task.hold?.blocking === true) ? seen : null;
  });
  if (context.output.asJson) context.output.json({ task: row === null ? { id: taskId } : taskDocument(row) });
  const text = row === null ? 'has not finished' : (row.task.hold?.text ?? row.task.stage);
  context.output.note(`${taskId}: ${text}`);
  if (row === null) context.exitWith('pending');
  else if (row.task.stage !== 'done') context.exitWith('failed');
}
