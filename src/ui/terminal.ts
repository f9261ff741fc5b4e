import { Chalk, type ChalkInstance } from 'chalk';
import { symbolsFor, type Symbols } from './symbols.ts';

/** What orch needs of a stream; tests pass their own. */
export interface Stream {
  write(text: string | Uint8Array): unknown;
  isTTY?: boolean;
  columns?: number;
  rows?: number;
  on?(event: 'error' | 'resize', listener: (error: NodeJS.ErrnoException) => void): unknown;
  off?(event: 'resize', listener: () => void): unknown;
}

/** One of the two streams with what was decided about it. */
export interface Screen {
  stream: Stream;
  isTty: boolean;
  /** Columns now; a terminal may be resized at any time. Unbounded when it is none. */
  width(): number;
  rows(): number;
  chalk: ChalkInstance;
}

export interface Terminal {
  out: Screen;
  err: Screen;
  symbols: Symbols;
  /** Continuous integration: there may be a terminal, but nobody watches it. */
  ci: boolean;
}

export interface TerminalOptions {
  stdout: Stream;
  stderr: Stream;
  env: NodeJS.ProcessEnv;
  /** `--color` or `--no-color`; undefined: neither was given. */
  colour: boolean | undefined;
}

const fallbackWidth = 80;
const fallbackRows = 24;

/**
 * Whether to colour one stream, in this order: the flag, NO_COLOR (no-color.org), FORCE_COLOR or CLICOLOR_FORCE,
 * `TERM=dumb`, whether it is a terminal. chalk's own rule is not used: it ignores NO_COLOR on a terminal and lets
 * FORCE_COLOR win over `--no-color`.
 */
function wantsColour(flag: boolean | undefined, env: NodeJS.ProcessEnv, isTty: boolean): boolean {
  if (flag !== undefined) return flag;
  if ((env['NO_COLOR'] ?? '') !== '') return false;
  const force = env['FORCE_COLOR'];
  if (force !== undefined && force !== '') return force !== '0' && force !== 'false';
  const cliForce = env['CLICOLOR_FORCE'] ?? '';
  if (cliForce !== '' && cliForce !== '0') return true;
  return env['TERM'] !== 'dumb' && isTty;
}

function screen(stream: Stream, options: TerminalOptions): Screen {
  const isTty = stream.isTTY === true;
  return {
    stream,
    isTty,
    // A terminal may say 0 columns (some pseudo-terminals); 80 is what every terminal can show.
    width: () => (isTty ? stream.columns || fallbackWidth : Number.POSITIVE_INFINITY),
    rows: () => stream.rows || fallbackRows,
    chalk: new Chalk({ level: wantsColour(options.colour, options.env, isTty) ? 1 : 0 }),
  };
}

/** The two streams, looked at once. */
export function createTerminal(options: TerminalOptions): Terminal {
  return {
    out: screen(options.stdout, options),
    err: screen(options.stderr, options),
    symbols: symbolsFor(options.env),
    ci: (options.env['CI'] ?? '') !== '',
  };
}

/**
 * Ends the program quietly when the reader of stdout has gone (`orch status | head -1`): what was wanted has been
 * printed. A closed stderr is no reason to stop: the work goes on unseen.
 */
export function endQuietlyOnClosedPipe(stdout: Stream, stderr: Stream, exit: (code: number) => void): void {
  stdout.on?.('error', (error) => {
    if (error.code === 'EPIPE') exit(0);
    else throw error;
  });
  stderr.on?.('error', (error) => {
    if (error.code !== 'EPIPE') throw error;
  });
}
