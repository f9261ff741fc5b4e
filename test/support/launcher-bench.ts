import { productsOf } from '../../src/core/pipeline/stages/index.ts';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createLauncher } from '../../src/core/launcher/launcher.ts';
import type { LauncherDeps } from '../../src/core/launcher/settings.ts';
import { defaultTools } from '../../src/core/config/roles.ts';
import { defaultProtectedPaths } from '../../src/core/config/schema/agent.ts';
import type {
  AgentSettings,
  CommitSha,
  FollowHooks,
  LauncherPort,
  RepoSlug,
  RunId,
  RunSpec,
  TaskId,
} from '../../src/core/model/index.ts';
import { systemClock } from '../../src/core/platform/clock.ts';
import { silentLog } from '../../src/core/platform/log.ts';
import { Redactor } from '../../src/core/platform/redact.ts';

/** A launcher over temporary folders; agents are shell scripts given as text. */
export interface LauncherBench {
  root: string;
  runsDir: string;
  workspace: string;
  launcher: (settings: Partial<AgentSettings>, deps?: Partial<LauncherDeps>) => LauncherPort;
  spec: (overrides?: Partial<RunSpec>) => RunSpec;
  remove: () => void;
}

/** Settings of an agent that is a shell script; its first argument is the task id. */
export function scriptAgent(script: string, overrides: Partial<AgentSettings> = {}): AgentSettings {
  return {
    command: ['sh', '-c', script, 'agent', '{task}'],
    kind: 'other',
    model: null,
    allowedTools: defaultTools,
    timeoutMs: 60_000,
    idleMs: null,
    graceMs: 30_000,
    env: [],
    readPaths: [],
    writePaths: [],
    gitConfig: {},
    commitPaths: null,
    sandbox: 'none',
    protectedPaths: defaultProtectedPaths,
    ...overrides,
  };
}

export function launcherBench(): LauncherBench {
  const root = realpathSync(mkdtempSync(path.join(tmpdir(), 'orch-launcher-')));
  const runsDir = path.join(root, 'state', 'runs');
  const workspace = path.join(root, 'state', 'workspaces', 'one');
  mkdirSync(workspace, { recursive: true });
  let runs = 0;
  return {
    root,
    runsDir,
    workspace,
    launcher: (settings, deps = {}) =>
      createLauncher({
        runsDir,
        settingsOf: () => scriptAgent('exit 0', settings),
        identity: { name: 'orch', email: 'orch@example.org' },
        hide: [path.join(root, 'state')],
        log: silentLog,
        clock: systemClock,
        redactor: new Redactor(),
        env: process.env,
        killGraceMs: 1_000,
        ...deps,
      }),
    spec: (overrides = {}) => ({
      runId: `${path.basename(root)}-${(runs += 1)}` as RunId,
      kind: 'agent',
      role: 'analyst',
      taskId: 'ET-012' as TaskId,
      projectId: null,
      repo: 'acme/shop' as RepoSlug,
      branch: 'feature/ET-012-x',
      baseBranch: 'main',
      products: productsOf(overrides.stage ?? null, overrides.role ?? 'analyst', [])('docs/work-items/ET-012'),
      stage: 'analysis',
      title: 'Add a basket',
      priority: 'high',
      itemUrl: 'https://plane.example.org/acme/ET-12',
      workspace,
      readPaths: [],
      baseSha: 'a'.repeat(40) as CommitSha,
      attempt: 1,
      maxAttempts: 2,
      orders: { why: 'the work item is new', sections: [] },
      command: null,
      timeoutMs: 60_000,
      budgetMicros: null,
      resumeSession: null,
      prompt: 'You are the analyst.',
      ...overrides,
    }),
    remove: () => rmSync(root, { recursive: true, force: true }),
  };
}

/** Hooks that let a run go on to its end. */
export function patientHooks(overrides: Partial<FollowHooks> = {}): FollowHooks {
  return { beat: () => Promise.resolve('go'), everyMs: 100, signal: new AbortController().signal, ...overrides };
}

/** Pids of living processes, on the whole machine, whose command line holds the text. */
export function runningWith(text: string): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .filter((name) => {
      try {
        const stat = readFileSync(`/proc/${name}/stat`, 'latin1');
        return readFileSync(`/proc/${name}/cmdline`, 'utf8').includes(text) && !/\) [ZX] /.test(stat);
      } catch {
        return false;
      }
    })
    .map(Number);
}
