import { stripVTControlCharacters } from 'node:util';
import stringWidth from 'string-width';
import { describe, expect, it } from 'vitest';
import { OrchError } from '../../src/core/model/index.ts';
import type { Clock } from '../../src/core/platform/clock.ts';
import { Redactor } from '../../src/core/platform/redact.ts';
import { createOutput, type Output } from '../../src/ui/output.ts';
import { symbolsFor } from '../../src/ui/symbols.ts';
import { renderTable, truncate, type Column } from '../../src/ui/table.ts';
import { createTerminal, endQuietlyOnClosedPipe, type Stream } from '../../src/ui/terminal.ts';
import { ago, duration, rfc3339 } from '../../src/ui/format.ts';
import { watch } from '../../src/ui/watch.ts';

interface Fake extends Stream {
  text: string;
  emit(event: 'error' | 'resize', error?: NodeJS.ErrnoException): void;
}

function fakeStream(columns: number | null, rows = 10): Fake {
  const listeners = new Map<string, (error: NodeJS.ErrnoException) => void>();
  const stream: Fake = {
    text: '',
    write: (text) => (stream.text += text),
    on: (event, listener) => listeners.set(event, listener),
    off: (event) => listeners.delete(event),
    emit: (event, error) => listeners.get(event)?.(error as NodeJS.ErrnoException),
  };
  if (columns !== null) Object.assign(stream, { isTTY: true, columns, rows });
  return stream;
}

function setUp(
  options: { columns?: number | null; json?: boolean; quiet?: boolean; verbose?: boolean; colour?: boolean } = {},
) {
  const stdout = fakeStream(options.columns ?? null);
  const stderr = fakeStream(options.columns ?? null);
  const redactor = new Redactor();
  const env = { LANG: 'C.UTF-8', CI: '1' };
  const terminal = createTerminal({ stdout, stderr, env, colour: options.colour ?? false });
  const output = createOutput({
    terminal,
    redactor,
    json: options.json ?? false,
    quiet: options.quiet ?? false,
    verbose: options.verbose ?? false,
  });
  return { stdout, stderr, redactor, terminal, output };
}

describe('colour', () => {
  it.each<[boolean | undefined, NodeJS.ProcessEnv, boolean, boolean]>([
    [undefined, {}, true, true],
    [undefined, {}, false, false],
    [undefined, { NO_COLOR: '1' }, true, false],
    [undefined, { NO_COLOR: '' }, true, true],
    [true, { NO_COLOR: '1' }, false, true],
    [false, { FORCE_COLOR: '1' }, true, false],
    [undefined, { NO_COLOR: '1', FORCE_COLOR: '1' }, true, false],
    [undefined, { FORCE_COLOR: '1' }, false, true],
    [undefined, { FORCE_COLOR: '0' }, true, false],
    [undefined, { CLICOLOR_FORCE: '1' }, false, true],
    [undefined, { CLICOLOR_FORCE: '0' }, false, false],
    [undefined, { TERM: 'dumb' }, true, false],
    [undefined, { TERM: 'dumb', FORCE_COLOR: '1' }, true, true],
  ])('flag %s, %j, terminal %s → %s', (colour, env, isTty, wanted) => {
    const stream = fakeStream(isTty ? 80 : null);
    const { out } = createTerminal({ stdout: stream, stderr: stream, env, colour });
    expect(out.chalk.level > 0).toBe(wanted);
  });

  it('falls back to plain marks where the locale or terminal has no others', () => {
    expect(symbolsFor({ LANG: 'de_DE.UTF-8' }).good).toBe('✓');
    expect(symbolsFor({ LANG: 'de_DE.UTF-8', LC_ALL: 'C' }).good).toBe('+');
    expect(symbolsFor({ LANG: 'C.UTF-8', TERM: 'linux' }).good).toBe('+');
    expect(symbolsFor({}).ellipsis).toBe('~');
  });
});

