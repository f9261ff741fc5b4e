import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, readlinkSync, realpathSync } from 'node:fs';
import { hostname } from 'node:os';
import type { ProcessIdentity } from '../model/index.ts';

/** One row of /proc. Zombies are left out everywhere: `kill(pid, 0)` answers for them, but nothing runs there any more. */
export interface ProcessInfo {
  pid: number;
  ppid: number;
  group: number;
  session: number;
  /** Controlling terminal; 0 when there is none. */
  tty: number;
  /** Start time in clock ticks since boot (field 22 of /proc/<pid>/stat): pid and start identify a process uniquely. */
  start: string;
  /** File name of the program, cut to 15 characters by the kernel. */
  name: string;
}

/** The parts of `host|boot id|pid|start`, the form in which leases name the process that holds them. */
export interface Owner extends ProcessIdentity {
  host: string;
  boot: string;
}

/** Ticks a second of every Linux user-space interface (`sysconf(_SC_CLK_TCK)`, a constant of the kernel's ABI). */
const ticksPerSecond = 100;
export const tickMs = 1000 / ticksPerSecond;

/** Reads one process; null when it is gone or a zombie. The name may hold spaces and brackets, so the last `)` ends it. */
export function readProcess(pid: number): ProcessInfo | null {
  let stat: string;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  } catch {
    return null;
  }
  const close = stat.lastIndexOf(')');
  const fields = stat.slice(close + 2).split(' ');
  const [state, ppid, group, session, tty] = fields;
  const start = fields[19];
  if (state === undefined || start === undefined || state === 'Z' || state === 'X') return null;
  return {
    pid,
    ppid: Number(ppid),
    group: Number(group),
    session: Number(session),
    tty: Number(tty),
    start,
    name: stat.slice(stat.indexOf('(') + 1, close),
  };
}

/** Every process that can be seen, in no order. */
export function listProcesses(): ProcessInfo[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((name) => readProcess(Number(name)))
    .filter((info) => info !== null);
}

/** Whether exactly this process still runs: same pid, same start time, not a zombie. */
export function isAlive(identity: ProcessIdentity): boolean {
  return readProcess(identity.pid)?.start === identity.start;
}

/**
 * Changes with every boot of the kernel, and with every process namespace (a container): pids and start times of another
 * one say nothing here. `<kernel boot>.<namespace>`.
 */
export function bootId(): string {
  const namespace = /\d+/.exec(readlinkSync('/proc/self/ns/pid'))?.[0] ?? '0';
  return `${readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim()}.${namespace}`;
}

/** Now, in clock ticks since boot; what a process started now gets as its start time. */
export function ticksNow(): number {
  return Math.floor(Number(readFileSync('/proc/uptime', 'latin1').split(' ')[0]) * ticksPerSecond);
}

/** `host|boot id|pid|start` of this process. */
export function ownerId(host: string = hostname()): string {
  return [host, bootId(), process.pid, readProcess(process.pid)?.start ?? '0'].join('|');
}

/** Null when the text is not of the form that `ownerId` writes. */
export function parseOwner(text: string): Owner | null {
  const match = /^([^|]+)\|([^|]+)\|(\d+)\|(\d+)$/.exec(text);
  const [, host, boot, pid, start] = match ?? [];
  if (host === undefined || boot === undefined || pid === undefined || start === undefined) return null;
  return { host, boot, pid: Number(pid), start };
}

/**
 * What is known here about the process that an owner text names. `unseen`: it belongs to another host, or to
 * another container under this kernel; only the end of its lease proves anything. A text that is no owner is dead.
 */
export function ownerState(text: string, host: string = hostname()): 'alive' | 'dead' | 'unseen' {
  const owner = parseOwner(text);
  if (owner === null) return 'dead';
  if (owner.host !== host) return 'unseen';
  const here = bootId();
  if (owner.boot === here) return isAlive(owner) ? 'alive' : 'dead';
  const kernel = (boot: string): string | undefined => boot.split('.')[0];
  return kernel(owner.boot) === kernel(here) ? 'unseen' : 'dead';
}

/** Host and boot in a form that fits into the name of a file. */
function placeHash(): string {
  return createHash('sha256').update(`${hostname()}|${bootId()}`).digest('hex').slice(0, 8);
}

let ownTag: string | null = null;

/** `<pid>-<start>-<place>`: goes into the name of what this process makes only for a moment, so that others see whose it is. */
export function makerTag(): string {
  ownTag ??= `${process.pid}-${readProcess(process.pid)?.start ?? '0'}-${placeHash()}`;
  return ownTag;
}

/** What is known here about the process whose tag a file's name holds; `unseen` also where it holds none. */
export function makerState(name: string): 'alive' | 'dead' | 'unseen' {
  const [, pid, start, place] = /(?<!\d)(\d+)-(\d+)-([0-9a-f]{8})(?![0-9a-f])/.exec(name) ?? [];
  if (pid === undefined || start === undefined || place !== placeHash()) return 'unseen';
  return isAlive({ pid: Number(pid), start }) ? 'alive' : 'dead';
}

/** Whether the process may still run: what cannot be seen from here counts as alive. */
export function ownerAlive(text: string, host: string = hostname()): boolean {
  return ownerState(text, host) !== 'dead';
}

/** Whether the process was started with exactly this `NAME=value` in its environment; false when that may not be read. */
export function hasMarker(pid: number, marker: string): boolean {
  try {
    return readFileSync(`/proc/${pid}/environ`, 'latin1').split('\0').includes(marker);
  } catch {
    return false;
  }
}

/** Whether the process works in the folder or below it; a folder that was removed meanwhile still counts. */
export function worksBelow(pid: number, folder: string): boolean {
  try {
    const cwd = readlinkSync(`/proc/${pid}/cwd`).replace(/ \(deleted\)$/, '');
    return cwd === folder || cwd.startsWith(`${folder}/`);
  } catch {
    return false;
  }
}

/** The path without symbolic links, or the path itself when it does not exist. */
export function realPath(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path;
  }
}

/** This process and everything above it: never a target, and the only processes that orphans are handed to. */
export function ownLine(table: ProcessInfo[]): Set<number> {
  const parents = new Map(table.map((info) => [info.pid, info.ppid]));
  const line = new Set<number>([process.pid]);
  let pid = parents.get(process.pid) ?? 0;
  while (pid > 0 && !line.has(pid)) {
    line.add(pid);
    pid = parents.get(pid) ?? 0;
  }
  return line;
}

/**
 * Sends a signal to exactly this process; a pid that was given to another one since is left alone. Between the look and
 * the signal lie microseconds, in which the kernel does not come round to the same pid again.
 */
export function signalProcess(identity: ProcessIdentity, signal: NodeJS.Signals): void {
  if (!isAlive(identity)) return;
  try {
    process.kill(identity.pid, signal);
  } catch {
    // It ended in between, or belongs to somebody else: the next scan shows it.
  }
}
