import { spawn, type ChildProcess } from 'node:child_process';
import path from 'node:path';
import { listProcesses, worksBelow } from '../../src/core/platform/processes.ts';
import { until } from './until.ts';

const bin = path.resolve(import.meta.dirname, '../../bin/orch.js');

export interface OrchRun {
  child: ChildProcess;
  stdout: () => string;
  stderr: () => string;
  /** Resolves when the process has ended and everything it printed has been read. */
  ended: Promise<{ status: number | null; stdout: string; stderr: string }>;
}

/** Starts the built program next to the test, whose servers have to go on answering; nothing of the caller's environment. */
export function startOrch(args: string[], options: { cwd: string; env?: Record<string, string> }): OrchRun {
  const child = spawn(process.execPath, [bin, ...args], {
    cwd: options.cwd,
    env: { PATH: process.env['PATH'], HOME: options.cwd, LANG: 'C.UTF-8', ...options.env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const text = { stdout: '', stderr: '' };
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => (text.stdout += chunk));
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => (text.stderr += chunk));
  const ended = new Promise<{ status: number | null; stdout: string; stderr: string }>((resolve) => {
    child.once('close', (status) => resolve({ status, ...text }));
  });
  return { child, stdout: () => text.stdout, stderr: () => text.stderr, ended };
}

export function orch(
  args: string[],
  options: { cwd: string; env?: Record<string, string> },
): Promise<{ status: number | null; stdout: string; stderr: string }> {
  return startOrch(args, options).ended;
}

/** Waits until the run has printed this; fails at once, with what it did print, when it ends before. */
export async function untilPrinted(run: OrchRun, wanted: string | RegExp, limitMs = 120_000): Promise<void> {
  const seen = (): boolean => {
    const text = `${run.stderr()}\n${run.stdout()}`;
    return typeof wanted === 'string' ? text.includes(wanted) : wanted.test(text);
  };
  await until(
    `the program to print ${String(wanted)}`,
    () => {
      if (seen()) return true;
      if (run.child.exitCode === null && run.child.signalCode === null) return false;
      throw new Error(`it ended without printing ${String(wanted)}:\n${run.stderr()}\n${run.stdout()}`);
    },
    limitMs,
  );
}

/** Processes that work in a folder or below it. */
export function processesBelow(folder: string): number[] {
  return listProcesses()
    .map(({ pid }) => pid)
    .filter((pid) => worksBelow(pid, folder));
}
