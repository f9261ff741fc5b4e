import { isFinal, type Run } from '../../core/model/index.ts';
import type { Output } from '../../ui/output.ts';
import type { Piece, Style } from '../../ui/pieces.ts';
import type { Symbols } from '../../ui/symbols.ts';
import { ago, dollars, duration, rfc3339 } from '../../ui/format.ts';
import { flow, wrap } from '../../ui/wrap.ts';
import { taskState } from '../shared/overview.ts';
import type { StageTime } from '../shared/stage-times.ts';
import { printRows, title } from './status-view.ts';
import { runMs, runResult, type TaskFacts } from '../shared/task-facts.ts';
import { workName } from '../shared/work-name.ts';

const looks: Record<StageTime['state'], { symbol: keyof Symbols; style: Style }> = {
  passed: { symbol: 'good', style: 'good' },
  active: { symbol: 'active', style: 'accent' },
  waiting: { symbol: 'active', style: 'warning' },
  blocked: { symbol: 'bad', style: 'bad' },
  stopped: { symbol: 'bad', style: 'dim' },
  ahead: { symbol: 'waiting', style: 'dim' },
};

/** The stages as a bar: `analysis ✓ 12s`, `development ● 1m22s ×2`. */
function stageBar(stages: StageTime[], symbols: Symbols): Piece[][] {
  return stages.map(({ stage, state, ms, visits }) => {
    const { symbol, style } = looks[state];
    const time = state === 'ahead' || visits === 0 ? '' : ` ${duration(ms)}`;
    const times = visits > 1 && state !== 'ahead' ? ` x${visits}` : '';
    return [
      state === 'ahead' ? { text: `${stage} `, style } : `${stage} `,
      { text: symbols[symbol], style },
      { text: `${time}${times}`, style: 'dim' },
    ];
  });
}

/** `orch status TASK`. */
export async function printTask(output: Output, facts: TaskFacts): Promise<void> {
  if (!output.terminal.out.isTty) return printRows(output, rowsOf(facts));
  const { out, symbols } = output.terminal;
  const { task } = facts.row;
  const [first = '', ...rest] = wrap(task.title, out.width() - task.id.length - 2);
  output.line({ text: task.id, style: 'bold' }, `  ${first}`);
  for (const line of rest) output.line(' '.repeat(task.id.length + 2), line);
  for (const line of flow(stageBar(facts.stages, symbols), out.width())) output.line(...line);
  output.line('');
  printState(output, facts);
  output.line('');
  printPlaces(output, facts);
  await printRuns(output, facts);
  printBudgets(output, facts);
}

function printState(output: Output, { row, now, policy }: TaskFacts): void {
  const { task, liveJob, run, meta } = row;
  const { out, symbols } = output.terminal;
  const say = (text: string, style: Style | null, indent = '  '): void => {
    for (const line of wrap(text, out.width() - indent.length))
      output.line(indent, style === null ? line : { text: line, style });
  };
  const head = (symbol: keyof Symbols, style: Style, text: string): void => {
    const [first = '', ...rest] = wrap(text, out.width() - 2);
    output.line({ text: `${symbols[symbol]} `, style }, first);
    for (const line of rest) output.line('  ', line);
  };
  if (policy === undefined && !isFinal(task.stage))
    head('warning', 'warning', `rests: its project ${task.projectId} is not configured`);
  if (task.paused) head('warning', 'warning', `paused: nothing new starts until \`orch resume ${task.id}\``);
  if (liveJob !== null && run !== null)
    head(
      'active',
      'accent',
      `${workName(liveJob)}, run ${run.id}, ${run.phase} for ${duration(now - run.startedAt)}${run.attempt > 1 ? `; try ${run.attempt}` : ''}`,
    );
  else if (liveJob !== null)
    head(
      'waiting',
      'warning',
      `${liveJob.role} is ${liveJob.state}${liveJob.availableAt > now ? `, starts ${ago(liveJob.availableAt, now)}` : ' until a worker takes it'}`,
    );
  if (liveJob?.lastError != null) say(`last error: ${liveJob.lastError}`, 'warning');
  if (task.hold !== null) {
    const { hold } = task;
    head(
      hold.blocking ? 'bad' : 'waiting',
      hold.blocking ? 'bad' : 'warning',
      `${hold.blocking ? 'held' : 'waits'} for ${duration(now - hold.since)}: ${hold.text}`,
    );
    say(`on: ${hold.owner}; cleared by ${hold.clearedBy}`, null);
    if (hold.command !== null) output.line('  ', { text: hold.command, style: 'accent' });
  }
  const state = taskState(row);
  if (state === 'done')
    head(
      'good',
      'good',
      `done ${ago(task.stageSince, now)}, ${duration(task.stageSince - task.createdAt)} after it came in`,
    );
  if (state === 'cancelled') head('bad', 'dim', `cancelled ${ago(task.stageSince, now)}`);
  if (state === 'deciding') head('active', 'accent', 'orch works out the next step');
  if (row.pendingEffects > 0)
    head(
      'warning',
      'warning',
      `${row.pendingEffects} not delivered yet to Plane, Gitea or Telegram; see \`orch status --queue\``,
    );
  else if (task.hold !== null && meta.wakeAt !== null && meta.wakeAt > now)
    say(`looks again ${ago(meta.wakeAt, now)}`, 'dim');
}

