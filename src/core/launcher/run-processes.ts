import path from 'node:path';
import type { ProcessIdentity } from '../model/index.ts';
import type { ProcessInfo } from '../platform/processes.ts';
import { bootId, hasMarker, listProcesses, ownLine, realPath, worksBelow } from '../platform/processes.ts';
import { readAgent, readSupervisor, recordOf, runFiles } from './run-folder.ts';

/** Living processes of one run. The supervisor is apart, because it has to outlive the agent to write `exit`. */
export interface RunProcesses {
  supervisor: ProcessInfo[];
  agent: ProcessInfo[];
}

/** Members of the session or group that `leader` began; none when its pid has been given to another process since. */
function membersOf(leader: ProcessIdentity | null, table: ProcessInfo[]): ProcessInfo[] {
  if (leader === null) return [];
  if (table.some((info) => info.pid === leader.pid && info.start !== leader.start)) return [];
  return table.filter((info) => info.session === leader.pid || info.group === leader.pid);
}

/**
 * Finds the processes of a run in layers (architecture.md): the supervisor's session, the agent's session, what carries
 * `ORCH_RUN` and the run's temporary folder in its environment, all their children, and what works in the workspace.
 * Only processes younger than the run count, never this process or one above it.
 *
 * The last layer catches a daemon that left session and environment behind (`setsid env -i`). So that it does not catch
 * an operator's shell or another worker's git in the same folder, it takes only orphans (handed to init, or to a reaper
 * above this process) without a controlling terminal. A daemon that also changed its directory escapes it; only the
 * sandbox's process namespace holds that one.
 */
export function findProcesses(folder: string): RunProcesses {
  const record = recordOf(folder);
  if (record === null) return { supervisor: [], agent: findMarked(folder) };
  if (record.boot !== bootId()) return { supervisor: [], agent: [] };
  const all = listProcesses();
  const own = ownLine(all);
  const table = all.filter((info) => Number(info.start) >= record.since && !own.has(info.pid));
  const supervisor = readSupervisor(folder, record.boot);
  const ours = new Map(membersOf(supervisor, table).map((info) => [info.pid, info]));

  const agent = new Map<number, ProcessInfo>();
  const add = (info: ProcessInfo): void => {
    if (!ours.has(info.pid)) agent.set(info.pid, info);
  };
  const marks = marksOf(folder);
  const workspace = realPath(record.spec.workspace);
  const orphan = (info: ProcessInfo): boolean =>
    info.tty === 0 && (info.ppid <= 1 || (own.has(info.ppid) && info.ppid !== process.pid));
  membersOf(readAgent(folder), table).forEach(add);
  table.filter((info) => marks.every((mark) => hasMarker(info.pid, mark))).forEach(add);
  table.filter((info) => orphan(info) && worksBelow(info.pid, workspace)).forEach(add);
  addChildren(table, agent, ours);
  return { supervisor: [...ours.values()], agent: [...agent.values()] };
}

/** Run numbers repeat between databases: a demo next to a service, two services on one host. The folder does not. */
function marksOf(folder: string): string[] {
  return [`ORCH_RUN=${path.basename(folder)}`, `CLAUDE_CODE_TMPDIR=${runFiles(folder).tmp}`];
}

/** All that can be found without a record: what carries the run's marks, the supervisor among it, and its children. */
function findMarked(folder: string): ProcessInfo[] {
  const all = listProcesses();
  const own = ownLine(all);
  const marks = marksOf(folder);
  const table = all.filter((info) => !own.has(info.pid));
  const marked = table.filter((info) => marks.every((mark) => hasMarker(info.pid, mark)));
  const found = new Map(marked.map((info) => [info.pid, info]));
  addChildren(table, found, new Map());
  return [...found.values()];
}

/** Adds the children of everything found until nothing new comes. */
function addChildren(table: ProcessInfo[], agent: Map<number, ProcessInfo>, ours: Map<number, ProcessInfo>): void {
  for (let before = -1; before !== agent.size;) {
    before = agent.size;
    for (const info of table) if (agent.has(info.ppid) && !ours.has(info.pid)) agent.set(info.pid, info);
  }
}
