import { execFileSync } from 'node:child_process';
import { cpus, loadavg, totalmem } from 'node:os';
import Database from 'better-sqlite3';
import { format } from 'prettier';
import type { Aim, Form, Section, Table } from './section.ts';

export interface Surroundings {
  form: Form;
  startedAt: Date;
  load: number[];
  seconds: number;
}

/** What the numbers depend on, taken before anything is measured. */
export function surroundings(form: Form): Surroundings {
  return { form, startedAt: new Date(), load: loadavg(), seconds: 0 };
}

/** The whole report as Markdown, in the repository's style. */
export async function reportText(where: Surroundings, sections: Section[]): Promise<string> {
  const aims = sections.flatMap((section) => section.aims);
  const parts = [
    '<!-- Made by `npm run bench`. Do not edit. -->',
    '# Benchmarks',
    ...surroundingsText(where),
    '## Aims',
    tableText({ head: ['', 'aim', 'measured', ''], rows: aims.map(aimRow) }),
    ...missedText(aims),
    ...sections.flatMap((section) => [`## ${section.title}`, ...section.text, ...section.tables.map(tableText)]),
  ];
  return format(parts.join('\n\n'), { parser: 'markdown', printWidth: 120 });
}

function surroundingsText({ form, startedAt, load, seconds }: Surroundings): string[] {
  const [first] = cpus();
  const db = new Database(':memory:');
  const sqlite = db.prepare('SELECT sqlite_version()').pluck().get() as string;
  db.close();
  const gib = Math.round(totalmem() / 2 ** 30);
  return [
    `\`npm run bench\`, ${form.name} form, ${startedAt.toISOString().slice(0, 10)}, in ${Math.round(seconds / 6) / 10} minutes. ` +
      `${cpus().length} × ${first?.model.trim() ?? 'unknown processor'}, ${gib} GiB, Linux ${kernel()}, node ${process.versions.node}, ` +
      `SQLite ${sqlite}. Load at the start: ${load.map((value) => value.toFixed(2)).join(', ')}.`,
    'Everything was measured in one run on one machine, contestants in turns: compare within a table, and take ratios rather than rates.',
    ...(form.name === 'quick'
      ? [
          '**The short form: few rounds, few samples. Its numbers say whether something is broken, not how fast orch is.**',
        ]
      : []),
  ];
}

function kernel(): string {
  return execFileSync('uname', ['-r'], { encoding: 'utf8' }).trim();
}

function aimRow({ what, aim, measured, met, missedBy }: Aim): string[] {
  return [what, aim, measured, met === null ? 'not measured' : met ? 'met' : `missed: ${missedBy}`];
}

/** Why aims were missed, each reason once. */
function missedText(aims: Aim[]): string[] {
  const reasons = new Map<string, string[]>();
  for (const { met, why, what } of aims) if (met === false) reasons.set(why, [...(reasons.get(why) ?? []), what]);
  if (aims.length === 0) return ['Nothing was measured.'];
  if (reasons.size === 0) return ['Every aim that was measured is met.'];
  return ['Why aims are missed:', [...reasons].map(([why, what]) => `- ${what.join('; ')}. ${why}`).join('\n')];
}

/** A Markdown table; figures stand on the right. */
export function tableText({ head, rows }: Table): string {
  const line = (cells: string[]): string => `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  const isFigure = (column: number): boolean => rows.every((row) => /^[–\d][\d .]*$/.test(row[column] ?? ''));
  const rule = head.map((_, column) => (rows.length > 0 && isFigure(column) ? '--:' : '---'));
  return [line(head), line(rule), ...rows.map(line)].join('\n');
}
