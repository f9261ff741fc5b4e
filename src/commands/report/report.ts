import { statSync } from 'node:fs';
import path from 'node:path';
import { Command } from '@commander-js/extra-typings';
import type { Config } from '../../core/config/config.ts';
import type { Store, TaskRow } from '../../core/model/index.ts';
import { errorText, OrchError } from '../../core/model/index.ts';
import type { CommandContext, CommandModule } from '../shared/contract.ts';
import { eventDocument } from '../shared/documents.ts';
import type { Block, TaskReport } from './report-blocks.ts';

export const define: CommandModule['define'] = (context) =>
  new Command('report')
    .description(
      'Writes the history of a task, or of all, as Markdown or as one HTML file: stages, runs, costs, decisions.',
    )
    .argument('[task]', 'one task, such as ET-012; all without it')
    .option('--html <file>', 'write one self-contained HTML file instead, readable by its owner only')
    .addHelpText(
      'after',
      `
Examples:
  $ orch report ET-012 > ET-012.md
  $ orch report ET-012 --html ET-012.html
  $ orch report --json | jq '.tasks[].cost'`,
    )
    .action((text, options) => report(context, text, options.html));

/** Newest decisions of a task that a report holds. */
const maxDecisions = 2000;

async function read(store: Store, config: Config, rows: TaskRow[]): Promise<TaskReport[]> {
  const { readTaskFacts } = await import('../shared/task-facts.ts');
  const reports: TaskReport[] = [];
  for (const row of rows) {
    const decisions = await store.decisions({ taskId: row.task.id, limit: maxDecisions });
    reports.push({ facts: await readTaskFacts(store, config, row), decisions: decisions.reverse() });
  }
  return reports;
}

async function report(context: CommandContext, text: string | undefined, html: string | undefined): Promise<void> {
  const { output } = context;
  const [{ withStore }, { taskOf }] = await Promise.all([import('../shared/open.ts'), import('../shared/tasks.ts')]);
  await withStore(
    context,
    async (store, config) => {
      const rows = text === undefined ? await store.tasks({}) : [await taskOf(store, text)];
      const reports = await read(store, config, rows);
      const { reportBlocks } = await import('./report-blocks.ts');
      const blocks = reportBlocks(reports, store.now(), text === undefined);
      if (html !== undefined) {
        const file = path.resolve(context.cwd, html);
        await writeHtml(context, file, text === undefined ? 'orch: tasks' : `orch: ${rows[0]?.task.id ?? ''}`, blocks);
        if (output.asJson) output.json({ file });
        else output.note(`written: ${file}`);
      } else if (output.asJson) await printJson(context, reports, text !== undefined);
      else {
        const { markdownReport } = await import('./report-markdown.ts');
        output.data(markdownReport(blocks));
      }
    },
    { readonly: true },
  );
}

async function writeHtml({ redactor }: CommandContext, file: string, title: string, blocks: Block[]): Promise<void> {
  const [{ htmlReport }, { writeFileAtomic }] = await Promise.all([
    import('./report-html.ts'),
    import('../../core/platform/files.ts'),
  ]);
  try {
    // Folders are not made here: a mistyped path is better refused.
    statSync(path.dirname(file));
    writeFileAtomic(file, redactor.redact(htmlReport(title, blocks)));
  } catch (error) {
    throw new OrchError(`the report could not be written to ${file}: ${errorText(error)}`, {
      code: 'report_unwritable',
      hint: 'Choose a path in a folder that exists and that you may write to.',
      cause: error,
    });
  }
}

async function printJson({ output }: CommandContext, reports: TaskReport[], one: boolean): Promise<void> {
  const { taskFactsDocument } = await import('../shared/task-facts.ts');
  const documents = reports.map(({ facts, decisions }) => ({
    ...taskFactsDocument(facts),
    decisions: decisions.map(eventDocument),
  }));
  output.json(one ? { ...documents[0] } : { tasks: documents });
}
