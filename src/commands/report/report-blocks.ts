import type { DecisionRow, Run, Tokens } from '../../core/model/index.ts';
import { counted } from '../../core/model/index.ts';
import { dollars, duration, rfc3339 } from '../../ui/format.ts';
import { taskState } from '../shared/overview.ts';
import { visitSpans } from '../shared/stage-times.ts';
import { runMs, runResult, type TaskFacts } from '../shared/task-facts.ts';
import { workName } from '../shared/work-name.ts';

/** A text with an address behind it, or none. */
export interface Cell {
  text: string;
  href?: string;
}

/** One stretch of a timeline, in milliseconds since the epoch. */
export interface Stretch {
  label: string;
  from: number;
  to: number;
  tone: 'stage' | 'good' | 'bad' | 'open';
  note: string;
}

/** What a report is made of, whatever it is written as; every text is untrusted until a writer has escaped it. */
export type Block =
  | { kind: 'heading'; level: 1 | 2 | 3; text: string }
  | { kind: 'paragraph'; cells: Cell[] }
  | { kind: 'facts'; rows: { name: string; value: Cell }[] }
  | { kind: 'table'; titles: string[]; rows: Cell[][] }
  | { kind: 'timeline'; rows: Stretch[] };

export interface TaskReport {
  facts: TaskFacts;
  /** Oldest first. */
  decisions: DecisionRow[];
}

const moment = (at: number): string => rfc3339(at).slice(0, 19).replace('T', ' ');
const cell = (text: string, href?: string | null): Cell => (href == null ? { text } : { text, href });
const heading = (level: 1 | 2 | 3, text: string): Block => ({ kind: 'heading', level, text });

/** The report of several tasks begins with a table of them. */
export function reportBlocks(reports: TaskReport[], now: number, whole: boolean): Block[] {
  const blocks: Block[] = [];
  if (whole) {
    blocks.push(heading(1, 'Tasks'));
    blocks.push({ kind: 'paragraph', cells: [cell(`${counted(reports.length, 'task')}, ${moment(now)} UTC`)] });
    if (reports.length > 0) blocks.push(taskTable(reports));
  }
  for (const report of reports) blocks.push(...taskBlocks(report, whole ? 2 : 1));
  return blocks;
}

function taskTable(reports: TaskReport[]): Block {
  return {
    kind: 'table',
    titles: ['Task', 'State', 'Stage', 'Runs', 'Cost', 'Title'],
    rows: reports.map(({ facts: { row, links } }) => [
      cell(row.task.id, links.item),
      cell(taskState(row)),
      cell(row.task.stage),
      cell(String(row.meta.runs)),
      cell(dollars(row.meta.spentMicros)),
      cell(row.task.title),
    ]),
  };
}

function taskBlocks({ facts, decisions }: TaskReport, level: 1 | 2): Block[] {
  const { row, now, runs } = facts;
  const inner = level === 1 ? 2 : 3;
  return [
    heading(level, `${row.task.id}: ${row.task.title}`),
    factBlock(facts),
    heading(inner, 'Timeline'),
    { kind: 'timeline', rows: timeline(facts) },
    ...(runs.length === 0 ? [] : [heading(inner, 'Runs'), runTable(runs, now)]),
    ...(decisions.length === 0 ? [] : [heading(inner, 'Decisions'), decisionTable(decisions)]),
  ];
}

/** Tokens by class, and how much of what the model read came from the provider's cache. */
function tokensText(used: Tokens[]): string {
  const sum = (of: keyof Tokens): number => used.reduce((all, one) => all + one[of], 0);
  const [input, read, write] = [sum('input'), sum('cacheRead'), sum('cacheWrite')];
  const whole = input + read + write;
  const share = whole === 0 ? '' : ` (${Math.round((100 * read) / whole)} %)`;
  const count = (n: number): string => n.toLocaleString('en-US');
  return `${count(whole)} read, of them ${count(read)} from the cache${share}, ${count(write)} written to it; ${count(sum('output'))} written`;
}

