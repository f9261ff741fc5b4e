import type { Clock } from '../core/platform/clock.ts';
import type { Output } from './output.ts';

export interface WatchOptions {
  output: Output;
  intervalMs: number;
  /** Ends the watch after the frame on show. */
  signal: AbortSignal;
  clock: Clock;
  /** Prints one frame; `done`: there is nothing more to wait for. */
  frame: (output: Output) => Promise<'more' | 'done'>;
}

const enter = '\u001b[?1049h\u001b[?25l';
const leave = '\u001b[?25h\u001b[?1049l';

/** One frame over the last one, line by line, so that nothing flickers; cut to the height of the terminal. */
function repaint(frame: string, rows: number): string {
  const lines = frame.split('\n').slice(0, Math.max(1, rows - 1));
  return `\u001b[H${lines.map((line) => `${line}\u001b[K`).join('\n')}\u001b[J`;
}

/**
 * `--watch`: draws a frame again and again in the terminal's other screen, and leaves the last one on the normal screen.
 * Without a terminal, or under `--json`, frames that differ from the one before are appended.
 * @throws what `frame` throws, after the terminal is as it was
 */
export async function watch(options: WatchOptions): Promise<void> {
  const { output } = options;
  const { out } = output.terminal;
  const inPlace = out.isTty && !output.asJson;
  let last = '';
  const restore = (): void => void out.stream.write(leave);
  const draw = (text: string): void => {
    if (inPlace) out.stream.write(repaint(text, out.rows()));
    else if (text !== last) out.stream.write(text);
    last = text;
  };
  if (inPlace) {
    out.stream.write(enter);
    // A second Ctrl-C ends the process at once; the terminal must not stay in the other screen.
    process.once('exit', restore);
  }
  try {
    await loop(options, draw);
  } finally {
    if (inPlace) {
      process.off('exit', restore);
      restore();
      out.stream.write(last);
    }
  }
}

async function loop(
  { output, signal, clock, intervalMs, frame }: WatchOptions,
  draw: (text: string) => void,
): Promise<void> {
  const { stream } = output.terminal.out;
  for (;;) {
    const state = { done: false };
    draw(
      await output.capture(async (captured) => {
        state.done = (await frame(captured)) === 'done';
      }),
    );
    if (state.done || signal.aborted) return;
    const resized = new AbortController();
    const onResize = (): void => resized.abort();
    stream.on?.('resize', onResize);
    await clock.sleep(intervalMs, AbortSignal.any([signal, resized.signal]));
    stream.off?.('resize', onResize);
    if (signal.aborted) return;
  }
}
