import { fstatSync } from 'node:fs';
import pino from 'pino';
import type { Log, LogFields } from './log.ts';
import { printableJson } from './printable.ts';
import type { Redactor } from './redact.ts';

/** True when stderr goes straight to the journal, which understands `<priority>` prefixes (sd-daemon(3)). */
function stderrIsJournal(): boolean {
  const stream = process.env['JOURNAL_STREAM'];
  if (stream === undefined) return false;
  try {
    const stat = fstatSync(2);
    return stream === `${stat.dev}:${stat.ino}`;
  } catch {
    return false;
  }
}

const journalPriority: Record<number, number> = { 20: 7, 30: 6, 40: 4, 50: 3, 60: 2 };

/** JSON lines on stderr for services; written synchronously, so that the last line before a crash is not lost. */
export function jsonLog(level: 'debug' | 'info' | 'warn', redactor: Redactor): Log {
  const journal = stderrIsJournal();
  const destination = {
    lastLevel: 30,
    [Symbol.for('pino.metadata')]: true,
    write(line: string): void {
      const prefix = journal ? `<${journalPriority[this.lastLevel] ?? 6}>` : '';
      process.stderr.write(prefix + printableJson(redactor.redact(line)));
    },
  };
  const logger = pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    destination,
  );
  const at =
    (name: 'debug' | 'info' | 'warn' | 'error') =>
    (message: string, fields: LogFields = {}): void => {
      logger[name](fields, message);
    };
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
}
