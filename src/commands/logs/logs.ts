import { Command } from '@commander-js/extra-typings';
import type { Run } from '../../core/model/index.ts';
import { OrchError } from '../../core/model/index.ts';
import type { Output } from '../../ui/output.ts';
import type { CommandContext, CommandModule } from '../shared/contract.ts';
import type { LogEntry } from './log-lines.ts';
import type { ReadRequest } from './log-read.ts';

interface LogOptions {
  follow?: true | undefined;
  raw?: true | undefined;
  stderr?: true | undefined;
}

export const define: CommandModule['define'] = (context) =>
  new Command('logs')
    .description('Prints what the agent of a run says: its messages, the tools it calls, its result and cost.')
    .argument('<run>', 'number of a run, or a task such as ET-012: then its newest run')
    .option('-f, --follow', 'go on until the run ends')
    .option('--raw', 'the bytes as the agent printed them; control characters are not escaped')
    .option('--stderr', 'what it printed to standard error instead')
    .addHelpText(
      'after',
      `
Examples:
  $ orch logs ET-012 -f
  $ orch logs 47
  $ orch logs 47 --raw | jq -c 'select(.type == "result")'`,
    )
    .action((text, options) => logs(context, text, options));

async function logs(context: CommandContext, text: string, options: LogOptions): Promise<void> {
  const { output } = context;
  if (options.raw === true && output.asJson)
    throw new OrchError('--raw and --json exclude each other', {
      code: 'usage',
      hint: '--raw prints bytes, --json one document.',
    });
  const [{ withStore }, read, { systemClock }] = await Promise.all([
    import('../shared/open.ts'),
    import('./log-read.ts'),
    import('../../core/platform/clock.ts'),
  ]);
  await withStore(
    context,
    async (store, config) => {
      const run = await read.findRun(store, text);
      read.checkFolder(run, store.now(), config.retention.runsMs);
      const follow = options.follow === true;
      const request: ReadRequest = {
        store,
        run,
        which: options.stderr === true ? 'stderr.log' : 'stdout.ndjson',
        follow,
        // Only following stops by itself on a signal; a plain look may be ended at once.
        signal: follow ? context.signal : new AbortController().signal,
        clock: systemClock,
      };
      if (options.raw === true) await raw(context, request);
      else await readable(output, request);
      if (run.folder === '' && !follow) output.note(`run ${run.id} is being prepared and has printed nothing yet`);
    },
    { readonly: true },
  );
}

async function raw({ output, redactor }: CommandContext, request: ReadRequest): Promise<void> {
  const [{ eachChunk }, { rawWriter }] = await Promise.all([import('./log-read.ts'), import('../../ui/output.ts')]);
  const writer = rawWriter(output, redactor);
  await eachChunk(request, (bytes) => writer.write(bytes));
  writer.end();
}

async function readable(output: Output, request: ReadRequest): Promise<void> {
  const [{ eachLine }, { createFormatter }] = await Promise.all([import('./log-read.ts'), import('./log-lines.ts')]);
  const stream = request.which === 'stdout.ndjson' && request.run.kind !== 'check';
  const format = stream
    ? createFormatter(output.terminal.symbols.ellipsis)
    : (line: string): LogEntry[] => [{ kind: 'plain', text: line }];
  const entries: LogEntry[] = [];
  await eachLine(request, (line) => {
    for (const entry of format(line)) {
      if (output.asJson) entries.push(entry);
      else printEntry(output, entry);
    }
  });
  if (output.asJson) output.json({ run: await documentOf(request), entries });
}

async function documentOf({ store, run }: ReadRequest): Promise<Record<string, unknown>> {
  const { runDocument } = await import('../shared/task-facts.ts');
  const newest: Run | null = await store.run(run.id);
  return runDocument(newest ?? run, store.now());
}

function printEntry(output: Output, { kind, text }: LogEntry): void {
  const { good, bad, warning, arrow } = output.terminal.symbols;
  switch (kind) {
    case 'start':
      return output.line({ text, style: 'dim' });
    case 'text':
    case 'plain':
      for (const line of text.split(/\r?\n/)) output.line(line);
      return;
    case 'tool':
      return output.line({ text: `  ${arrow} `, style: 'accent' }, { text, style: 'dim' });
    case 'tool_error':
      return output.line({ text: `  ${bad} ${text}`, style: 'bad' });
    case 'notice':
      return output.line({ text: `${warning} ${text}`, style: 'warning' });
    case 'result':
      return output.line({ text: `${good} ${text}`, style: 'good' });
    case 'failure':
      return output.line({ text: `${bad} ${text}`, style: 'bad' });
  }
}