interface Row {
  id: string;
  title: string;
  age: string;
}

const columns: Column<Row>[] = [
  { title: 'task', value: (row) => ({ text: row.id, style: 'accent' }) },
  { title: 'title', value: (row) => row.title, min: 10 },
  { title: 'age', value: (row) => row.age, align: 'right', priority: 1 },
  { title: 'note', value: () => 'waits for a person who may approve it', min: 8, priority: 2 },
];
const rows: Row[] = [
  { id: 'ET-012', title: 'Add a shopping basket with a very long title indeed', age: '5m' },
  { id: 'ET-1234', title: '購物車の表示を直す', age: '12h' },
];

function table(width: number | null, wanted = columns): string[] {
  const { terminal } = setUp({ columns: width });
  return renderTable(rows, wanted, terminal.out, '…').trimEnd().split('\n');
}

describe('table', () => {
  it('at 200 columns shows everything, aligned', () => {
    const lines = table(200);
    expect(lines).toEqual([
      'TASK     TITLE                                                AGE  NOTE',
      'ET-012   Add a shopping basket with a very long title indeed   5m  waits for a person who may approve it',
      `ET-1234  購物車の表示を直す${' '.repeat(33)}  12h  waits for a person who may approve it`,
    ]);
  });

  it.each([200, 80, 60, 40, 24])('at %i columns no line is too wide', (width) => {
    const lines = table(width);
    expect(Math.max(...lines.map((line) => stringWidth(line)))).toBeLessThanOrEqual(width);
  });

  it('at 80 columns cuts what may be cut', () => {
    const [header, first] = table(80);
    expect(header).toMatch(/^TASK {5}TITLE .*AGE {2}NOTE$/);
    expect(first).toContain('…');
    expect(first).toMatch(/^ET-012 /);
  });

  it('drops columns of low priority when narrow, then stacks', () => {
    expect(table(30)[0]).toMatch(/^TASK {5}TITLE .*AGE$/);
    expect(table(22)[0]).toMatch(/^TASK {5}TITLE$/);
    const stacked = table(16);
    expect(stacked.slice(0, 2)).toEqual(['task   ET-012', 'title  Add a sh…']);
    expect(stacked).toContain('');
  });

  it('piped is tab separated, without header, nothing cut, one line a row', () => {
    const hostile = [{ id: 'ET-1', title: 'a\tb\nc\u001b[31m\u202e', age: '' }];
    const { terminal } = setUp();
    expect(renderTable(rows, columns, terminal.out, '…').split('\n')[0]).toBe(
      'ET-012\tAdd a shopping basket with a very long title indeed\t5m\twaits for a person who may approve it',
    );
    expect(renderTable(hostile, columns.slice(0, 2), terminal.out, '…')).toBe('ET-1\ta b c\\x1b[31m\\u202e\n');
  });

  it('colours cells after escaping and measuring', () => {
    const { terminal } = setUp({ columns: 80, colour: true });
    const text = renderTable(rows, columns, terminal.out, '…');
    expect(text).toContain('\u001b[36mET-012');
    expect(stripVTControlCharacters(text).trimEnd().split('\n')).toEqual(table(80));
  });

  it('cuts on whole characters', () => {
    expect(truncate('購物車', 5, '…')).toBe('購物…');
    expect(truncate('👩‍👩‍👧ab', 3, '…')).toBe('👩‍👩‍👧…');
    expect(truncate('ab', 2, '…')).toBe('ab');
  });
});

describe('time', () => {
  it.each([
    [0, '0ms'],
    [999, '999ms'],
    [45_400, '45s'],
    [184_000, '3m04s'],
    [7_500_000, '2h05m'],
    [3 * 86_400_000 + 4 * 3_600_000, '3d04h'],
    [3_600_000, '1h'],
    [-5, '0ms'],
  ])('%i ms is %s', (ms, text) => expect(duration(ms)).toBe(text));

  it('tells past and future', () => {
    expect(ago(0, 200_000)).toBe('3m ago');
    expect(ago(20_000, 0)).toBe('in 20s');
    expect(ago(0, 300)).toBe('now');
    expect(rfc3339(0)).toBe('1970-01-01T00:00:00.000Z');
  });
});

