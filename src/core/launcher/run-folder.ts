import { existsSync, linkSync, rmSync, writeFileSync } from 'node:fs';
import { randomUUID } from 'node:crypto';
import path from 'node:path';
import { OrchError } from '../model/index.ts';
import type { FolderState, ProcessIdentity, RunSpec, StopReason } from '../model/index.ts';
import { readSmall, writeFileAtomic } from '../platform/files.ts';

/** Raised when `run.json` changes so that an older orch would misread it. */
const formatVersion = 1;

/** `run.json`: all that following, killing and judging a run needs. Role prompt and orders have files of their own. */
export interface RunRecord {
  version: number;
  spec: Omit<RunSpec, 'prompt' | 'orders'>;
  agentKind: 'claude' | 'other' | 'check';
  /** What has to be found for the command to start: its first word, not the sandbox's. */
  program: string;
  /** The command as the supervisor runs it, sandbox included. Never holds a secret. */
  argv: string[];
  sandbox: 'bwrap' | 'none';
  session: string | null;
  timeoutMs: number;
  idleMs: number | null;
  graceMs: number;
  killGraceMs: number;
  /** Kernel boot and clock ticks before which no process of this run was started. */
  boot: string;
  since: number;
}

/** The files of a run folder. */
export function runFiles(folder: string): Record<RunFileName, string> {
  return Object.fromEntries(fileNames.map((name) => [name, path.join(folder, name)])) as Record<RunFileName, string>;
}

const fileNames = [
  'run.json',
  'prompt.md',
  'system-prompt.md',
  'stdout.ndjson',
  'stderr.log',
  'pid',
  'agent',
  'started',
  'exit',
  'stop.json',
  'offset',
  'outcome.json',
  'tmp',
] as const;
type RunFileName = (typeof fileNames)[number];

export function writeRecord(folder: string, record: Omit<RunRecord, 'version'>): void {
  writeFileAtomic(runFiles(folder)['run.json'], `${JSON.stringify({ version: formatVersion, ...record }, null, 2)}\n`);
}

/** Whether the folder got as far as a record; without one nothing was ever started in it. */
export function hasRecord(folder: string): boolean {
  return folder !== '' && existsSync(runFiles(folder)['run.json']);
}

/** The record, or null when the folder, or its record, was removed or damaged by hand. */
export function recordOf(folder: string): RunRecord | null {
  try {
    return readRecord(folder);
  } catch {
    return null;
  }
}

/** @throws OrchError `run_folder` when the folder holds no readable record, or one of a newer orch. */
export function readRecord(folder: string): RunRecord {
  let record: RunRecord | null = null;
  try {
    record = JSON.parse(readSmall(runFiles(folder)['run.json'], 4 * 1024 * 1024) ?? '') as RunRecord;
  } catch {
    // Reported below, like a record of another version.
  }
  if (record?.version !== formatVersion) {
    throw new OrchError(`run folder ${folder} has no run.json that this version of orch can read`, {
      code: 'run_folder',
      hint: 'It was removed, damaged, or written by a newer orch; `orch recover` reports the run.',
    });
  }
  return record;
}

/** The supervisor, once it has written who it is; null before, and after a reboot. */
export function readSupervisor(folder: string, boot: string): ProcessIdentity | null {
  const { identity, rest } = identityIn(runFiles(folder).pid);
  return rest === boot ? identity : null;
}

/** The command itself, leader of a session of its own. */
export function readAgent(folder: string): ProcessIdentity | null {
  return identityIn(runFiles(folder).agent).identity;
}

/** `<pid> <start>` and what follows: a pid of the kernel (at most 2^22) and ticks, nothing else may be signalled. */
function identityIn(file: string): { identity: ProcessIdentity | null; rest: string } {
  const match = /^(\d{1,7}) (\d{1,20})(?: (.*))?$/.exec((readSmall(file, 256) ?? '').trim());
  const [, pid, start, rest = ''] = match ?? [];
  return { identity: pid === undefined || start === undefined ? null : { pid: Number(pid), start }, rest };
}

/** Exit status as the supervisor saw it, and when, ms since the epoch; null while there is none. */
export function readExit(folder: string): { status: number; endedAt: number } | null {
  const match = /^(\d{1,3}) (\d{1,11})$/.exec((readSmall(runFiles(folder).exit, 256) ?? '').trim());
  return match === null ? null : { status: Number(match[1]), endedAt: Number(match[2]) * 1000 };
}

export function hasExit(folder: string): boolean {
  return existsSync(runFiles(folder).exit);
}

export function folderState(folder: string): FolderState {
  if (!hasRecord(folder)) return 'missing';
  return hasExit(folder) ? 'ended' : 'prepared';
}

export function readStop(folder: string): StopReason | null {
  const match = /"why":"(timeout|idle|grace|cancel|orphan|output|shutdown)"/.exec(
    readSmall(runFiles(folder)['stop.json'], 1024) ?? '',
  );
  return (match?.[1] ?? null) as StopReason | null;
}

/** Says why the run is about to be stopped, before it is; the first reason stays (link, not rename). */
export function writeStop(folder: string, why: StopReason, at: number): void {
  const file = runFiles(folder)['stop.json'];
  const temporary = `${file}.${randomUUID()}`;
  writeFileSync(temporary, `${JSON.stringify({ why, by: 'orch', at })}\n`, { mode: 0o600 });
  try {
    linkSync(temporary, file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  } finally {
    rmSync(temporary, { force: true });
  }
}
