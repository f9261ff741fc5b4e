import { errorCodes, exitCodes, type ErrorCode, type ErrorKind, type ExitName, type Retry } from './error-codes.ts';

export interface OrchErrorOptions {
  /** Printed in `--json` errors and stored with effects and runs; its attributes say what follows. */
  code: ErrorCode;
  /** What the reader can do next, one sentence. */
  hint?: string;
  /** Earliest useful moment of the next try, milliseconds from now, where the peer said so. */
  retryAfterMs?: number;
  /**
   * Instead of the code's own exit. Only for `database_newer`: a program that starts has to be upgraded (the code's own),
   * a service under which the database was upgraded has to be restarted, which service managers do for this exit.
   */
  exit?: 'tryAgain';
  cause?: unknown;
}

/** The one error class of orch: every expected failure is one of these, anything else is a defect and prints as such. */
export class OrchError extends Error {
  readonly code: ErrorCode;
  readonly kind: ErrorKind;
  readonly exit: ExitName;
  readonly hint: string | undefined;
  readonly retry: Retry;
  readonly retryAfterMs: number | undefined;

  constructor(message: string, options: OrchErrorOptions) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    const { kind, exit, retry } = errorCodes[options.code];
    this.name = 'OrchError';
    this.code = options.code;
    this.kind = kind;
    this.exit = options.exit ?? exit;
    this.hint = options.hint;
    this.retry = retry;
    this.retryAfterMs = options.retryAfterMs;
  }

  get exitCode(): number {
    return exitCodes[this.exit];
  }
}

/** The message of anything that was thrown, on one line. */
export function errorText(error: unknown): string {
  if (error instanceof Error) return error.message;
  return typeof error === 'string' ? error : JSON.stringify(error);
}

/** Whether the database itself cannot be used: then nothing else fares better, and nothing can be recorded. */
export function isDatabaseError(error: unknown): boolean {
  return error instanceof OrchError && error.kind === 'database';
}

/** Whether the same call may pass later: trouble ends by itself, and a token or a right can be given while the work waits. */
export function mayPassLater(error: OrchError): boolean {
  return error.retry === 'later' || error.kind === 'authentication';
}

/** The message with what to do about it, for a place that shows one text. */
export function errorWithHint(error: unknown): string {
  const hint = error instanceof OrchError ? error.hint : undefined;
  return hint === undefined ? errorText(error) : `${errorText(error)} – ${hint}`;
}

/** Makes the compiler prove that a `switch` over a union is complete. */
export function assertNever(value: never): never {
  throw new Error(`unreachable: ${JSON.stringify(value)}`);
}
