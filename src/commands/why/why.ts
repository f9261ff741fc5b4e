import { Command } from '@commander-js/extra-typings';
import type { DecisionRow, TaskRow } from '../../core/model/index.ts';
import type { Output } from '../../ui/output.ts';
import type { CommandModule } from '../shared/contract.ts';
import { taskDocument } from '../shared/documents.ts';
import { numberOption } from '../shared/numbers.ts';
import { workName } from '../shared/work-name.ts';

export const define: CommandModule['define'] = (context) =>
  new Command('why')
    .description('Says why a task is where it is: what it waits for, on whom, and the decisions that led there.')
    .argument('<task>', 'task id, such as ET-012')
    .option('-n, --last <n>', 'how many decisions', numberOption('whole', 1, 100_000), 8)
    .addHelpText(
      'after',
      `
Examples:
  $ orch why ET-012
  $ orch why ET-012 --json | jq .decisions`,
    )
    .action(async (text, options) => {
      const [{ withStore }, { taskOf }] = await Promise.all([
        import('../shared/open.ts'),
        import('../shared/tasks.ts'),
      ]);
      await withStore(
        context,
        async (store) => {
          const row = await taskOf(store, text);
          const decisions = await store.decisions({
            taskId: row.task.id,
            limit: options.last,
          });
          if (context.output.asJson)
            return context.output.json({ task: taskDocument(row), decisions: decisions.map(decisionDocument) });
          print(context.output, row, decisions, store.now());
        },
        { readonly: true },
      );
    });

function decisionDocument(row: DecisionRow): Record<string, unknown> {
  return {
    at: new Date(row.at).toISOString(),
    rule: row.why.rule,
    why: row.why.sentence,
    cause: row.why.cause,
    evidence: row.why.evidence,
    from: row.fromStage,
    to: row.toStage,
    hold: row.holdCause,
    version: row.version,
  };
}

function print(output: Output, row: TaskRow, decisions: DecisionRow[], now: number): void {
  const { task, liveJob, run } = row;
  output.line({ text: task.id, style: 'bold' }, `  ${task.title}`);
  output.line(
    `stage ${task.stage}, visit ${task.visit}, since ${since(task.stageSince, now)}${task.paused ? ', paused' : ''}`,
  );
  if (task.hold !== null) {
    output.line(
      { text: task.hold.blocking ? 'held: ' : 'waits: ', style: task.hold.blocking ? 'bad' : 'warning' },
      task.hold.text,
    );
    output.line(`  cleared by: ${task.hold.clearedBy} (${task.hold.owner})`);
    if (task.hold.command !== null) output.line('  then: ', { text: task.hold.command, style: 'accent' });
  }
  if (liveJob !== null)
    output.line(
      `job ${liveJob.id}: ${workName(liveJob)} ${liveJob.state}${run === null ? '' : `, run ${run.id} ${run.phase}`}`,
    );
  output.line('');
  output.line({ text: 'Decisions, newest first', style: 'dim' });
  for (const decision of decisions) {
    const step = decision.fromStage === decision.toStage ? '' : `  ${decision.fromStage} → ${decision.toStage}`;
    output.line(
      { text: new Date(decision.at).toISOString().slice(0, 19).replace('T', ' '), style: 'dim' },
      `  ${decision.why.sentence}`,
      { text: step, style: 'good' },
    );
    const evidence = Object.entries(decision.why.evidence).map(([key, value]) => `${key}=${value.slice(0, 60)}`);
    output.line({
      text: `    ${decision.why.rule} · ${decision.why.cause}${evidence.length === 0 ? '' : ` · ${evidence.join(' ')}`}`,
      style: 'dim',
    });
  }
}

function since(at: number, now: number): string {
  const minutes = Math.max(0, Math.round((now - at) / 60_000));
  return minutes < 1 ? 'just now' : minutes < 120 ? `${minutes} min` : `${Math.round(minutes / 60)} h`;
}
