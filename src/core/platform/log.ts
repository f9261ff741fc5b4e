import { printable } from './printable.ts';
import type { Redactor } from './redact.ts';

export type LogFields = Record<string, string | number | boolean | null | undefined>;

/** Structured log: a static message and fields. `error` is a defect of orch, `warn` trouble outside, `info` what happened. */
export interface Log {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
}

export const silentLog: Log = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

/** Readable lines on stderr for a person at a terminal. */
export function lineLog(level: 'debug' | 'info' | 'warn', redactor: Redactor, write: (line: string) => void): Log {
  const order = { debug: 0, info: 1, warn: 2, error: 3 } as const;
  const at =
    (name: keyof typeof order) =>
    (message: string, fields: LogFields = {}): void => {
      if (order[name] < order[level]) return;
      const time = new Date().toISOString().slice(11, 19);
      const details = Object.entries(fields)
        .filter(([, value]) => value !== undefined && value !== null)
        // A line feed in a value must not begin a line of the log.
        .map(([key, value]) => `${key}=${printable(String(value)).replaceAll('\n', '\\n')}`)
        .join(' ');
      write(
        redactor.redact(
          `${time} ${name === 'info' ? '' : `${name}: `}${message}${details === '' ? '' : `  ${details}`}\n`,
        ),
      );
    };
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
}
