import type { Job, TaskRow } from '../../core/model/index.ts';
import { isFinal } from '../../core/model/index.ts';
import type { Output } from '../../ui/output.ts';
import type { Piece } from '../../ui/pieces.ts';
import { ago, duration, rfc3339 } from '../../ui/format.ts';
import { flow, wrap } from '../../ui/wrap.ts';
import { countTasks, needsPerson, taskState, type Overview } from '../shared/overview.ts';
import { printServices, serviceRows } from './status-services.ts';
import { workName } from '../shared/work-name.ts';

/** Prints rows of plain fields: what a pipe gets. */
export async function printRows(output: Output, rows: string[][]): Promise<void> {
  for (const row of rows)
    await output.table(
      [row],
      row.map((field) => ({ title: '', value: () => field })),
    );
}

export function title(output: Output, text: string): void {
  output.line('');
  output.line({ text, style: 'bold' });
}

/** `orch status`: is it alive, what runs, what waits for whom, what is stuck, and the command that continues it. */
export async function printOverview(output: Output, o: Overview, all: boolean): Promise<void> {
  if (!output.terminal.out.isTty) return printRows(output, [...serviceRows(o), ...taskRows(o), ...adhocRows(o)]);
  printServices(output, o);
  await printAgents(output, o);
  await printWaits(output, o);
  await printPaused(output, o.tasks);
  printBlocked(output, o);
  if (all) await printFinished(output, o);
  printCounts(output, o, all);
}

function who({ task, liveJob, run }: TaskRow): string {
  if (liveJob !== null) return `${workName(liveJob)}${run === null ? '' : ` run ${run.id}`}`;
  return task.hold?.owner ?? '';
}

function taskRows(o: Overview): string[][] {
  return o.tasks.map((row) => {
    const { id, stage, hold } = row.task;
    const since = rfc3339(row.run?.startedAt ?? hold?.since ?? row.task.stageSince);
    return [
      'task',
      taskState(row, o.resting),
      since,
      id,
      stage,
      who(row),
      hold?.text ?? '',
      hold?.command ?? '',
      row.task.title,
    ];
  });
}

function adhocRows(o: Overview): string[][] {
  const row = (job: Job, since: number, run: string): string[] => [
    'adhoc',
    job.state,
    rfc3339(since),
    `job ${job.id}`,
    '',
    `${workName(job)}${run}`,
    '',
    '',
    `${job.repo} ${job.branch}`,
  ];
  return [
    ...o.running
      .filter(({ job }) => job.taskId === null)
      .map(({ job, run }) => row(job, run.startedAt, ` run ${run.id}`)),
    ...o.adhoc.map((job) => row(job, job.availableAt, '')),
  ];
}

interface AgentRow {
  job: Job;
  run: { id: string; phase: string; startedAt: number; attempt: number } | null;
  name: string;
  stage: string;
  title: string;
}

function agentRows(o: Overview): AgentRow[] {
  const of = (job: Job, run: AgentRow['run']): AgentRow => ({
    job,
    run,
    name: 'ad hoc',
    stage: '',
    title: `${job.repo} ${job.branch}`,
  });
  const rows: AgentRow[] = [];
  for (const { task, liveJob, run } of o.tasks)
    if (liveJob !== null) rows.push({ job: liveJob, run, name: task.id, stage: task.stage, title: task.title });
  rows.push(...o.running.filter(({ job }) => job.taskId === null).map(({ job, run }) => of(job, run)));
  rows.push(...o.adhoc.map((job) => of(job, null)));
  return rows.sort((a, b) => Number(b.run !== null) - Number(a.run !== null) || a.job.availableAt - b.job.availableAt);
}

function agentState({ job, run }: AgentRow, now: number): Piece {
  if (job.cancelRequested) return { text: 'stopping', style: 'warning' };
  if (run !== null) return { text: run.phase, style: 'good' };
  if (job.availableAt > now) return { text: `starts ${ago(job.availableAt, now)}`, style: 'warning' };
  return 'queued';
}

async function printAgents(output: Output, o: Overview): Promise<void> {
  const rows = agentRows(o);
  if (rows.length === 0) return;
  const { symbols } = output.terminal;
  const mark = ({ run }: AgentRow): Piece =>
    run === null ? { text: symbols.waiting, style: 'dim' } : { text: symbols.active, style: 'accent' };
  title(output, 'Agents');
  await output.table(rows, [
    { title: '', value: mark },
    { title: 'task', value: ({ name }) => name },
    { title: 'stage', value: ({ stage }) => stage, priority: 5 },
    { title: 'agent', value: ({ job }) => (job.kind === 'check' ? 'tests' : job.role) },
    { title: 'state', value: (row) => agentState(row, o.now) },
    {
      title: 'for',
      value: ({ job, run }) => duration(Math.max(0, o.now - (run?.startedAt ?? job.createdAt))),
      align: 'right',
    },
    { title: 'run', value: ({ run }) => run?.id ?? '', align: 'right', priority: 2 },
    { title: 'try', value: ({ run }) => (run === null ? '' : String(run.attempt)), align: 'right', priority: 4 },
    { title: 'title', value: (row) => row.title, min: 20, priority: 3 },
  ]);
}

