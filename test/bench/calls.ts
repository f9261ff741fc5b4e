import { fork } from 'node:child_process';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { packageRoot } from '../../src/core/platform/files.ts';

interface Call {
  id: number;
  name: string;
  args: unknown[];
}

type Answer = { id: number; value: unknown } | { id: number; error: string };
/** Said once, when the script is loaded: what is sent before that may be lost. */
const readyText = 'ready';

/** A process of its own that answers calls; its functions are those given to `serveCalls` in it. */
export interface Remote {
  pid: number;
  call<T>(name: string, ...args: unknown[]): Promise<T>;
  close(): Promise<void>;
}

/** Argument of node that makes it run this repository's TypeScript. */
function runsTypeScript(): string[] {
  return ['--import', pathToFileURL(path.join(packageRoot(), 'scripts', 'typescript.js')).href];
}

/** Starts a script of this folder. What it prints goes to stderr: stdout belongs to nobody here. */
export function startRemote(script: string, args: string[] = []): Remote {
  const child = fork(path.join(import.meta.dirname, script), args, {
    execArgv: runsTypeScript(),
    stdio: ['ignore', process.stderr, process.stderr, 'ipc'],
  });
  const waiting = new Map<number, { resolve: (value: unknown) => void; reject: (error: Error) => void }>();
  let next = 1;
  let isReady: () => void;
  const ready = new Promise<void>((resolve) => (isReady = resolve));
  child.on('message', (answer: Answer | typeof readyText) => {
    if (answer === readyText) return isReady();
    const asked = waiting.get(answer.id);
    waiting.delete(answer.id);
    if ('error' in answer) asked?.reject(new Error(answer.error));
    else asked?.resolve(answer.value);
  });
  const ended = new Promise<void>((resolve) => {
    child.once('exit', (code, signal) => {
      for (const { reject } of waiting.values()) reject(new Error(`${script} ended (${signal ?? code ?? ''})`));
      waiting.clear();
      resolve();
    });
  });
  return {
    pid: child.pid ?? 0,
    call: <T>(name: string, ...args: unknown[]) =>
      new Promise<T>((resolve, reject) => {
        const id = next++;
        waiting.set(id, { resolve: resolve as (value: unknown) => void, reject });
        void ready.then(() =>
          child.send({ id, name, args } satisfies Call, (error) => {
            if (error !== null) reject(error);
          }),
        );
      }),
    close: async () => {
      if (child.connected) child.disconnect();
      const timer = setTimeout(() => child.kill('SIGKILL'), 5_000);
      await ended;
      clearTimeout(timer);
    },
  };
}

/** Answers the calls of the process that started this one, one after the other, until it goes away. */
export function serveCalls(functions: Record<string, (...args: never[]) => unknown>): void {
  const send = (answer: Answer): void => void process.send?.(answer);
  let last = Promise.resolve();
  const answer = async ({ id, name, args }: Call): Promise<void> => {
    try {
      send({ id, value: await functions[name]?.(...(args as never[])) });
    } catch (error) {
      send({ id, error: error instanceof Error ? (error.stack ?? error.message) : String(error) });
    }
  };
  process.on('message', (call: Call) => {
    last = last.then(() => answer(call));
  });
  process.once('disconnect', () => process.exit(0));
  process.send?.(readyText);
}
