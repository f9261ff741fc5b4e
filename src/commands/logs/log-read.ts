import { existsSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { hostname } from 'node:os';
import { hasExit, runFiles } from '../../core/launcher/run-folder.ts';
import { cursorAt, readLines } from '../../core/launcher/stream.ts';
import type { Run, RunId, Store } from '../../core/model/index.ts';
import { OrchError, counted } from '../../core/model/index.ts';
import type { Clock } from '../../core/platform/clock.ts';
import { taskOf } from '../shared/tasks.ts';

/** How often a followed file is polled, milliseconds. */
const everyMs = 250;
const dayMs = 86_400_000;

/**
 * The run that a command line names: its number, or a task, whose newest run it is then.
 * @throws OrchError `notFound` for an unknown run or task, and for a task without runs
 */
export async function findRun(store: Store, text: string): Promise<Run> {
  if (!/^\d+$/.test(text.trim())) {
    const { task } = await taskOf(store, text);
    const [run] = await store.runs({ taskId: task.id, limit: 1 });
    if (run !== undefined) return run;
    throw new OrchError(`${task.id} has no run yet`, {
      code: 'no_run',
      hint: `\`orch status ${task.id}\` says what it waits for.`,
    });
  }
  const run = await store.run(text.trim() as RunId);
  if (run !== null) return run;
  throw new OrchError(`there is no run ${text.trim()}`, {
    code: 'run_unknown',
    hint: '`orch status TASK` lists the runs of a task.',
  });
}

/**
 * @param now ms since the epoch; `keptMs`: how long folders are kept (`retention.runDays`)
 * @throws OrchError `run_folder_missing` when a run that has a folder, or ended without one, has none here
 */
export function checkFolder(run: Run, now: number, keptMs: number): void {
  if (run.folder === '' ? run.phase !== 'settled' : existsSync(run.folder)) return;
  throw new OrchError(missingFolder(run, now, keptMs), {
    code: 'run_folder_missing',
    hint:
      run.host === hostname()
        ? `Folders are removed some time after their runs (retention.runDays); \`orch status ${run.taskId ?? 'TASK'}\` still knows how it ended.`
        : `It ran on ${run.host}: ask there.`,
  });
}

function missingFolder(run: Run, now: number, keptMs: number): string {
  if (run.folder === '') return `run ${run.id} never got as far as a folder`;
  const days = (ms: number): number => Math.floor(ms / dayMs);
  if (run.endedAt !== null && run.host === hostname() && now - run.endedAt > keptMs)
    return `the folder of run ${run.id} was removed: it ended ${counted(days(now - run.endedAt), 'day')} ago, and folders are kept for ${counted(days(keptMs), 'day')}`;
  return `the folder of run ${run.id} is not here: ${run.folder}`;
}

export interface ReadRequest {
  store: Store;
  run: Run;
  which: 'stdout.ndjson' | 'stderr.log';
  follow: boolean;
  signal: AbortSignal;
  clock: Clock;
}

/** Called until the run is over: `final` means that the file will not grow any more. */
type Pump = (file: string, final: boolean) => Promise<void>;

/**
 * Reads what is there; with `follow` until the run has ended. Whether it has ended is asked before the file is read, so
 * that nothing written in between is missed.
 */
async function pumpUntilEnd({ store, run, which, follow, signal, clock }: ReadRequest, pump: Pump): Promise<void> {
  for (;;) {
    const now = (await store.run(run.id)) ?? run;
    const ended = now.phase === 'settled' || (now.folder !== '' && hasExit(now.folder));
    if (now.folder !== '') await pump(runFiles(now.folder)[which], ended);
    if (!follow || ended || signal.aborted) return;
    await clock.sleep(everyMs, signal);
  }
}

/** Hands on complete lines; the last one without a line feed only when no more can come. */
export async function eachLine(request: ReadRequest, onLine: (line: string) => void): Promise<void> {
  const cursor = cursorAt(0);
  await pumpUntilEnd(request, (file, final) => readLines(file, cursor, final, onLine));
}

/** Hands on the bytes of the file as they are. */
export async function eachChunk(request: ReadRequest, onChunk: (bytes: Uint8Array) => void): Promise<void> {
  let offset = 0;
  await pumpUntilEnd(request, async (file) => {
    const handle = await open(file, 'r').catch(() => null);
    if (handle === null) return;
    try {
      for (;;) {
        const { bytesRead, buffer } = await handle.read(Buffer.alloc(256 * 1024), 0, 256 * 1024, offset);
        if (bytesRead === 0) return;
        offset += bytesRead;
        onChunk(buffer.subarray(0, bytesRead));
      }
    } finally {
      await handle.close();
    }
  });
}
