import { existsSync } from 'node:fs';
import path from 'node:path';
import type { ProcessIdentity, RunSpec } from '../model/index.ts';
import { OrchError } from '../model/index.ts';
import { bootId, readProcess, realPath } from '../platform/processes.ts';
import type { Context } from './context.ts';
import { environmentOf } from './context.ts';
import { findExecutable } from './preflight.ts';
import { readRecord, readSupervisor, runFiles } from './run-folder.ts';

/** A shell is up in milliseconds; a loaded machine gets this long. */
const supervisorMs = 5_000;

/** A run that prints more than this, 256 MB of both together, has lost its way, and would fill the disk (spec 7). */
const maxOutputBytes = 192 * 1024 * 1024;
const maxErrorBytes = 64 * 1024 * 1024;

/**
 * Starts the supervisor: detached, in a session of its own, with no pipe to this process, so it does not matter when
 * this process dies. A death right after the spawn leaves a supervisor that is found by its mark (`ORCH_RUN`) and then by
 * its `pid` file. A run folder is good for one start (`supervise.sh` makes `started`, atomically).
 */
export async function startRun(context: Context, spec: RunSpec, folder: string): Promise<ProcessIdentity> {
  const record = readRecord(folder);
  const files = runFiles(folder);
  const env = environmentOf(context, context.settingsOf(spec.role, spec.projectId), record.sandbox, files.tmp, spec);
  if (existsSync(files.started)) throw notStartable(spec, 'its folder has been used before');
  if (findExecutable(record.program, env['PATH'] ?? '', spec.workspace) === null) {
    throw notStartable(spec, `"${record.program}" is no executable file`);
  }
  const seconds = (ms: number): string => String(Math.max(1, Math.ceil(ms / 1000)));
  const script = path.join(import.meta.dirname, 'supervise.sh');
  const bytes = [context.maxOutputBytes ?? maxOutputBytes, context.maxErrorBytes ?? maxErrorBytes].map(String);
  const limits = [seconds(record.timeoutMs), seconds(record.killGraceMs), ...bytes];
  const args = [script, folder, ...limits, realPath(spec.workspace), ...record.argv];
  const { execa } = await import('execa');
  const options = { cwd: folder, env, extendEnv: false, detached: true, cleanup: false, stdio: 'ignore' } as const;
  const child = execa('/bin/sh', args, { ...options, buffer: false, reject: false });
  child.unref();
  if (child.pid === undefined) throw notStartable(spec, (await child).originalMessage ?? 'unknown reason');
  return identityOf(context, spec, folder, child.pid);
}

/** Waits for the supervisor's own word; the supervisor of a short command may be over by then, its file stays. */
async function identityOf(context: Context, spec: RunSpec, folder: string, pid: number): Promise<ProcessIdentity> {
  const boot = bootId();
  const end = performance.now() + supervisorMs;
  while (performance.now() < end) {
    const written = readSupervisor(folder, boot);
    if (written !== null) return written;
    await context.clock.sleep(10);
  }
  const seen = readProcess(pid);
  if (seen !== null) return { pid, start: seen.start };
  throw notStartable(spec, 'its supervisor ended at once (is the disk full?)');
}

function notStartable(spec: RunSpec, reason: string): OrchError {
  const what = spec.kind === 'check' ? 'check' : spec.role;
  return new OrchError(`the ${what} of run ${spec.runId} cannot be started: ${reason}`, {
    code: 'agent_not_startable',
    hint: 'Check agent.command (or the test command) and PATH; `orch doctor` asks the same question.',
  });
}