/** What a task without a hold, a job or a finished stage waits for: orch itself. */
function ownWork({ meta, pendingEffects, queuedMessages }: TaskRow, now: number): string {
  if (pendingEffects > 0) return `${pendingEffects} to be delivered`;
  if (queuedMessages > 0) return `${queuedMessages} to be read`;
  return meta.wakeAt === null || meta.wakeAt <= now ? 'the next decision' : `looks again ${ago(meta.wakeAt, now)}`;
}

async function printWaits(output: Output, o: Overview): Promise<void> {
  const rows = o.tasks.filter((row) => {
    const state = taskState(row, o.resting);
    return state === 'waiting' || state === 'deciding' || (state === 'queued' && row.task.hold !== null);
  });
  if (rows.length === 0) return;
  title(output, 'Waits');
  await output.table(rows, [
    { title: '', value: () => ({ text: output.terminal.symbols.waiting, style: 'warning' }) },
    { title: 'task', value: ({ task }) => task.id },
    { title: 'stage', value: ({ task }) => task.stage, priority: 2 },
    { title: 'on', value: ({ task }) => task.hold?.owner ?? 'orch' },
    {
      title: 'for',
      value: ({ task }) => duration(Math.max(0, o.now - (task.hold?.since ?? task.stageSince))),
      align: 'right',
    },
    { title: 'what', value: (row) => row.task.hold?.text ?? ownWork(row, o.now), min: 30 },
    { title: 'title', value: ({ task }) => task.title, min: 24, priority: 3 },
  ]);
}

async function printPaused(output: Output, tasks: TaskRow[]): Promise<void> {
  const rows = tasks.filter((row) => row.task.paused && !isFinal(row.task.stage));
  if (rows.length === 0) return;
  title(output, 'Paused');
  await output.table(rows, [
    { title: '', value: () => ({ text: output.terminal.symbols.waiting, style: 'dim' }) },
    { title: 'task', value: ({ task }) => task.id },
    { title: 'stage', value: ({ task }) => task.stage, priority: 1 },
    { title: 'go on with', value: ({ task }) => ({ text: `orch resume ${task.id}`, style: 'accent' }) },
    { title: 'title', value: ({ task }) => task.title, min: 16, priority: 2 },
  ]);
}

/** Tasks that somebody has to set going again: whole sentences and the exact command, never cut. */
function printBlocked(output: Output, o: Overview): void {
  const rows = o.tasks.filter((row) => taskState(row, o.resting) === 'blocked');
  if (rows.length === 0) return;
  const { out, symbols } = output.terminal;
  title(output, 'Blocked');
  for (const row of rows) {
    const { id, stage, hold, title: name } = row.task;
    if (hold === null || !needsPerson(row)) continue;
    const facts = `  ${stage}, ${duration(Math.max(0, o.now - hold.since))}, ${hold.owner}`;
    output.line({ text: symbols.bad, style: 'bad' }, '  ', { text: id, style: 'bold' }, { text: facts, style: 'dim' });
    for (const line of wrap(name, out.width() - 3)) output.line('   ', line);
    for (const line of wrap(hold.text, out.width() - 3)) output.line('   ', { text: line, style: 'bad' });
    for (const line of wrap(`cleared by ${hold.clearedBy}`, out.width() - 3)) output.line('   ', line);
    if (hold.command !== null) output.line('   ', { text: hold.command, style: 'accent' });
  }
}

async function printFinished(output: Output, o: Overview): Promise<void> {
  const rows = o.tasks.filter(({ task }) => isFinal(task.stage));
  if (rows.length === 0) return;
  const { symbols } = output.terminal;
  title(output, 'Finished');
  await output.table(rows, [
    {
      title: '',
      value: ({ task }) =>
        task.stage === 'done' ? { text: symbols.good, style: 'good' } : { text: symbols.bad, style: 'dim' },
    },
    { title: 'task', value: ({ task }) => task.id },
    { title: 'stage', value: ({ task }) => task.stage },
    { title: 'when', value: ({ task }) => ago(task.stageSince, o.now) },
    { title: 'runs', value: ({ meta }) => String(meta.runs), align: 'right', priority: 2 },
    { title: 'title', value: ({ task }) => task.title, min: 14 },
  ]);
}

function printCounts(output: Output, o: Overview, all: boolean): void {
  const count = (stage: string): number => countTasks(o.totals, (row) => row.stage === stage);
  const active = countTasks(o.totals, ({ stage }) => !isFinal(stage));
  const [done, cancelled] = [count('done'), count('cancelled')];
  output.line('');
  if (active + done + cancelled === 0)
    return output.line('No tasks yet. New work items enter by themselves; `orch enqueue --help` names other ways.');
  const parts = [`${active} active`, `${done} done`, ...(cancelled > 0 ? [`${cancelled} cancelled`] : [])];
  const hints = [
    ...(active > 0 ? ['orch why TASK'] : []),
    ...(!all && done + cancelled > 0 ? ['orch status --all'] : []),
  ];
  const groups: Piece[][] = [[parts.join(', ')], ...hints.map((text): Piece[] => [{ text, style: 'dim' }])];
  for (const line of flow(groups, output.terminal.out.width())) output.line(...line);
}
