import { workingFolder } from './files.ts';

/** One program run to its end: arguments as an array, so that no shell ever sees a value. */
export interface Command {
  file: string;
  args: string[];
  /** The whole environment; nothing of this process's own is added. */
  env: Record<string, string>;
  cwd?: string;
  /** Default: nothing to read. */
  input?: string | Buffer;
  timeoutMs: number;
  /** From its first output on, the limit is this long after its last one instead, milliseconds: it may last as long as something moves. */
  silentMs?: number;
  /** Between asking a command to end and killing it, milliseconds. Default 0: killed at once. */
  killAfterMs?: number;
  /** Output beyond this ends the command, bytes. */
  maxBytes: number;
  /** `latin1` keeps bytes of any encoding apart. */
  encoding: 'utf8' | 'latin1';
}

/** How a command ended. */
export interface CommandEnd {
  /** Null when it ended by a signal, or was never started. */
  status: number | null;
  signal: string | null;
  timedOut: boolean;
  /** Its output was cut off at `maxBytes`. */
  tooLarge: boolean;
  /** Why it could not be started; null when it was. */
  notStarted: string | null;
  stdout: string;
  stderr: string;
}

/**
 * Runs a command in a process group of its own, which is ended as a whole when its time is over: a grandchild would hold
 * the pipes open when its parent alone is killed, and be waited for without end. Never rejects.
 */
export async function runCommand(command: Command): Promise<CommandEnd> {
  const { execa } = await import('execa');
  const child = execa(command.file, command.args, {
    cwd: command.cwd ?? workingFolder(),
    ...(command.input === undefined ? { stdin: 'ignore' as const } : { input: command.input }),
    env: command.env,
    extendEnv: false,
    detached: true,
    encoding: command.encoding,
    maxBuffer: command.maxBytes,
    reject: false,
    stripFinalNewline: false,
  });
  const limit = endAfter(command.timeoutMs, command.killAfterMs ?? 0, child.pid);
  const { silentMs } = command;
  if (silentMs !== undefined)
    for (const output of [child.stdout, child.stderr]) output.on('data', () => limit.renew(silentMs));
  const result = await child.finally(limit.forget);
  const started = result.exitCode !== undefined || result.signal !== undefined || result.isMaxBuffer;
  return {
    status: result.exitCode ?? null,
    signal: result.signal ?? null,
    timedOut: limit.passed(),
    tooLarge: result.isMaxBuffer,
    notStarted: started ? null : (result.originalMessage ?? result.shortMessage ?? 'unknown reason'),
    stdout: String(result.stdout),
    stderr: String(result.stderr),
  };
}

/** Ends a process group when its time is over: asked first, then killed. */
function endAfter(
  ms: number,
  killAfterMs: number,
  pid: number | undefined,
): { passed: () => boolean; renew: (ms: number) => void; forget: () => void } {
  let passed = false;
  const end = (): void => {
    passed = true;
    if (killAfterMs > 0) signalGroup(pid, 'SIGTERM');
    timer = setTimeout(() => signalGroup(pid, 'SIGKILL'), killAfterMs);
  };
  let timer = setTimeout(end, ms);
  const forget = (): void => clearTimeout(timer);
  const renew = (nextMs: number): void => {
    if (passed) return;
    forget();
    timer = setTimeout(end, nextMs);
  };
  return { passed: () => passed, renew, forget };
}

function signalGroup(pid: number | undefined, signal: NodeJS.Signals): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, signal);
  } catch {
    // It has ended by itself.
  }
}
