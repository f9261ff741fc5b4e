/**
 * Exit codes of the program (spec 8). Where systemd prints a name for a number, the number has that meaning
 * (`systemd-analyze exit-status`): 2 INVALIDARGUMENT, 4 NOPERMISSION, 6 NOTCONFIGURED, 7 NOTRUNNING, 75 TEMPFAIL.
 */
export const exitCodes = {
  ok: 0,
  failed: 1,
  usage: 2,
  notFound: 3,
  authentication: 4,
  notConfigured: 6,
  notRunning: 7,
  pending: 8,
  tryAgain: 75,
} as const;

export type ExitName = keyof typeof exitCodes;

/** How a failed call to a peer, to git or to the store may be answered: by trying again, or not. */
export type Retryable = 'retry' | 'never';

export interface OrchErrorOptions {
  /** Stable machine name, `snake_case`; printed in `--json` errors and stored with effects and runs. */
  code: string;
  /** The row of the exit-code table this error ends a command with. Default `failed`, or `tryAgain` where a retry may help. */
  exit?: ExitName;
  /** What the reader can do next, one sentence. */
  hint?: string;
  /** Whether the same call may succeed later. Default `never`. */
  retry?: Retryable;
  /** Earliest useful moment of the next try, milliseconds from now, where the peer said so. */
  retryAfterMs?: number;
  cause?: unknown;
}

/** The one error class of orch: every expected failure is one of these, anything else is a defect and prints as such. */
export class OrchError extends Error {
  readonly code: string;
  readonly exit: ExitName;
  readonly hint: string | undefined;
  readonly retry: Retryable;
  readonly retryAfterMs: number | undefined;

  constructor(message: string, options: OrchErrorOptions) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'OrchError';
    this.code = options.code;
    this.exit = options.exit ?? (options.retry === 'retry' ? 'tryAgain' : 'failed');
    this.hint = options.hint;
    this.retry = options.retry ?? 'never';
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

/** Whether the database itself cannot be used (`database_*`): then nothing else fares better, and nothing can be kept. */
export function isDatabaseError(error: unknown): boolean {
  return error instanceof OrchError && error.code.startsWith('database_');
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
