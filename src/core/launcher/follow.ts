import { statSync, watch as watchFolder } from 'node:fs';
import type { FollowHooks, StopReason } from '../model/index.ts';
import { errorText } from '../model/index.ts';
import type { Clock } from '../platform/clock.ts';
import { readSmall, writeFileAtomic } from '../platform/files.ts';
import type { Log } from '../platform/log.ts';
import { isAlive, tickMs, ticksNow } from '../platform/processes.ts';
import { killRun } from './kill.ts';
import type { RunRecord } from './run-folder.ts';
import { hasExit, readRecord, readSupervisor, runFiles } from './run-folder.ts';
import { findProcesses } from './run-processes.ts';
import { cursorAt, isFinalResult, parseEvent, readLines } from './stream.ts';

const pollMs = 200;
/** The supervisor ends a run at its time limit; so long after it nobody has, because its timers were killed. */
const clockSlackMs = 4_000;
/** Between the supervisor's start and its `pid` file lie milliseconds; after this long it is not coming. */
const startMs = 10_000;

interface Watch {
  folder: string;
  record: RunRecord;
  cursor: ReturnType<typeof cursorAt>;
  /** When the result event was seen, on the monotonic clock; null before. */
  resultAt: number | null;
  sizes: string;
  /** Last sign of life on the monotonic clock: any output counts, also the CLI's own retries. */
  lifeAt: number;
  startedAt: number;
  /** How long the run had gone on when this following began, milliseconds. */
  elapsedMs: number;
}

/**
 * Watches a run to its end, from its folder alone: the same code follows a run of this process and an adopted one. The
 * idle and grace clocks are monotonic and start again with an adoption, so neither a clock jump nor a worker's restart
 * ends a healthy run early; the wall clock is the supervisor's, and enforced here as well should it fail. What has been read is saved (`offset`), together with
 * whether the result event was in it.
 */
export async function followRun(
  folder: string,
  hooks: FollowHooks,
  deps: { clock: Clock; log: Log },
): Promise<'ended' | 'detached' | 'lost'> {
  const watch = begin(folder);
  const over = exitSignal(folder);
  try {
    return await rounds(watch, hooks, deps, AbortSignal.any([hooks.signal, over.signal]));
  } finally {
    over.close();
  }
}

/** @param wake ends the pause between two rounds */
async function rounds(
  watch: Watch,
  hooks: FollowHooks,
  deps: { clock: Clock; log: Log },
  wake: AbortSignal,
): Promise<'ended' | 'detached' | 'lost'> {
  let beatAt = -Infinity;
  for (;;) {
    if (hooks.signal.aborted) return hooks.onAbort === 'stop' ? end(watch, 'shutdown', deps) : 'detached';
    if (performance.now() - beatAt >= hooks.everyMs) {
      beatAt = performance.now();
      const answer = await beat(hooks, deps.log, watch);
      if (answer === 'lost') return 'lost';
      if (answer === 'cancel') return end(watch, 'cancel', deps);
    }
    // Asked before reading: what was printed before the end is read in the same round.
    const ended = hasEnded(watch);
    await readNew(watch);
    if (ended) return end(watch, 'orphan', deps);
    const reason = overdue(watch);
    if (reason !== null) return end(watch, reason, deps);
    await deps.clock.sleep(pollMs, wake);
  }
}

function begin(folder: string): Watch {
  const saved = /^(\d{1,15}) (result|-)/.exec(readSmall(runFiles(folder).offset, 64) ?? '');
  const now = performance.now();
  const record = readRecord(folder);
  const started = readSupervisor(folder, record.boot)?.start;
  return {
    folder,
    record,
    cursor: cursorAt(Number(saved?.[1] ?? 0)),
    resultAt: saved?.[2] === 'result' ? now : null,
    sizes: '',
    lifeAt: now,
    startedAt: now,
    elapsedMs: started === undefined ? 0 : Math.max(0, ticksNow() - Number(started)) * tickMs,
  };
}

/** Aborted when the supervisor writes `exit`: an end is seen at once. Where nothing can be watched the poll sees it. */
function exitSignal(folder: string): { signal: AbortSignal; close: () => void } {
  const over = new AbortController();
  const check = (): void => {
    if (hasExit(folder)) over.abort();
  };
  try {
    const watcher = watchFolder(folder, { persistent: false }, check);
    watcher.on('error', () => watcher.close());
    return { signal: over.signal, close: () => watcher.close() };
  } catch {
    return { signal: over.signal, close: () => {} };
  }
}

/** A heartbeat that fails is trouble of the database; the agent goes on, and the lease's own end is the limit. */
async function beat(hooks: FollowHooks, log: Log, watch: Watch): Promise<'go' | 'cancel' | 'lost'> {
  try {
    return await hooks.beat();
  } catch (error) {
    log.warn('heartbeat of a run failed', { run: watch.record.spec.runId, error: errorText(error) });
    return 'go';
  }
}

/** Ended: `exit` is there, or the supervisor is not (it died; then what it left behind is ended by `end`). */
function hasEnded(watch: Watch): boolean {
  if (hasExit(watch.folder)) return true;
  const supervisor = readSupervisor(watch.folder, watch.record.boot);
  if (supervisor !== null) return !isAlive(supervisor);
  if (performance.now() - watch.startedAt < startMs) return false;
  const found = findProcesses(watch.folder);
  return found.supervisor.length + found.agent.length === 0;
}

/** Reads what is new. */
async function readNew(watch: Watch): Promise<void> {
  const files = runFiles(watch.folder);
  const sizes = `${sizeOf(files['stdout.ndjson'])} ${sizeOf(files['stderr.log'])}`;
  if (sizes === watch.sizes) return;
  watch.sizes = sizes;
  watch.lifeAt = performance.now();
  if (watch.record.agentKind === 'check') return;
  const before = watch.cursor.offset;
  await readLines(files['stdout.ndjson'], watch.cursor, false, (line) => {
    if (!line.includes('"result"')) return;
    const event = parseEvent(line);
    if (event !== null && isFinalResult(event)) watch.resultAt ??= performance.now();
  });
  if (watch.cursor.offset !== before) {
    writeFileAtomic(files.offset, `${watch.cursor.offset} ${watch.resultAt === null ? '-' : 'result'}\n`);
  }
}

function sizeOf(file: string): number {
  try {
    return statSync(file).size;
  } catch {
    return 0;
  }
}

/** How long the run has gone on, without the time that the machine slept since it is followed; milliseconds. */
function elapsed(watch: Watch): number {
  return watch.elapsedMs + performance.now() - watch.startedAt;
}

/** The clock that ran out, if one did. */
function overdue(watch: Watch): StopReason | null {
  const { record } = watch;
  const now = performance.now();
  if (elapsed(watch) >= record.timeoutMs + clockSlackMs) return 'timeout';
  if (watch.resultAt !== null) return now - watch.resultAt >= record.graceMs ? 'grace' : null;
  return record.idleMs !== null && now - watch.lifeAt >= record.idleMs ? 'idle' : null;
}

/**
 * Ends what is left. After an `exit` that is only what the agent started and left behind; nothing is said about the run
 * then (`killRun` writes no reason once `exit` is there).
 */
async function end(watch: Watch, why: StopReason, deps: { clock: Clock; log: Log }): Promise<'ended'> {
  const { left } = await killRun(watch.folder, why, deps.clock);
  if (left > 0) deps.log.warn('processes of a run could not be ended', { run: watch.record.spec.runId, left });
  return 'ended';
}