function printPlaces(output: Output, { row: { task }, links }: TaskFacts): void {
  const { arrow } = output.terminal.symbols;
  const place = (name: string, text: string): void => output.line({ text: name.padEnd(9), style: 'dim' }, text);
  place('repo', `${task.repo}${task.pipeline === 'default' ? '' : `, pipeline ${task.pipeline}`}`);
  place('branch', `${task.branch} ${arrow} ${task.baseBranch}`);
  if (task.prNumber !== null)
    place('request', `#${task.prNumber}${links.pullRequest === null ? '' : `  ${links.pullRequest}`}`);
  if (links.item !== null) place('item', links.item);
}

const resultStyle = (run: Run): Style =>
  run.phase !== 'settled' ? 'accent' : run.outcome?.kind === 'success' ? 'good' : 'bad';

function costOf({ outcome }: Run): string {
  return outcome === null || outcome.costMicros === null ? '' : dollars(outcome.costMicros);
}

/** Newest runs on a terminal; older ones are counted. */
const shownRuns = 12;

async function printRuns(output: Output, { runs, now }: TaskFacts): Promise<void> {
  if (runs.length === 0) return;
  title(output, runs.length > shownRuns ? `Runs (last ${shownRuns} of ${runs.length})` : 'Runs');
  await output.table(runs.slice(-shownRuns), [
    { title: 'run', value: ({ id }) => id, align: 'right' },
    { title: 'agent', value: (run) => workName(run) },
    { title: 'try', value: ({ attempt }) => String(attempt), align: 'right', priority: 3 },
    { title: 'result', value: (run) => ({ text: runResult(run).replaceAll('_', ' '), style: resultStyle(run) }) },
    { title: 'took', value: (run) => duration(runMs(run, now)), align: 'right' },
    { title: 'cost', value: costOf, align: 'right', priority: 1 },
    { title: 'started', value: (run) => ago(run.startedAt, now), priority: 4 },
    { title: 'says', value: ({ outcome }) => outcome?.result?.summary ?? outcome?.detail ?? '', min: 20, priority: 2 },
  ]);
}

function printBudgets(output: Output, { budgets, row: { meta }, costCap }: TaskFacts): void {
  const shown = budgets.filter(({ name, used }) => used > 0 || name === 'runs' || name === 'developer reruns');
  const groups: Piece[][] = shown.map(({ name, used, of }) => [
    { text: `${name} `, style: 'dim' },
    of !== null && used >= of ? { text: `${used} of ${of}`, style: 'bad' } : `${used}${of === null ? '' : ` of ${of}`}`,
  ]);
  const reserved = meta.reservedMicros > 0 ? ` + ${dollars(meta.reservedMicros)} set aside` : '';
  groups.push([
    { text: 'cost ', style: 'dim' },
    `${dollars(meta.spentMicros)}${reserved}${costCap === null ? '' : ` of ${dollars(costCap)}`}`,
  ]);
  title(output, 'Used');
  for (const line of flow(groups, output.terminal.out.width())) output.line(...line);
}

function rowsOf({ row, stages, runs, budgets, links, now }: TaskFacts): string[][] {
  const { task, meta } = row;
  const { hold } = task;
  return [
    ['task', task.id, taskState(row), task.stage, rfc3339(task.stageSince), task.title],
    ...(hold === null
      ? []
      : [['hold', hold.cause, hold.owner, rfc3339(hold.since), hold.text, hold.clearedBy, hold.command ?? '']]),
    ['place', task.repo, task.branch, task.baseBranch, links.pullRequest ?? '', links.item ?? ''],
    ...stages.map(({ stage, state, ms, visits }) => ['stage', stage, state, String(ms / 1000), String(visits)]),
    ...runs.map((run) => [
      'run',
      run.id,
      run.role,
      runResult(run),
      rfc3339(run.startedAt),
      String(runMs(run, now) / 1000),
      costOf(run),
      run.outcome?.detail ?? '',
    ]),
    ...budgets.map(({ name, used, of }) => ['used', name, String(used), of === null ? '' : String(of)]),
    ['used', 'dollars', String(meta.spentMicros / 1e6), ''],
  ];
}
