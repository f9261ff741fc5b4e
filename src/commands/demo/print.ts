import { counted } from '../../core/model/index.ts';
import { dollars } from '../../core/engine/messages/catalogue.ts';
import type { Output } from '../../ui/output.ts';
import { duration } from '../../ui/format.ts';
import type { DemoSite } from '../../sandbox/demo/site.ts';
import type { DemoReport } from './report.ts';

/** The end of a demonstration, for people. */
export async function printReport(output: Output, report: DemoReport, kept: boolean): Promise<void> {
  const { row, pull } = report;
  const { symbols } = output.terminal;
  const heading = (text: string): void => {
    output.line('');
    output.line({ text, style: 'bold' });
  };
  output.line('');
  output.line(
    { text: `${symbols.good} ${row.task.id}`, style: 'good' },
    ` went from a Plane work item to a merged pull request in ${duration(report.durationMs)}.`,
  );
  heading('What happened');
  await output.table(report.visits, [
    { title: 'stage', value: (visit) => visit.stage },
    { title: 'time', value: (visit) => duration(visit.ms), align: 'right' },
    { title: 'runs', value: (visit) => String(visit.runs), align: 'right', priority: 2 },
    { title: 'cost', value: (visit) => dollars(visit.costMicros), align: 'right', priority: 1 },
    {
      title: 'how it ended',
      value: (visit) => (visit.back ? { text: visit.ended, style: 'warning' } : visit.ended),
      min: 16,
    },
  ]);
  output.line({
    text: `${counted(row.meta.runs, 'run')}, ${dollars(row.meta.spentMicros)} (scripted agents: nobody paid)`,
    style: 'dim',
  });
  heading('Comments in Plane');
  await output.table(report.comments, [
    { title: 'by', value: (comment) => comment.by },
    { title: 'comment', value: (comment) => comment.text, min: 20 },
  ]);
  output.line({ text: `and ${report.telegramMessages} messages to the Telegram chat`, style: 'dim' });
  heading(`Commits on ${row.task.branch}`);
  await output.table(report.commits, [
    { title: 'commit', value: (commit) => ({ text: commit.sha.slice(0, 10), style: 'accent' }) },
    { title: 'message', value: (commit) => commit.subject, min: 20 },
  ]);
  heading('Pull request');
  if (pull !== null) {
    output.line(`#${pull.number}  ${pull.url}`);
    if (pull.merged !== null) output.line(`merged into ${row.task.baseBranch} as ${pull.merged.slice(0, 10)}`);
  }
  if (!kept) printNext(output);
}

function printNext(output: Output): void {
  output.line('');
  output.line({ text: 'What to look at next', style: 'bold' });
  const rows: [command: string, what: string][] = [
    ['orch demo --keep', 'the same, and the sandbox stays up to be explored'],
    ['orch init', 'a configuration for your own Plane and Gitea'],
    ['orch doctor', 'whether everything orch needs is there'],
    ['orch help', 'every command'],
  ];
  for (const [command, what] of rows) output.line('  ', { text: command.padEnd(18), style: 'accent' }, what);
}

/** `--keep`: where everything is, and what to try on it. */
export function printKept(output: Output, site: DemoSite, report: DemoReport): void {
  const { world, file } = site;
  const id = report.row.task.id;
  const base = `--config ${file}`;
  output.line('');
  output.line({ text: 'The sandbox stays up until Ctrl-C', style: 'bold' });
  for (const [name, where] of [
    ['Plane', `${world.plane.url} (API)`],
    ['Gitea', `${world.gitea.url} (API and git)`],
    ['Telegram', `${world.telegram.url} (API)`],
    ['configuration', file],
    ['everything', site.root],
  ])
    output.line(`  ${(name ?? '').padEnd(15)}${where ?? ''}`);
  output.line('');
  output.line({ text: 'In another terminal', style: 'bold' });
  for (const [name, value] of Object.entries(world.env)) output.line(`  export ${name}=${value}`);
  const pull = report.pull === null ? '' : `/pulls/${report.pull.number}`;
  for (const command of [
    `orch status ${base}`,
    `orch why ${id} ${base}`,
    `orch doctor ${base}`,
    `git clone ${world.gitea.url}/${report.row.task.repo}.git`,
    `curl ${world.gitea.url}/api/v1/repos/${report.row.task.repo}${pull}`,
  ])
    output.line('  ', { text: command, style: 'accent' });
}

/** The same as one document. */
export function reportDocument(report: DemoReport, site: DemoSite | null): Record<string, unknown> {
  const { row, pull } = report;
  return {
    task: row.task.id,
    stage: row.task.stage,
    title: row.task.title,
    branch: row.task.branch,
    duration_ms: report.durationMs,
    runs: row.meta.runs,
    spent_dollars: row.meta.spentMicros / 1e6,
    visits: report.visits.map((visit) => ({
      stage: visit.stage,
      duration_ms: visit.ms,
      runs: visit.runs,
      spent_dollars: visit.costMicros / 1e6,
      ended: visit.ended,
    })),
    comments: report.comments,
    commits: report.commits,
    pull_request: pull === null ? null : { number: pull.number, url: pull.url, merge_commit: pull.merged },
    sandbox:
      site === null
        ? null
        : {
            root: site.root,
            config: site.file,
            plane_url: site.world.plane.url,
            gitea_url: site.world.gitea.url,
            telegram_url: site.world.telegram.url,
            env: site.world.env,
          },
  };
}
