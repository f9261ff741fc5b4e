import { execFileSync } from 'node:child_process';
import { cpus, totalmem } from 'node:os';
import Database from 'better-sqlite3';
import { format } from 'prettier';
import type { Aim, Form, Section, Table } from './section.ts';

/** A part with what its numbers depend on, taken before it began. */
export interface Measured {
  part: string;
  form: Form['name'];
  startedAt: string;
  load: number[];
  seconds: number;
  machine: string;
  section: Section;
}

/** The machine and what runs on it. */
export function machine(): string {
  const [first] = cpus();
  const db = new Database(':memory:');
  const sqlite = db.prepare('SELECT sqlite_version()').pluck().get() as string;
  db.close();
  const gib = Math.round(totalmem() / 2 ** 30);
  const processors = `${cpus().length} × ${first?.model.trim() ?? 'unknown processor'}`;
  return `${processors}, ${gib} GiB, Linux ${kernel()}, node ${process.versions.node}, SQLite ${sqlite}`;
}

/** The whole report as Markdown, in the repository's style. */
export async function reportText(measured: Measured[]): Promise<string> {
  const aims = measured.flatMap(({ section }) => section.aims);
  const parts = [
    '<!-- Made by `npm run bench`. Do not edit. -->',
    '# Benchmarks',
    ...surroundingsText(measured),
    '## Aims',
    tableText({ head: ['', 'aim', 'measured', ''], rows: aims.map(aimRow) }),
    ...missedText(aims),
    ...measured.flatMap((one) => sectionText(one)),
  ];
  return format(parts.join('\n\n'), { parser: 'markdown', printWidth: 120 });
}

function sectionText({ section, startedAt, load, seconds }: Measured): string[] {
  const took = seconds < 90 ? `${Math.round(seconds)} s` : `${Math.round(seconds / 60)} minutes`;
  const when = `_${startedAt.slice(0, 16).replace('T', ' ')} UTC, ${took}, load at its start ${load.map((value) => value.toFixed(1)).join(', ')}._`;
  return [`## ${section.title}`, when, ...section.text, ...section.tables.map(tableText)];
}

function surroundingsText(measured: Measured[]): string[] {
  const machines = [...new Set(measured.map((one) => one.machine))];
  return [
    `Measured by \`npm run bench\` on ${machines.join('; ')}.`,
    'What a user feels comes first, contests come last. A part is measured in one piece, its contestants in turns: compare within a ' +
      'table, and take ratios rather than rates.',
    ...(measured.some(({ form }) => form === 'quick')
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