describe('output', () => {
  it('escapes and redacts everything', () => {
    const { output, stdout, stderr, redactor } = setUp();
    redactor.add('hunter2hunter2');
    output.line('title: ', { text: 'x\u001b]0;evil\u0007 hunter2hunter2', style: 'bad' });
    output.data('a\nb\u001b[2J');
    output.warn('bad\u001b[2J');
    expect(stdout.text).toBe('title: x\\x1b]0;evil\\x07 [redacted]\na\nb\\x1b[2J\n');
    expect(stderr.text).toBe('warning: bad\\x1b[2J\n');
  });

  it('under --json writes one document to stdout and nothing else', async () => {
    const { output, stdout, stderr } = setUp({ json: true });
    output.line('no');
    output.data('no');
    output.note('no');
    output.warn('no');
    await output.table(rows, columns);
    output.json({ name: '\u009b\u202e' });
    output.error(new OrchError('gone', { code: 'run_unknown', hint: 'look' }));
    expect(stdout.text).toBe('{"schema_version":1,"name":"\\u009b\\u202e"}\n');
    expect(JSON.parse(stdout.text)).toEqual({ schema_version: 1, name: '\u009b\u202e' });
    expect(stderr.text).toBe('{"error":{"code":"run_unknown","message":"gone","hint":"look"}}\n');
  });

  it('prints message and hint, and calls anything unexpected a defect', () => {
    const { output, stderr } = setUp();
    output.error(new OrchError('no such task', { code: 'task_unknown', hint: 'Run orch status.' }));
    output.error(new TypeError('x is undefined'));
    expect(stderr.text).toBe(
      'error: no such task\nhint: Run orch status.\n' +
        'error: this is a defect in orch: x is undefined\nhint: Run the command again with --verbose and report what it prints.\n',
    );
  });

  it('prints the stack and its cause only when asked', () => {
    const { output, stderr } = setUp({ verbose: true });
    output.error(new OrchError('outer', { code: 'unexpected', cause: new Error('inner') }));
    expect(stderr.text).toMatch(/ui\.test\.ts/);
    expect(stderr.text).toContain('caused by: Error: inner');
  });

  it('shows no spinner where nobody watches, and no notes under --quiet', async () => {
    const { output, stderr } = setUp({ columns: 80, quiet: true });
    const progress = await output.progress('working');
    progress.update('still');
    progress.stop({ ok: true, text: 'done' });
    output.note('nothing');
    expect(stderr.text).toBe('');
  });

  it('shows none on a pseudo-terminal without a width, where ora would never end', async () => {
    const stderr = fakeStream(0);
    const terminal = createTerminal({ stdout: fakeStream(0), stderr, env: {}, colour: false });
    const output = createOutput({ terminal, redactor: new Redactor(), json: false, quiet: false, verbose: false });
    (await output.progress('working')).stop();
    expect(stderr.text).toBe('');
    expect(terminal.out.width()).toBe(80);
  });

  it('shows a spinner on a terminal, with escaped text', async () => {
    const stderr = fakeStream(80);
    Object.assign(stderr, { cursorTo: () => true, clearLine: () => true, moveCursor: () => true });
    const terminal = createTerminal({ stdout: fakeStream(80), stderr, env: { LANG: 'C.UTF-8' }, colour: false });
    const output = createOutput({ terminal, redactor: new Redactor(), json: false, quiet: false, verbose: false });
    const progress = await output.progress('working');
    progress.stop({ ok: true, text: 'done\u001b[2J' });
    expect(stderr.text).toContain('working');
    expect(stderr.text).toContain('done\\x1b[2J');
  });

  it('ends quietly when stdout is closed, goes on when stderr is', () => {
    const stdout = fakeStream(null);
    const stderr = fakeStream(null);
    const codes: number[] = [];
    endQuietlyOnClosedPipe(stdout, stderr, (code) => codes.push(code));
    const closed = Object.assign(new Error('write EPIPE'), { code: 'EPIPE' });
    stderr.emit('error', closed);
    expect(codes).toEqual([]);
    stdout.emit('error', closed);
    expect(codes).toEqual([0]);
    expect(() => stdout.emit('error', Object.assign(new Error('disk'), { code: 'ENOSPC' }))).toThrow('disk');
  });
});

