import { errorText, OrchError, type ErrorCode } from '../core/model/index.ts';
import { printable, printableJson } from '../core/platform/printable.ts';
import type { Redactor } from '../core/platform/redact.ts';
import { oneLine, paint, styleOf, textOf, type Piece, type Style } from './pieces.ts';
import type { Column } from './table.ts';
import type { Screen, Terminal } from './terminal.ts';

/** Raised when a field of a `--json` document is renamed or removed; adding one is free. */
const schemaVersion = 1;

export interface OutputOptions {
  terminal: Terminal;
  redactor: Redactor;
  json: boolean;
  quiet: boolean;
  verbose: boolean;
}

/** Progress of one thing on stderr; the moving line does nothing where nobody watches. */
export interface Progress {
  update(text: string): void;
  /** A line that stays, above the moving one; also printed where no line moves, but not under `--quiet` or `--json`. */
  log(...pieces: Piece[]): void;
  /** Takes the moving line away while `print` prints to stdout, which is the same terminal. */
  pause(print: () => void): void;
  /** Takes the line away, or leaves it with a mark and this text. */
  stop(end?: { ok: boolean; text: string }): void;
}

/**
 * The only way to print. stdout is data, stderr is progress and errors (spec 8). Everything is redacted, and text is
 * escaped before it is coloured; under `--json` only `json` writes to stdout, so that it stays one document.
 */
export interface Output {
  readonly asJson: boolean;
  readonly quiet: boolean;
  readonly verbose: boolean;
  readonly terminal: Terminal;
  /** A line of pieces on stdout. */
  line(...pieces: Piece[]): void;
  /** Text for a machine or a file on stdout: several lines, no styles. */
  data(text: string): void;
  /**
   * One JSON document on stdout; fields are snake_case by the caller, `schema_version` is added. Indented on a terminal,
   * one line elsewhere and in frames of `--watch`.
   */
  json(document: Record<string, unknown>): void;
  table<T>(rows: readonly T[], columns: Column<T>[]): Promise<void>;
  /** What a person may want to know, on stderr; not under `--quiet` or `--json`. */
  note(text: string): void;
  /** Trouble that stops nothing, on stderr; not under `--json`, where documents carry it. */
  warn(text: string): void;
  /** A line of a log on stderr, already formatted by the logger; escaped here again would be twice. */
  logLine(line: string): void;
  progress(text: string): Promise<Progress>;
  /** An error that ends the command: message and hint, or one JSON line under `--json`. */
  error(error: unknown): void;
  /** What `draw` prints to stdout, as text, for a frame of `--watch`. */
  capture(draw: (output: Output) => Promise<void>): Promise<string>;
}

function safeJson(value: unknown, indent: number): string {
  return printableJson(JSON.stringify(value, null, indent));
}

interface ErrorFacts {
  code: ErrorCode;
  message: string;
  hint: string | undefined;
}

/** Expected errors say what to do; anything else is a defect of orch and says so. */
function factsOf(error: unknown): ErrorFacts {
  if (error instanceof OrchError) return { code: error.code, message: error.message, hint: error.hint };
  return {
    code: 'defect',
    message: `this is a defect in orch: ${errorText(error)}`,
    hint: 'Run the command again with --verbose and report what it prints.',
  };
}

/** The stack of an error and of what caused it, for `--verbose`. */
function stackOf(error: unknown): string {
  const own = error instanceof Error ? (error.stack ?? error.message) : errorText(error);
  const cause = error instanceof Error ? error.cause : undefined;
  return cause === undefined ? own : `${own}\ncaused by: ${stackOf(cause)}`;
}

function label(text: string, style: Style, screen: Screen): string {
  return paint(text, style, screen.chalk);
}

function styledLine(pieces: Piece[], screen: Screen): string {
  return `${pieces.map((piece) => paint(oneLine(textOf(piece)), styleOf(piece), screen.chalk)).join('')}\n`;
}

