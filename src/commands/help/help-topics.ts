import { exitCodes, type ExitName } from '../../core/model/index.ts';
import type { Output } from '../../ui/output.ts';

const meanings: Record<ExitName, string> = {
  ok: 'done; also "was queued already" and "nothing to do"',
  failed: 'it failed',
  usage: 'wrong flag or argument',
  notFound: 'no such task, job, run or project',
  authentication: 'a server refused the token',
  notConfigured: 'the configuration is missing or has mistakes',
  notRunning: 'poller or worker is not running (only `status --exit-code`)',
  pending: 'not finished yet (only with --exit-code or --wait, and `advance`)',
  tryAgain: 'database busy, server down or too many requests: the same command may work later',
};

interface Code {
  code: number;
  meaning: string;
}

/** Every exit code the program ends with. */
export function exitCodeRows(): Code[] {
  return [
    ...Object.entries(exitCodes).map(([name, code]) => ({ code, meaning: meanings[name as ExitName] })),
    { code: 130, meaning: 'ended by a second Ctrl-C' },
    { code: 143, meaning: 'ended by a second SIGTERM' },
  ];
}

async function exitCodeTopic(output: Output): Promise<void> {
  const rows = exitCodeRows();
  if (output.asJson) return output.json({ exit_codes: rows });
  await output.table(rows, [
    { title: 'code', value: (row) => String(row.code), align: 'right' },
    { title: 'meaning', value: (row) => row.meaning, min: 20 },
  ]);
}

interface Variable {
  variable: string;
  meaning: string;
}

async function environmentTopic(output: Output): Promise<void> {
  const [{ configKeys }, { settingsJsonSchema }, { legacyVariables }, { secretForms }] = await Promise.all([
    import('../../core/config/keys.ts'),
    import('../../core/config/schema.ts'),
    import('../../core/config/legacy.ts'),
    import('../../core/config/secrets.ts'),
  ]);
  const rows: Variable[] = [
    { variable: 'ORCH_CONFIG', meaning: 'the configuration file, like --config' },
    ...secretForms().flatMap(({ variable, what }) => [
      { variable, meaning: `the ${what} (a secret)` },
      { variable: `${variable}_FILE`, meaning: `file with the ${what}` },
    ]),
    ...configKeys(settingsJsonSchema()).flatMap(({ variable, path }) =>
      variable === null ? [] : [{ variable, meaning: path }],
    ),
    ...[...legacyVariables].map(([variable, path]) => ({ variable, meaning: `${path} (old name)` })),
    { variable: 'NO_COLOR, FORCE_COLOR, CLICOLOR_FORCE', meaning: 'colour; --color and --no-color win' },
  ];
  if (output.asJson) return output.json({ variables: rows });
  await output.table(rows, [
    { title: 'variable', value: (row) => row.variable, min: 20 },
    { title: 'sets', value: (row) => row.meaning, min: 16 },
  ]);
}

/** Pages of `orch help` that are no commands. */
export const helpTopics: Record<string, { about: string; print: (output: Output) => Promise<void> }> = {
  'exit-codes': { about: 'what the exit codes mean', print: exitCodeTopic },
  environment: { about: 'every variable orch reads', print: environmentTopic },
};
