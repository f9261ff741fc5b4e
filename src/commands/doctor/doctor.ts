import { Command } from '@commander-js/extra-typings';
import type { CommandContext, CommandModule } from '../shared/contract.ts';
import type { Finding, Group } from './finding.ts';
import type { Output, Progress } from '../../ui/output.ts';

export const define: CommandModule['define'] = (context) =>
  new Command('doctor')
    .description(
      'Checks everything orch needs, and says what to do where something is missing: this machine, agents, tokens, Plane, Gitea, and every project. It only looks.',
    )
    .option('--strict', 'exit 1 also on warnings')
    .addHelpText(
      'after',
      `
Examples:
  $ orch doctor
  $ orch doctor --strict --quiet   only what is wrong; for scripts
  $ orch doctor --json | jq '.checks[] | select(.level != "good")'

Exit 1 when a check failed, 0 when there are warnings only.`,
    )
    .action((options) => doctor(context, options.strict === true));

interface Shown {
  group: string;
  finding: Finding;
}

async function doctor(context: CommandContext, strict: boolean): Promise<void> {
  const { output } = context;
  const progress = await output.progress('looking');
  const shown: Shown[] = [];
  try {
    for (const { title, findings } of await allGroups(context)) {
      progress.update(title);
      const found = await findings;
      shown.push(...found.map((finding) => ({ group: title, finding })));
      await print(output, progress, title, found);
    }
  } finally {
    progress.stop();
  }
  const count = (level: Finding['level']): number => shown.filter(({ finding }) => finding.level === level).length;
  const [failed, warnings] = [count('bad'), count('warning')];
  if (output.asJson) output.json(document(shown, failed, warnings));
  else conclude(output, failed, warnings);
  if (failed > 0 || (strict && warnings > 0)) context.exitWith('failed');
}

async function allGroups(context: CommandContext): Promise<Group[]> {
  const [{ programs }, { configuration, groupsOf }] = await Promise.all([
    import('./machine.ts'),
    import('./groups.ts'),
  ]);
  const machine: Group = { title: 'This machine', findings: programs() };
  const { findings, subject } = await configuration(context);
  const settings: Group = { title: 'Configuration', findings: Promise.resolve(findings) };
  if (subject === null) return [machine, settings];
  return [machine, settings, ...(await groupsOf(subject))];
}

const marks = { good: 'good', warning: 'warning', bad: 'bad' } as const;

/** One group; under `--quiet` only what is wrong. Long text goes on under its own beginning. */
async function print(output: Output, progress: Progress, title: string, findings: Finding[]): Promise<void> {
  const shown = output.quiet ? findings.filter(({ level }) => level !== 'good') : findings;
  if (shown.length === 0 || output.asJson) return;
  const { wrap } = await import('../../ui/wrap.ts');
  const { out, symbols } = output.terminal;
  progress.pause(() => {
    output.line({ text: title, style: 'bold' });
    for (const { name, level, text, advice } of shown) {
      const room = out.width() - indent;
      const [first = '', ...rest] = text.split('\n').flatMap((line) => wrap(line, room));
      output.line('  ', { text: symbols[marks[level]], style: level }, ` ${name.padEnd(nameWidth)} ${first}`);
      for (const line of rest) output.line(' '.repeat(indent), line);
      const advised = advice === null ? [] : wrap(advice, room - 2);
      advised.forEach((line, i) =>
        output.line(' '.repeat(indent), {
          text: `${i === 0 ? symbols.arrow : ' '.repeat(symbols.arrow.length)} ${line}`,
          style: 'accent',
        }),
      );
    }
  });
}

/** Width of the longest usual name of a check, and of everything before a finding's text. */
const nameWidth = 13;
const indent = nameWidth + 5;

function conclude(output: Output, failed: number, warnings: number): void {
  const { symbols } = output.terminal;
  const some = (n: number, what: string): string => `${n} ${what}${n === 1 ? '' : 's'}`;
  if (failed > 0)
    return output.line({
      text: `${symbols.bad} ${some(failed, 'problem')}, ${some(warnings, 'warning')}`,
      style: 'bad',
    });
  if (warnings > 0) return output.line({ text: `${symbols.warning} ${some(warnings, 'warning')}`, style: 'warning' });
  output.line({ text: `${symbols.good} everything is in order`, style: 'good' });
}

function document(shown: Shown[], failed: number, warnings: number): Record<string, unknown> {
  return {
    ok: failed === 0,
    failed,
    warnings,
    checks: shown.map(({ group, finding }) => ({ group: group.replace(/ {2}/g, ' '), ...finding })),
  };
}