function factBlock({ row, links, budgets, costCap, stages, runs, now }: TaskFacts): Block {
  const { task, meta } = row;
  const rows: { name: string; value: Cell }[] = [];
  const add = (name: string, text: string, href?: string | null): void =>
    void rows.push({ name, value: cell(text, href) });
  add('State', `${taskState(row)}, ${task.stage} since ${moment(task.stageSince)} UTC`);
  if (task.hold !== null) add('Hold', task.hold.text);
  if (task.hold !== null) add('Cleared by', `${task.hold.clearedBy} (${task.hold.owner})`);
  if (task.hold?.command != null) add('Command', task.hold.command);
  if (links.item !== null) add('Work item', task.id, links.item);
  add('Branch', `${task.repo} ${task.branch}`, links.branch);
  if (task.prNumber !== null) add('Pull request', `#${task.prNumber}`, links.pullRequest);
  if (task.mergedSha !== null) add('Merged as', task.mergedSha);
  const end = task.stage === 'done' || task.stage === 'cancelled' ? task.stageSince : now;
  add('Came in', `${moment(task.createdAt)} UTC, ${duration(end - task.createdAt)} in all`);
  add(
    'Stages',
    stages
      .filter(({ visits }) => visits > 0)
      .map(({ stage, ms }) => `${stage} ${duration(ms)}`)
      .join(', ') || 'none yet',
  );
  add('Used', budgets.map(({ name, used, of }) => `${name} ${used}${of === null ? '' : ` of ${of}`}`).join(', '));
  add('Cost', `${dollars(meta.spentMicros)}${costCap === null ? '' : ` of ${dollars(costCap)}`}`);
  const used = runs.flatMap(({ outcome }) => outcome?.tokens ?? []);
  if (used.length > 0) add('Tokens', tokensText(used));
  return { kind: 'facts', rows };
}

/** Visits and runs in the order they began. */
function timeline({ row, visits, runs, now }: TaskFacts): Stretch[] {
  const stays = visitSpans(row.task, visits, now).map(({ visit, from, to }): Stretch => ({
    label: visit.stage,
    from,
    to,
    tone: 'stage',
    note: visit.why,
  }));
  const work = runs.map((run): Stretch => ({
    label: `${workName(run)}, run ${run.id}`,
    from: run.startedAt,
    to: Math.max(run.endedAt ?? now, run.startedAt),
    tone: run.phase !== 'settled' ? 'open' : run.outcome?.kind === 'success' ? 'good' : 'bad',
    note: runResult(run),
  }));
  return [...stays, ...work].sort((a, b) => a.from - b.from);
}

function runTable(runs: Run[], now: number): Block {
  return {
    kind: 'table',
    titles: ['Run', 'Agent', 'Try', 'Began (UTC)', 'Took', 'Cost', 'Tokens', 'Result', 'Says', 'Published'],
    rows: runs.map((run) => [
      cell(run.id),
      cell(workName(run)),
      cell(String(run.attempt)),
      cell(moment(run.startedAt)),
      cell(duration(runMs(run, now))),
      cell(run.outcome === null || run.outcome.costMicros === null ? '' : dollars(run.outcome.costMicros)),
      cell(run.outcome?.tokens == null ? '' : tokensText([run.outcome.tokens])),
      cell(runResult(run)),
      cell(run.outcome?.result?.summary ?? run.outcome?.detail ?? ''),
      cell(run.publishedSha?.slice(0, 10) ?? ''),
    ]),
  };
}

function decisionTable(decisions: DecisionRow[]): Block {
  return {
    kind: 'table',
    titles: ['When (UTC)', 'Step', 'Why', 'Rule', 'Cause', 'Evidence'],
    rows: decisions.map(({ at, fromStage, toStage, why }) => [
      cell(moment(at)),
      cell(fromStage === toStage ? toStage : `${fromStage} → ${toStage}`),
      cell(why.sentence),
      cell(why.rule),
      cell(why.cause),
      cell(
        Object.entries(why.evidence)
          .map(([key, value]) => `${key}=${value}`)
          .join(', '),
      ),
    ]),
  };
}
