import type { CommandContext } from '../shared/contract.ts';
import { failed, good, warning, type Finding, type Subject } from './finding.ts';

/** The configuration, and what the other checks start from; null when it cannot be used. */
export async function configuration(
  context: CommandContext,
): Promise<{ findings: Finding[]; subject: Subject | null }> {
  const [{ connectParts }, { systemClock }, { silentLog }] = await Promise.all([
    import('../../app.ts'),
    import('../../core/platform/clock.ts'),
    import('../../core/platform/log.ts'),
  ]);
  try {
    const { config, file, warnings } = await context.loadConfig();
    const findings = [
      file === null
        ? warning('file', 'there is none: defaults and environment', 'Run `orch init`, or name one with --config.')
        : good('file', file),
      // People have read them on stderr by now.
      ...(context.output.asJson ? warnings : []).map((text) => warning('environment', text, 'Correct or remove it.')),
    ];
    const { secrets, redactor, env } = context;
    const parts = connectParts({ config, secrets, redactor, env, clock: systemClock, log: silentLog });
    return { findings, subject: { config, parts, secrets, env } };
  } catch (error) {
    return { findings: [failed('file', error)], subject: null };
  }
}
