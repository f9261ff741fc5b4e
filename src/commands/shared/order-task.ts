import { OrchError, isFinal } from '../../core/model/index.ts';
import type { CommandContext } from './contract.ts';
import { followUp } from './follow-up.ts';
import { operator, withApp } from './open.ts';
import { taskDocument } from './documents.ts';
import { order, taskOf } from './tasks.ts';

/** `cancel`, `pause` and `resume`: leaves the command for the task and says what came of it. */
export async function orderTask(
  context: CommandContext,
  text: string,
  name: 'cancel' | 'pause' | 'resume',
): Promise<void> {
  await withApp(context, 'command', async (app) => {
    const { task } = await taskOf(app.store, text);
    if (isFinal(task.stage))
      throw new OrchError(`${task.id} is ${task.stage}`, {
        code: 'task_final',
        hint:
          task.stage === 'cancelled'
            ? `\`orch reopen ${task.id}\` lets it go on.`
            : 'Nothing of it is left to be stopped or started.',
      });
    await order(app.store, task.id, { kind: 'command', name, by: operator(context.env) });
    await followUp(context, app);
    const [last] = (await app.store.decisions({ taskId: task.id, limit: 10 })).filter(
      (row) => row.why.rule === `command.${name}`,
    );
    context.output.line(`${task.id}: ${last?.why.sentence ?? 'noted for the next tick'}`);
    if (context.output.asJson) context.output.json({ task: taskDocument(await taskOf(app.store, task.id)) });
  });
}