describe('watch', () => {
  /** Sleeps are over at once, except that an aborted signal is seen as usual. */
  const clock: Clock = { now: () => 0, sleep: () => Promise.resolve() };

  function frames(texts: string[]): (output: Output) => Promise<'more' | 'done'> {
    let at = 0;
    return (output) => {
      output.line(texts[at] ?? '');
      at += 1;
      return Promise.resolve(at === texts.length ? 'done' : 'more');
    };
  }

  it('draws in the other screen and leaves the last frame', async () => {
    const { output, stdout } = setUp({ columns: 80 });
    await watch({
      output,
      clock,
      intervalMs: 1000,
      signal: new AbortController().signal,
      frame: frames(['one', 'two']),
    });
    expect(stdout.text.startsWith('\u001b[?1049h')).toBe(true);
    expect(stdout.text.endsWith('\u001b[?1049ltwo\n')).toBe(true);
    expect(stdout.text).toContain('\u001b[Hone\u001b[K');
  });

  it('appends frames that changed when there is no terminal', async () => {
    const { output, stdout } = setUp();
    const signal = new AbortController().signal;
    await watch({ output, clock, intervalMs: 1000, signal, frame: frames(['one', 'one', 'two']) });
    expect(stdout.text).toBe('one\ntwo\n');
  });

  it('appends one line of JSON a frame', async () => {
    const { output, stdout } = setUp({ columns: 80, json: true });
    let n = 0;
    await watch({
      output,
      clock,
      intervalMs: 1000,
      signal: new AbortController().signal,
      frame: (captured) => {
        n += 1;
        captured.json({ n });
        return Promise.resolve(n === 2 ? 'done' : 'more');
      },
    });
    expect(stdout.text).toBe('{"schema_version":1,"n":1}\n{"schema_version":1,"n":2}\n');
  });

  it('stops on the signal and restores the terminal when a frame fails', async () => {
    const { output, stdout } = setUp({ columns: 80 });
    const controller = new AbortController();
    let drawn = 0;
    const frame = (): Promise<'more'> => {
      drawn += 1;
      if (drawn === 3) controller.abort();
      return Promise.resolve('more');
    };
    await watch({ output, clock, intervalMs: 1000, signal: controller.signal, frame });
    expect(drawn).toBe(3);
    const failing = watch({
      output,
      clock,
      intervalMs: 1,
      signal: new AbortController().signal,
      frame: () => Promise.reject(new Error('database gone')),
    });
    await expect(failing).rejects.toThrow('database gone');
    expect(stdout.text.endsWith('\u001b[?25h\u001b[?1049l')).toBe(true);
  });

  it('is drawn again at once when the terminal is resized', async () => {
    const { output, stdout } = setUp({ columns: 80 });
    let drawn = 0;
    await watch({
      output,
      clock: {
        now: () => 0,
        sleep: (_ms, signal) =>
          new Promise((resolve) => {
            signal?.addEventListener('abort', () => resolve());
            stdout.emit('resize');
          }),
      },
      intervalMs: 3_600_000,
      signal: new AbortController().signal,
      frame: () => Promise.resolve((drawn += 1) === 2 ? 'done' : 'more'),
    });
    expect(drawn).toBe(2);
  });
});
