import { existsSync } from 'node:fs';
import path from 'node:path';
import type { AgentResult, AgentSettings, LauncherPort, ProjectId, Role, RunOutcome } from '../model/index.ts';
import { boundedOutcome, errorText } from '../model/index.ts';
import { roleNames } from '../pipeline/stages/index.ts';
import { privateFolder, readSmall, removeTree, writeFileAtomic } from '../platform/files.ts';
import type { Context } from './context.ts';
import { createContext, environmentOf, sandboxAround } from './context.ts';
import { followRun } from './follow.ts';
import { killRun } from './kill.ts';
import { classify } from './outcome.ts';
import type { PreflightAnswer } from './preflight.ts';
import { askLogin, askVersion, cachedFor, findExecutable } from './preflight.ts';
import { prepareRun } from './prepare.ts';
import { folderState, hasExit, hasRecord, readExit, readRecord, readStop, runFiles } from './run-folder.ts';
import { readResult } from './result.ts';
import { findProcesses } from './run-processes.ts';
import { scopeOf } from './scope.ts';
import type { LauncherDeps } from './settings.ts';
import { startRun } from './start.ts';
import { readTail } from './stream.ts';
import { emptySummary, summarise } from './summary.ts';

/** End of each output file that is searched for agents without structured output (the system replaced: 16 KiB). */
const tailBytes = 16 * 1024;
/** How long an answer of the preflight holds (spec 7). */
const preflightTtlMs = 45_000;

/**
 * Supervision of agent processes on this host. Holds nothing of a run: everything is in the run's folder. A folder
 * without `run.json` and `started` belongs to a run that died before anything could be started: nothing lives there.
 */
export function createLauncher(deps: LauncherDeps): LauncherPort {
  const context = createContext(deps);
  const cached = cachedFor<PreflightAnswer>(deps.preflightTtlMs ?? preflightTtlMs, deps.clock);
  return {
    prepare: (spec) => prepareRun(context, spec),
    start: (spec, folder) => startRun(context, spec, folder),
    follow: (folder, hooks) => followRun(folder, hooks, deps),
    outcome: (folder) => outcome(context, folder),
    folderState: (folder) => Promise.resolve(folderState(folder)),
    alive: (folder) => Promise.resolve(isRunning(folder)),
    kill: (folder, why) => (mayRun(folder) ? killRun(folder, why, deps.clock) : Promise.resolve({ left: 0 })),
    preflight: (role, projectId = null) =>
      cached(`${role} ${projectId ?? ''}`, async () => {
        try {
          return await preflight(await question(context, role, projectId));
        } catch (error) {
          return { ok: false, reason: errorText(error) };
        }
      }),
    loggedIn: async () => {
      const { kind, argv, env } = await question(context, roleNames[0] ?? '', null);
      return kind === 'claude' ? askLogin(argv, env) : null;
    },
    scope: (role, taskId, projectId = null) => scopeOf(role, taskId, deps.settingsOf(role, projectId)),
  };
}

/** A folder that was removed under a run may have had anything started in it. */
function mayRun(folder: string): boolean {
  if (folder === '') return false;
  return hasRecord(folder) || !existsSync(folder) || existsSync(runFiles(folder).started);
}

function isRunning(folder: string): boolean {
  if (!mayRun(folder)) return false;
  const { supervisor, agent } = findProcesses(folder);
  return supervisor.length + agent.length > 0;
}

/**
 * Judged once, when nothing runs any more: later calls, also of other processes, get the same answer whatever has
 * happened to the workspace since. A crash before the answer is saved judges the same files again.
 */
async function outcome(context: Context, folder: string): Promise<RunOutcome> {
  const files = runFiles(folder);
  const known = readSmall(files['outcome.json'], 1024 * 1024);
  if (known !== null) return boundedOutcome(JSON.parse(known) as RunOutcome, context.clock.now());
  const judged = redacted(context, await judge(context, folder));
  if (hasRecord(folder) && (hasExit(folder) || !isRunning(folder))) {
    writeFileAtomic(files['outcome.json'], `${JSON.stringify(judged)}\n`);
    removeTree(files.tmp);
  }
  return judged;
}

async function judge(context: Context, folder: string): Promise<RunOutcome> {
  const files = runFiles(folder);
  const record = hasRecord(folder) ? readRecord(folder) : null;
  const isAgent = record !== null && record.agentKind !== 'check';
  return classify({
    agentKind: record?.agentKind ?? 'other',
    resumed: record !== null && record.spec.resumeSession !== null,
    timeoutMs: record?.timeoutMs ?? 0,
    exit: readExit(folder),
    stop: readStop(folder),
    stream: isAgent ? await summarise(files['stdout.ndjson']) : emptySummary(),
    ...(isAgent ? readResult(record.spec.workspace) : { result: null, trouble: null }),
    stdoutTail: await readTail(files['stdout.ndjson'], tailBytes),
    stderrTail: await readTail(files['stderr.log'], tailBytes),
    now: context.clock.now(),
  });
}

function redacted({ redactor }: Context, judged: RunOutcome): RunOutcome {
  const result = judged.result === null ? null : redactedResult(judged.result, redactor);
  const trouble = judged.resultTrouble === undefined ? {} : { resultTrouble: redactor.redact(judged.resultTrouble) };
  return { ...judged, detail: redactor.redact(judged.detail), tail: redactor.redact(judged.tail), result, ...trouble };
}

function redactedResult(result: AgentResult, redactor: Context['redactor']): AgentResult {
  const { answers } = result;
  return {
    ...result,
    summary: redactor.redact(result.summary),
    ...(answers === undefined
      ? {}
      : { answers: answers.map(({ thread, text }) => ({ thread, text: redactor.redact(text) })) }),
  };
}

interface Question {
  kind: AgentSettings['kind'];
  program: string;
  argv: string[];
  env: Record<string, string>;
}

/**
 * The bare command of a role, in the sandbox and environment that its runs get. Of another agent than Claude only the
 * program is asked: its arguments are orders, and it must not begin to work.
 */
async function question(context: Context, role: Role, projectId: ProjectId | null): Promise<Question> {
  const settings = context.settingsOf(role, projectId);
  const sandbox = await context.sandboxOf(settings);
  const tmp = privateFolder(path.join(privateFolder(context.runsDir), '.preflight'));
  const env = environmentOf(context, settings, sandbox, tmp, { runId: 'preflight', role, taskId: null });
  const command = settings.kind === 'claude' ? settings.command : settings.command.slice(0, 1);
  const prefix =
    sandbox === 'none'
      ? []
      : sandboxAround(context, settings, settings.kind, env, { workspace: tmp, tmp, readPaths: [] });
  return { kind: settings.kind, program: command[0] ?? '', argv: [...prefix, ...command], env };
}

async function preflight({ program, argv, env }: Question): Promise<PreflightAnswer> {
  if (findExecutable(program, env['PATH'] ?? '', '/') === null) return { ok: false, reason: `${program} not found` };
  return askVersion(argv, env);
}