/** @param write where stdout goes; `capture` collects it instead */
export function createOutput(options: OutputOptions, write?: (text: string) => void): Output {
  const { terminal, redactor, json: asJson, quiet, verbose } = options;
  const { out, err } = terminal;
  const print = write ?? ((text: string) => void out.stream.write(text));
  const toOut = (text: string): void => print(redactor.redact(text));
  const toErr = (text: string): void => void err.stream.write(redactor.redact(text));
  const note = (line: string): void => {
    if (!quiet && !asJson) toErr(line);
  };
  const output: Output = {
    asJson,
    quiet,
    verbose,
    terminal,
    line(...pieces) {
      if (asJson) return;
      toOut(styledLine(pieces, out));
    },
    data(text) {
      if (!asJson) toOut(printable(text.endsWith('\n') ? text : `${text}\n`));
    },
    json(document) {
      toOut(`${safeJson({ schema_version: schemaVersion, ...document }, out.isTty && write === undefined ? 2 : 0)}\n`);
    },
    async table(rows, columns) {
      if (asJson) return;
      // string-width is slow to load, and most commands print no table.
      const { renderTable } = await import('./table.ts');
      toOut(renderTable(rows, columns, out, terminal.symbols.ellipsis));
    },
    note(text) {
      note(`${printable(text)}\n`);
    },
    warn(text) {
      if (!asJson) toErr(`${label('warning:', 'warning', err)} ${printable(text)}\n`);
    },
    logLine: toErr,
    async progress(text) {
      const log = (...pieces: Piece[]): void => note(styledLine(pieces, err));
      // A pseudo-terminal may say that it has 0 columns; ora then erases lines without end.
      const watched = err.isTty && (err.stream.columns ?? 0) > 0 && !terminal.ci;
      if (!watched || asJson || quiet) return { update: () => {}, log, pause: (work) => work(), stop: () => {} };
      return spinner(oneLine(text), redactor, err, log);
    },
    error(error) {
      const { code, message, hint } = factsOf(error);
      if (asJson) toErr(`${safeJson({ error: { code, message, hint: hint ?? null } }, 0)}\n`);
      else {
        toErr(`${label('error:', 'bad', err)} ${printable(message)}\n`);
        if (hint !== undefined) toErr(`${label('hint:', 'accent', err)} ${printable(hint)}\n`);
      }
      if (verbose) toErr(`${printable(stackOf(error))}\n`);
    },
    async capture(draw) {
      const parts: string[] = [];
      await draw(createOutput(options, (text) => parts.push(text)));
      return parts.join('');
    },
  };
  return output;
}

/** ora, loaded only when somebody watches: off a terminal it would still print coloured lines. */
async function spinner(
  text: string,
  redactor: Redactor,
  screen: Screen,
  log: (...pieces: Piece[]) => void,
): Promise<Progress> {
  const { default: ora } = await import('ora');
  const clean = (raw: string): string => redactor.redact(oneLine(raw));
  const spin = ora({
    text: clean(text),
    stream: screen.stream as NodeJS.WriteStream,
    discardStdin: false,
    color: screen.chalk.level === 0 ? false : 'cyan',
  }).start();
  const pause = (work: () => void): void => {
    spin.clear();
    work();
    spin.render();
  };
  return {
    update(raw) {
      spin.text = clean(raw);
    },
    log: (...pieces) => pause(() => log(...pieces)),
    pause,
    stop(end) {
      if (end === undefined) spin.stop();
      else if (end.ok) spin.succeed(clean(end.text));
      else spin.fail(clean(end.text));
    },
  };
}

/** Longest line of raw output that is held back until it is complete, and what then stays held back, bytes. */
const maxHeldLine = 64 * 1024;
const heldTail = 4 * 1024;

/**
 * Bytes on stdout, not escaped: only for what the user asked for by name (`orch logs --raw`). Secrets are replaced here, too,
 * so a line is written when it is complete.
 */
export function rawWriter(output: Output, redactor: Redactor): { write: (bytes: Uint8Array) => void; end: () => void } {
  let held = '';
  const print = (text: string): void => {
    // One character a byte: bytes of any encoding come out as they were.
    if (text !== '') output.terminal.out.stream.write(Buffer.from(redactor.redact(text), 'latin1'));
  };
  return {
    write(bytes) {
      held += Buffer.from(bytes).toString('latin1');
      const complete = held.lastIndexOf('\n') + 1;
      const cut = held.length - complete > maxHeldLine ? held.length - heldTail : complete;
      print(held.slice(0, cut));
      held = held.slice(cut);
    },
    end() {
      print(held);
      held = '';
    },
  };
}
