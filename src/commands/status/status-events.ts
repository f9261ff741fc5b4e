import type { DecisionRow } from '../../core/model/index.ts';
import type { Output } from '../../ui/output.ts';
import { ago, rfc3339 } from '../../ui/format.ts';

/** `--events`: decisions of all tasks, oldest first, so that the newest stands last. */
export async function printEvents(output: Output, rows: DecisionRow[], now: number): Promise<void> {
  if (output.terminal.out.isTty && rows.length === 0) return output.line('No decisions yet.');
  const { isTty } = output.terminal.out;
  const { arrow } = output.terminal.symbols;
  await output.table([...rows].reverse(), [
    { title: 'when', value: ({ at }) => (isTty ? ago(at, now) : rfc3339(at)) },
    { title: 'task', value: ({ taskId }) => taskId },
    {
      title: 'stage',
      value: ({ fromStage, toStage }) =>
        fromStage === toStage ? toStage : `${fromStage} ${isTty ? arrow : '>'} ${toStage}`,
      priority: 2,
    },
    { title: 'hold', value: ({ holdCause }) => holdCause ?? '', priority: 3 },
    { title: 'why', value: ({ why }) => why.sentence, min: 24 },
    { title: 'rule', value: ({ why }) => ({ text: why.rule, style: 'dim' }), priority: 4 },
    { title: 'cause', value: ({ why }) => ({ text: why.cause, style: 'dim' }), min: 10, priority: 5 },
  ]);
}
